using System.Text;
using System.Text.Json;

namespace PmrGateway.Tests.Client;

/// <summary>An answer of the gateway.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Body">The body's bytes.</param>
/// <param name="Headers">The headers.</param>
public sealed record Answer(int Status, byte[] Body, HttpResponseMessage Headers)
{
    public string Text => Encoding.UTF8.GetString(Body);

    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>The logical id in Location, for a create.</summary>
    public string Id => Headers.Headers.Location!.ToString().Split('/')[^3];
}
