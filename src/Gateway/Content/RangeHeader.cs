using Microsoft.Net.Http.Headers;

namespace PmrGateway.Gateway.Content;

/// <summary>
/// The part of a body that a request asks for (RFC 9110, section 14). One range of bytes is served; of several, or in another unit, the
/// whole is, as a server may. So it is under If-Range: a FHIR ETag is weak, and a weak one never permits a part (section 13.1.5).
/// </summary>
internal static class RangeHeader
{
    /// <summary>The range, null for the whole; false: no byte of the body is in it (416).</summary>
    /// <param name="range">The Range header, or null.</param>
    /// <param name="hasIfRange">Whether an If-Range header came with it.</param>
    /// <param name="size">Bytes of the body.</param>
    /// <param name="part">The part asked for.</param>
    public static bool TryRead(string? range, bool hasIfRange, long size, out ByteRange? part)
    {
        part = null;
        if (string.IsNullOrEmpty(range) || hasIfRange) return true;
        if (!RangeHeaderValue.TryParse(range, out var header) || header.Unit != "bytes" || header.Ranges.Count != 1) return true;
        var asked = header.Ranges.First();
        var from = asked.From ?? Math.Max(0, size - asked.To!.Value);
        var to = asked.From is null || asked.To is null || asked.To >= size ? size : asked.To.Value + 1;
        // Behind the end, or the last 0 bytes: nothing that could be given.
        if (from >= to) return false;
        part = new ByteRange(from, to);
        return true;
    }
}
