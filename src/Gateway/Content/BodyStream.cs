using System.Buffers;
using System.Buffers.Text;
using System.Runtime.CompilerServices;

namespace PmrGateway.Gateway.Content;

/// <summary>
/// A body on its way out. Its first piece is there before a byte of the answer is written, so that what cannot be read at all is
/// still answered as an error; what breaks later can only break the connection off.
/// </summary>
public sealed class BodyStream : IAsyncDisposable
{
    private readonly IAsyncEnumerator<ReadOnlyMemory<byte>> _pieces;
    private readonly CancellationTokenSource _stop;
    private bool _hasPiece;

    private BodyStream(IAsyncEnumerator<ReadOnlyMemory<byte>> pieces, CancellationTokenSource stop) => (_pieces, _stop) = (pieces, stop);

    /// <summary>Reads the first piece.</summary>
    /// <param name="pieces">The body; what it throws, this throws.</param>
    /// <param name="cancellation">Stops the read.</param>
    public static async Task<BodyStream> OpenAsync(IAsyncEnumerable<ReadOnlyMemory<byte>> pieces, CancellationToken cancellation)
    {
        var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var body = new BodyStream(pieces.GetAsyncEnumerator(stop.Token), stop);
        try
        {
            body._hasPiece = await body._pieces.MoveNextAsync();
            return body;
        }
        catch
        {
            await body.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes the body. To be called once.</summary>
    public async Task WriteAsync(Stream to, CancellationToken cancellation)
    {
        for (; _hasPiece; _hasPiece = await _pieces.MoveNextAsync()) await to.WriteAsync(_pieces.Current, cancellation);
    }

    /// <summary>Ends the read where it is.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _pieces.DisposeAsync();
        _stop.Dispose();
    }

    /// <summary>The length of <see cref="InBase64"/>.</summary>
    public static long Base64Length(long size, int around) => ((size + 2) / 3 * 4) + around;

    /// <summary>A body as base64 between two texts, e.g. as the data of a Binary in JSON.</summary>
    /// <param name="before">What goes before it.</param>
    /// <param name="pieces">The body.</param>
    /// <param name="size">Bytes of it.</param>
    /// <param name="after">What goes behind it.</param>
    /// <param name="cancellation">Stops the read.</param>
    public static async IAsyncEnumerable<ReadOnlyMemory<byte>> InBase64(
        ReadOnlyMemory<byte> before, IAsyncEnumerable<ReadOnlyMemory<byte>> pieces, long size, ReadOnlyMemory<byte> after,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        const int LargestWindow = 48 << 10;
        // Base64 takes three bytes at a time.
        var window = (int)Math.Min(LargestWindow, (size + 3) / 3 * 3);
        var bytes = ArrayPool<byte>.Shared.Rent(window);
        var text = ArrayPool<byte>.Shared.Rent(window / 3 * 4);
        try
        {
            // Behind the first piece: what cannot be read at all is found before a byte is given.
            var isBegun = false;
            var filled = 0;
            await foreach (var piece in pieces.WithCancellation(cancellation))
            {
                if (!isBegun) yield return before;
                isBegun = true;
                for (var rest = piece; rest.Length > 0;)
                {
                    var n = Math.Min(rest.Length, window - filled);
                    rest[..n].CopyTo(bytes.AsMemory(filled));
                    filled += n;
                    rest = rest[n..];
                    if (filled < window) continue;
                    yield return Encode(bytes.AsSpan(0, filled), text);
                    filled = 0;
                }
            }
            if (!isBegun) yield return before;
            if (filled > 0) yield return Encode(bytes.AsSpan(0, filled), text);
            yield return after;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes, clearArray: true);
            ArrayPool<byte>.Shared.Return(text, clearArray: true);
        }
    }

    private static ReadOnlyMemory<byte> Encode(ReadOnlySpan<byte> bytes, byte[] text)
    {
        Base64.EncodeToUtf8(bytes, text, out _, out var written);
        return text.AsMemory(0, written);
    }
}
