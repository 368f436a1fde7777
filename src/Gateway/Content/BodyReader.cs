using System.IO.Pipelines;

namespace PmrGateway.Gateway.Content;

/// <summary>Reads a request's JSON up to a limit; large attachments go to the blocks while they come in.</summary>
internal static class BodyReader
{
    /// <summary>The body, or null where it is longer than the limit.</summary>
    /// <param name="reader">The body of the request.</param>
    /// <param name="length">Its length, where that was announced.</param>
    /// <param name="limit">Bytes, at most, as they come in.</param>
    /// <param name="cuts">Whether attachments are cut out. A document that is kept byte for byte must stay whole.</param>
    /// <param name="upload">Where attachments go.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <exception cref="Ipfs.BlockStoreUnavailableException">The blocks cannot be written.</exception>
    public static async Task<StreamedBody?> ReadAsync(
        PipeReader reader, long? length, long limit, bool cuts, ContentUpload upload, CancellationToken cancellation)
    {
        if (length > limit) return null;
        var body = new StreamedBody([], upload);
        // Too short for any text in it to be cut: kept as it comes.
        var read = await reader.ReadAtLeastAsync(AttachmentCutter.InlineLimit + 1, cancellation);
        if (!cuts || (read.IsCompleted && read.Buffer.Length <= AttachmentCutter.InlineLimit))
            return await ReadWholeAsync(reader, read, length, limit, body, cancellation);

        using var cutter = new AttachmentCutter(body);
        for (var total = read.Buffer.Length; total <= limit; total += read.Buffer.Length)
        {
            foreach (var piece in read.Buffer) await cutter.FeedAsync(piece, cancellation);
            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                cutter.Complete();
                return body;
            }
            read = await reader.ReadAsync(cancellation);
        }
        return null;
    }

    private static async Task<StreamedBody?> ReadWholeAsync(
        PipeReader reader, ReadResult read, long? length, long limit, StreamedBody body, CancellationToken cancellation)
    {
        // A length that was announced is kept by the server: neither more nor fewer bytes come. Without one the array grows.
        var bytes = new byte[length ?? Math.Max(read.Buffer.Length, 4096)];
        var at = 0;
        while (true)
        {
            if (at + read.Buffer.Length > limit) return null;
            if (at + read.Buffer.Length > bytes.Length) Array.Resize(ref bytes, (int)Math.Max(at + read.Buffer.Length, bytes.Length * 2L));
            foreach (var piece in read.Buffer)
            {
                piece.Span.CopyTo(bytes.AsSpan(at));
                at += piece.Length;
            }
            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) break;
            read = await reader.ReadAsync(cancellation);
        }
        if (at < bytes.Length) Array.Resize(ref bytes, at);
        body.Json = bytes;
        return body;
    }
}
