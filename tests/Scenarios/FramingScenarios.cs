using System.Net.Sockets;
using System.Text;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Where a body ends, written onto the socket by hand.</summary>
[Collection(GatewayCollection.Name)]
public class FramingScenarios(RunningGateway gateway)
{
    [Theory]
    [InlineData("chunked", 201)]
    [InlineData("Chunked", 201)]
    [InlineData("x, chunked", 400)]
    [InlineData("gzip, chunked", 400)]
    [InlineData("chunked, chunked", 400)]
    public async Task A_body_comes_in_chunks_and_in_no_other_transfer_coding(string coding, int status)
    {
        const string Body = """{"resourceType":"Patient"}""";
        var answer = await SendAsync(
            "/fhir/Patient", "application/fhir+json", coding, $"{Body.Length:x}\r\n{Body}\r\n0\r\n\r\n", gateway.Ehr.Token);
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        if (status == 201) return;
        Assert.Contains("Connection: close", answer);
        Assert.Contains("OperationOutcome", answer);
        // What comes behind it is no request of its own.
        Assert.Equal(1, answer.Split("HTTP/1.1 ").Length - 1);
    }

    [Theory]
    [InlineData("/connect/token", "application/x-www-form-urlencoded")]
    [InlineData("/connect/authorize", "application/x-www-form-urlencoded")]
    [InlineData("/connect/revoke", "application/x-www-form-urlencoded")]
    [InlineData("/admin/clients", "application/json")]
    [InlineData("/admin/users", "application/json")]
    [InlineData("/fhir/Patient", "application/fhir+json")]
    [InlineData("/fhir/Patient/_search", "application/x-www-form-urlencoded")]
    [InlineData("/fhir/Binary", "application/pdf")]
    public async Task A_chunk_that_is_none_is_a_400_in_our_words_wherever_it_comes(string path, string type)
    {
        var token = path.StartsWith("/admin", StringComparison.Ordinal) ? gateway.Operator.Token : gateway.Ehr.Token;
        var answer = await SendAsync(path, type, "chunked", "XYZ\r\n{}\r\n0\r\n\r\n", token);
        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Contains("well-formed HTTP", answer);
    }

    // One request, with another behind it; all that comes back until the gateway closes.
    private async Task<string> SendAsync(string path, string type, string coding, string body, string? token)
    {
        var uri = new Uri(gateway.Options.Url);
        using var client = new TcpClient();
        await client.ConnectAsync(uri.Host, uri.Port);
        await using var stream = client.GetStream();
        var request = $"POST {path} HTTP/1.1\r\nHost: {uri.Authority}\r\nAuthorization: Bearer {token}\r\nContent-Type: {type}\r\n"
            + $"Transfer-Encoding: {coding}\r\n\r\n{body}GET /fhir/metadata HTTP/1.1\r\nHost: {uri.Authority}\r\nConnection: close\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request));
        using var reader = new StreamReader(stream, Encoding.UTF8);
        using var time = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        return await reader.ReadToEndAsync(time.Token);
    }
}
