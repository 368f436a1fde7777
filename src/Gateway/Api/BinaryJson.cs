using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>A Binary as a resource in JSON: its bytes are <c>data</c>, in base64, made while they are sent.</summary>
internal static class BinaryJson
{
    /// <summary>The JSON, piece by piece. A piece is there until the next is asked for.</summary>
    public static IAsyncEnumerable<ReadOnlyMemory<byte>> Pieces(OpenedRecord opened, CancellationToken cancellation)
    {
        var (before, after) = Around(opened);
        return BodyStream.InBase64(before, opened.Binary!.Open(null, cancellation), opened.Binary.Size, after, cancellation);
    }

    /// <summary>Bytes of the JSON.</summary>
    public static long Length(OpenedRecord opened)
    {
        var (before, after) = Around(opened);
        return BodyStream.Base64Length(opened.Binary!.Size, before.Length + after.Length);
    }

    /// <summary>Any resource as JSON, in memory.</summary>
    public static async Task<byte[]> ReadAsync(OpenedRecord opened, CancellationToken cancellation)
    {
        if (opened.Binary is null) return opened.Content;
        using var json = new MemoryStream(new byte[Length(opened)]);
        await foreach (var piece in Pieces(opened, cancellation)) json.Write(piece.Span);
        return json.ToArray();
    }

    /// <summary>The resource without its content: nothing is opened.</summary>
    public static byte[] WithoutData(OpenedRecord opened) => Encoding.UTF8.GetBytes(Head(opened) + "}");

    private static (byte[] Before, byte[] After) Around(OpenedRecord opened)
    {
        // A text of FHIR is never empty.
        var hasData = opened.Binary!.Size > 0;
        return (Encoding.UTF8.GetBytes(Head(opened) + (hasData ? ",\"data\":\"" : "")), hasData ? "\"}"u8.ToArray() : "}"u8.ToArray());
    }

    private static string Head(OpenedRecord opened)
    {
        var (version, facts) = (opened.Version, opened.Version.Facts);
        var json = new StringBuilder($"{{\"resourceType\":\"Binary\",\"id\":\"{facts.Id}\",\"meta\":{{\"versionId\":\"{version.Version}\",")
            .Append($"\"lastUpdated\":\"{FhirInstant.Format(version.LastUpdated)}\"}}")
            .Append($",\"contentType\":{JsonSerializer.Serialize(version.ContentType)}");
        // Whose it is besides follows from records that link to it, and of those the requester may not know.
        if (version.SentFor is { } patient) json.Append($",\"securityContext\":{{\"reference\":\"Patient/{patient}\"}}");
        return json.ToString();
    }
}
