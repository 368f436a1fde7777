using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Writes a batch-response or transaction-response onto the wire, entry by entry: none is held longer than it takes to send it.
/// </summary>
internal sealed class ResponseStream(string type, Stream to, BaseUrl baseUrl)
{
    private bool _hasEntries;

    /// <summary>Writes the answer to one entry.</summary>
    public async Task AddAsync(FhirResponse response, CancellationToken cancellation)
    {
        await WriteAsync(_hasEntries ? ",{" : $"{Head()},\"entry\":[{{", cancellation);
        _hasEntries = true;
        var isDone = response.Status < 400;
        if (isDone && (response.Body.Length > 0 || response.Stream is not null))
        {
            await WriteAsync("\"resource\":", cancellation);
            if (response.Stream is { } write) await write(to, cancellation);
            else await to.WriteAsync(response.Body, cancellation);
            await WriteAsync(",", cancellation);
        }
        await WriteAsync(Response(response), cancellation);
        if (!isDone)
        {
            await WriteAsync(",\"outcome\":", cancellation);
            await to.WriteAsync(response.Body, cancellation);
        }
        await WriteAsync("}}", cancellation);
    }

    /// <summary>Ends the Bundle.</summary>
    public Task EndAsync(CancellationToken cancellation) => WriteAsync(_hasEntries ? "]}" : Head() + "}", cancellation);

    private string Head() => $"{{\"resourceType\":\"Bundle\",\"id\":\"{ResourceId.New()}\",\"type\":\"{type}\"";

    // Without its last brace: an outcome may follow.
    private string Response(FhirResponse response)
    {
        var text = new StringBuilder($"\"response\":{{\"status\":\"{response.Status}\"");
        if (response.Location is not null) text.Append($",\"location\":{JsonSerializer.Serialize($"{baseUrl.Fhir}/{response.Location}")}");
        if (response.Version is { } version) text.Append($",\"etag\":\"W/\\\"{version}\\\"\"");
        if (response.LastModified is { } modified) text.Append($",\"lastModified\":\"{FhirInstant.Format(modified)}\"");
        return text.ToString();
    }

    private Task WriteAsync(string text, CancellationToken cancellation) =>
        to.WriteAsync(Encoding.UTF8.GetBytes(text), cancellation).AsTask();
}
