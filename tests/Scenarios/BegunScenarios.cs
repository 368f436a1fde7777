using System.Net.Sockets;
using System.Text;
using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Access that ends ends for requests too that have begun: who sends one takes as long as they like.</summary>
[Collection(GatewayCollection.Name)]
public class BegunScenarios(RunningGateway gateway)
{
    [Theory]
    [InlineData("POST", "Observation", "application/fhir+json")]
    [InlineData("PUT", "Observation/x", "application/fhir+json")]
    [InlineData("POST", "", "application/fhir+json")]
    [InlineData("POST", "Observation/_search", "application/x-www-form-urlencoded")]
    public async Task A_request_that_was_half_sent_when_its_actor_was_suspended_is_refused(string method, string path, string type)
    {
        var name = "begun-" + ResourceId.New();
        var (hospital, feed) = await gateway.RegisterAsync(name, "Begun", "prov", "system/*.cruds", "TREAT");
        using var request = await HalfSentAsync(feed, method, path, type, await BodyAsync(feed, path, type));
        await SuspendAsync(hospital);
        Assert.Equal(403, (await feed.GetAsync("Observation")).Status);
        Assert.Equal("403", await request.EndAsync());
    }

    [Fact]
    public async Task A_request_that_was_half_sent_when_its_client_was_deleted_is_refused()
    {
        var name = "begun-" + ResourceId.New();
        var (_, feed) = await gateway.RegisterAsync(name, "Begun", "prov", "system/*.cruds", "TREAT");
        const string Json = "application/fhir+json";
        using var request = await HalfSentAsync(feed, "POST", "Observation", Json, await BodyAsync(feed, "Observation", Json));
        Assert.Equal(204, (await gateway.Operator.AdminAsync(HttpMethod.Delete, "clients/" + name)).Status);
        Assert.Equal(401, (await feed.GetAsync("Observation")).Status);
        Assert.Equal("401", await request.EndAsync());
    }

    [Fact]
    public async Task The_entries_of_a_batch_that_follow_a_suspension_are_refused()
    {
        var name = "begun-" + ResourceId.New();
        var (hospital, feed) = await gateway.RegisterAsync(name, "Begun", "prov", "system/*.cruds", "TREAT");
        var filler = new string('x', 100_000);
        var made = await feed.PostAsync(
            "Observation", $$$"""{"resourceType":"Observation","status":"final","code":{"text":"{{{filler}}}"},"note":[{"text":"x"}]}""");
        Assert.True(made.Status == 201, made.Text);
        const int Count = 400;
        var entries = Enumerable.Repeat($$$"""{"request":{"method":"GET","url":"Observation/{{{made.Id}}}"}}""", Count);
        var batch = $$"""{"resourceType":"Bundle","type":"batch","entry":[{{string.Join(',', entries)}}]}""";
        // Who does not read its answer holds it up: 40 MB fit into no buffer.
        using var request = await HalfSentAsync(feed, "POST", "", "application/fhir+json", batch);
        await request.SendRestAsync();
        await Task.Delay(1000);
        await SuspendAsync(hospital);
        Assert.Equal(403, (await feed.GetAsync("Observation")).Status);
        var answer = await request.ReadAsync();
        Assert.StartsWith("HTTP/1.1 200", answer);
        var refused = answer.Split("\"status\":\"403\"").Length - 1;
        Assert.InRange(refused, 100, Count - 1);
        Assert.Equal(Count, refused + answer.Split("\"status\":\"200\"").Length - 1);
    }

    private static async Task<string> BodyAsync(GatewayClient feed, string path, string type)
    {
        if (type != "application/fhir+json") return "status=final";
        const string Entry = """{"request":{"method":"GET","url":"Patient"}}""";
        if (path.Length == 0) return $$"""{"resourceType":"Bundle","type":"transaction","entry":[{{Entry}}]}""";
        var observation = """{"resourceType":"Observation","status":"final","code":{"text":"x"}}""";
        Assert.Equal(201, (await feed.PostAsync("Observation", observation)).Status);
        return path == "Observation" ? observation : observation.Replace("{\"resourceType\":\"Observation\"",
            "{\"resourceType\":\"Observation\",\"id\":\"x\"", StringComparison.Ordinal);
    }

    private async Task SuspendAsync(string reference)
    {
        const string Patch = """[{"op":"add","path":"/active","value":false}]""";
        Assert.Equal(200, (await gateway.Operator.PatchAsync(reference, Patch, "application/json-patch+json")).Status);
    }

    private async Task<Begun> HalfSentAsync(GatewayClient client, string method, string path, string type, string body)
    {
        var url = new Uri(gateway.Options.Url);
        var socket = new TcpClient { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(url.Host, url.Port);
        var bytes = Encoding.UTF8.GetBytes(body);
        var head = $"{method} /fhir/{path} HTTP/1.1\r\nHost: {url.Authority}\r\nAuthorization: Bearer {client.Token}\r\n"
            + $"Content-Type: {type}\r\nContent-Length: {bytes.Length}\r\nConnection: close\r\n\r\n";
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head));
        await stream.WriteAsync(bytes.AsMemory(0, bytes.Length - 1));
        // Until it is known who asks.
        await Task.Delay(500);
        return new Begun(socket, bytes[^1]);
    }

    private sealed class Begun(TcpClient socket, byte last) : IDisposable
    {
        public ValueTask SendRestAsync() => socket.GetStream().WriteAsync(new[] { last });

        /// <summary>Sends the rest; the status of the answer.</summary>
        public async Task<string> EndAsync()
        {
            await SendRestAsync();
            return (await ReadAsync()).Split(' ')[1];
        }

        public async Task<string> ReadAsync() => await new StreamReader(socket.GetStream()).ReadToEndAsync();

        public void Dispose() => socket.Dispose();
    }
}
