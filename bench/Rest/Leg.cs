using System.Text;

namespace PmrGateway.Bench.Rest;

/// <summary>One kind of request to one server.</summary>
/// <param name="Name">Which leg of its workload: floor, insurer, author, ...</param>
/// <param name="Target">The server.</param>
/// <param name="Requests">What each of the concurrent users sends next.</param>
/// <param name="Check">What is wrong with an answer; null: nothing.</param>
/// <param name="Deferred">How long the server may go on working for the last request.</param>
internal sealed record Leg(string Name, Target Target, RequestSource Requests, Func<RawAnswer, string?> Check, TimeSpan Deferred)
{
    /// <summary>Reads, each user some of the paths.</summary>
    public static Leg Gets(string name, Target target, string client, IEnumerable<string> paths, Func<RawAnswer, string?> check)
    {
        var list = paths.ToArray();
        Func<ReadOnlyMemory<byte>> Of(int user, int users)
        {
            var mine = list.Where((_, i) => i % users == user % list.Length)
                .Select(path => Head(target, client, "GET", "/" + path))
                .ToArray();
            var next = 0;
            return () => mine[next++ % mine.Length];
        }
        return new Leg(name, target, Of, check, TimeSpan.Zero);
    }

    /// <summary>Creates: each request has a number of its own.</summary>
    public static Leg Posts(string name, Target target, string path, StampedBody body, Func<RawAnswer, string?> check)
    {
        Func<ReadOnlyMemory<byte>> Of(int user, int users)
        {
            var head = Head(target, "ehr", "POST", path.Length == 0 ? "" : "/" + path, body.Length);
            var request = new byte[head.Length + body.Length];
            head.CopyTo(request, 0);
            body.CopyTo(request.AsSpan(head.Length));
            return () =>
            {
                body.Stamp(request.AsSpan(head.Length));
                return request;
            };
        }
        return new Leg(name, target, Of, check, target.DeferredWork);
    }

    /// <summary>The answer has this status, and this text so many times.</summary>
    public static Func<RawAnswer, string?> Expect(int status, params (string Text, int Count)[] texts)
    {
        var wanted = texts.Select(t => (t.Text, Utf8: Encoding.UTF8.GetBytes(t.Text), t.Count)).ToArray();
        return answer =>
        {
            if (answer.Status != status) return $"status {answer.Status}, must be {status}: {Start(answer)}";
            foreach (var (text, utf8, count) in wanted)
            {
                var found = answer.Body.Span.Count(utf8);
                if (found != count) return $"{found} times {text}, must be {count}: {Start(answer)}";
            }
            return null;
        };
    }

    private static byte[] Head(Target target, string client, string method, string path, int length = -1)
    {
        var head = new StringBuilder($"{method} /fhir{path} HTTP/1.1\r\nHost: 127.0.0.1:{target.Process.Port}\r\n");
        head.Append($"Accept: application/fhir+json\r\nAuthorization: Bearer {target.Token(client)}\r\n");
        if (length >= 0) head.Append($"Content-Type: application/fhir+json\r\nContent-Length: {length}\r\n");
        return Encoding.ASCII.GetBytes(head.Append("\r\n").ToString());
    }

    private static string Start(RawAnswer answer) => Encoding.UTF8.GetString(answer.Body.Span[..Math.Min(answer.Body.Length, 300)]);
}

/// <summary>What one of the concurrent users sends, request by request.</summary>
/// <param name="user">Which user, from 0.</param>
/// <param name="users">How many there are.</param>
internal delegate Func<ReadOnlyMemory<byte>> RequestSource(int user, int users);
