using System.Buffers;
using System.Runtime.CompilerServices;
using PmrGateway.Ipfs;
using PmrGateway.Mapping;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Content;

/// <summary>
/// The vault's cipher over the block store: segment = leaf = block, so each byte is sealed once, hashed once and cut once.
/// </summary>
public sealed class ContentStore(UnixFs files, RecordVault vault) : IContent
{
    /// <inheritdoc/>
    public ContentUpload Begin() => new(files.Begin(), vault);

    /// <inheritdoc/>
    public async ValueTask<long> SizeAsync(SealedContent content, CancellationToken cancellation) =>
        content.Size ?? BodyLayout.PlaintextSize(await files.SizeAsync(content.Root, cancellation));

    /// <inheritdoc/>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> OpenAsync(
        Permit permit, SealedContent content, SubjectKey subject, ByteRange? range, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var size = await SizeAsync(content, cancellation);
        var (from, to) = range is { } r ? (r.From, r.To) : (0, size);
        var first = BodyLayout.SegmentAt(from);
        var last = BodyLayout.SegmentAt(Math.Max(from, to - 1));
        // The salt and the nonces' prefix stand in segment 0, whichever segments are asked for.
        BodyOpener? opener = null;
        if (first > 0)
            await foreach (var header in files.ReadAsync(content.Root, 0, 1, cancellation)) opener = Begin(header);
        var text = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(size, 1, BodyLayout.SegmentSize));
        try
        {
            var index = first;
            var leaves = files.ReadAsync(content.Root, first * BodyLayout.SegmentSize, (last + 1) * BodyLayout.SegmentSize, cancellation);
            await foreach (var segment in leaves)
            {
                opener ??= index == 0 ? Begin(segment) : throw new SealBrokenException("a sealed body has no first segment");
                var length = opener.Open(index, segment.Span, text);
                if (range is null && index == last) opener.CheckWhole();
                var start = BodyLayout.OffsetOf(index++);
                var (begin, end) = (Math.Max(from, start), Math.Min(to, start + length));
                if (begin < end) yield return text.AsMemory((int)(begin - start), (int)(end - begin));
            }
            // Fewer leaves than the size says: the end of the body is missing.
            if (index <= last) throw new SealBrokenException("a sealed body ends before its last segment");
        }
        finally
        {
            opener?.Dispose();
            ArrayPool<byte>.Shared.Return(text, clearArray: true);
        }

        BodyOpener Begin(ReadOnlyMemory<byte> header) =>
            vault.BeginOpen(permit, header.Span, BodyLayout.SealedSize(size), content.Key, subject);
    }
}
