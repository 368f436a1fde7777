using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace PmrGateway.Tools.Attacks;

/// <summary>An answer as it came over the socket; status 0: the connection was closed without one.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Head">Status line and headers.</param>
/// <param name="Body">What follows them.</param>
internal sealed record RawAnswer(int Status, string Head, string Body)
{
    /// <summary>Whether it is an OperationOutcome, or came from below the gateway's own code: then it has no body at all.</summary>
    public bool IsOutcome => Body.Contains("\"OperationOutcome\"", StringComparison.Ordinal);

    public string Shown => $"{Status} {(Body.Length > 160 ? Body[..160] + "..." : Body)}";
}

/// <summary>HTTP that no client library would send.</summary>
internal static class RawHttp
{
    /// <summary>Sends a request, a character a byte, and reads until the other side closes.</summary>
    public static async Task<RawAnswer> SendAsync(int port, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await using var stream = client.GetStream();
        using var all = new MemoryStream();
        try
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes(request), patience.Token);
            await stream.CopyToAsync(all, patience.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // Closed in the middle of a request that is too large: what came until then is the answer.
        }
        var text = Encoding.Latin1.GetString(all.ToArray());
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        var head = end < 0 ? text : text[..end];
        var status = head.Split(' ') is [_, var code, ..] && int.TryParse(code, CultureInfo.InvariantCulture, out var number) ? number : 0;
        return new RawAnswer(status, head, end < 0 ? "" : text[(end + 4)..]);
    }

    /// <summary>A request for the FHIR API.</summary>
    /// <param name="method">Method.</param>
    /// <param name="target">Path and query as they stand in the request line.</param>
    /// <param name="token">Access token; null: none.</param>
    /// <param name="headers">Further header lines, without their ends.</param>
    /// <param name="body">The body.</param>
    /// <param name="host">What Host says.</param>
    public static string Request(
        string method, string target, string? token, string[]? headers = null, string body = "", string host = "127.0.0.1")
    {
        var text = new StringBuilder($"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        if (token is not null) text.Append($"Authorization: Bearer {token}\r\n");
        foreach (var header in headers ?? []) text.Append(header).Append("\r\n");
        if (body.Length > 0) text.Append($"Content-Type: application/fhir+json\r\nContent-Length: {body.Length}\r\n");
        return text.Append("\r\n").Append(body).ToString();
    }
}
