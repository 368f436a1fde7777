using System.Security.Cryptography;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Content;

/// <summary>
/// A request's JSON with its large attachments cut out. In the place of each stands a token: base64 to whoever validates, found again by
/// whoever maps, and known to nobody outside before the body has ended.
/// </summary>
public sealed class StreamedBody
{
    private readonly Dictionary<string, (CutData Data, StreamedContent? Content)> _cut = new(StringComparer.Ordinal);

    /// <summary>A body of which nothing was cut so far.</summary>
    /// <param name="json">The JSON.</param>
    /// <param name="upload">Where what was cut goes, and what else the request has to store.</param>
    public StreamedBody(byte[] json, ContentUpload upload) => (Json, Upload) = (json, upload);

    /// <summary>The JSON that is left.</summary>
    public byte[] Json { get; internal set; }

    /// <summary>The bodies of this request in the block store: committed before anything that points to them.</summary>
    public ContentUpload Upload { get; }

    /// <summary>Whether anything was cut out.</summary>
    public bool HasCuts => _cut.Count > 0;

    /// <summary>What was cut out under a token; null: the text is no token.</summary>
    public CutData? Find(string token) => _cut.TryGetValue(token, out var cut) ? cut.Data : null;

    /// <summary>The sealed content that will be a Binary's.</summary>
    /// <param name="binaryId">The id it was sealed under.</param>
    public StreamedContent? ContentOf(string binaryId)
    {
        foreach (var (data, content) in _cut.Values)
            if (data.BinaryId == binaryId) return content;
        return null;
    }

    /// <summary>Notes what was cut out and gives the token that stands for it.</summary>
    internal string Add(CutData data, StreamedContent? content)
    {
        var token = Convert.ToBase64String(RandomNumberGenerator.GetBytes(CutData.TokenSize / 4 * 3));
        _cut.Add(token, (data, content));
        return token;
    }
}
