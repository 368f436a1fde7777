using System.Security.Cryptography;

namespace PmrGateway.Vault;

/// <summary>
/// Opens one sealed body segment by segment, in any order: each authenticates its bytes, its place and whether it is the last. That the
/// whole is what was committed to (the plaintext's SHA-256) can be known only of a read of all segments in order: <see cref="CheckWhole"/>.
/// </summary>
public sealed class BodyOpener : IDisposable
{
    private readonly SegmentCipher _cipher;
    private readonly byte[] _digest;
    private IncrementalHash? _plaintext = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _next;

    internal BodyOpener(SegmentCipher cipher, byte[] digest, long sealedSize)
    {
        (_cipher, _digest) = (cipher, digest);
        Size = BodyLayout.PlaintextSize(sealedSize);
        Segments = BodyLayout.SegmentsOf(Size);
    }

    /// <summary>Bytes of plaintext.</summary>
    public long Size { get; }

    /// <summary>Number of segments.</summary>
    public long Segments { get; }

    /// <summary>Opens a segment into a buffer and gives the length of its text.</summary>
    /// <param name="index">Its place, from 0.</param>
    /// <param name="segment">The sealed bytes.</param>
    /// <param name="text">At least as long as the segment.</param>
    /// <exception cref="SealBrokenException">The segment is not what was sealed in this place. Nothing of it may be given out.</exception>
    public int Open(long index, ReadOnlySpan<byte> segment, Span<byte> text)
    {
        var isLast = index == Segments - 1;
        if (!isLast && segment.Length != BodyLayout.SegmentSize)
            throw new SealBrokenException($"segment {index} of a sealed body is not full");
        var size = _cipher.Open((uint)index, isLast, segment, text);
        if (index == _next) _plaintext?.AppendData(text[..size]);
        else Forget();
        _next++;
        return size;
    }

    /// <summary>
    /// After all segments in order: is the plaintext the one that was committed to? To be called before the last is given out.
    /// </summary>
    /// <exception cref="SealBrokenException">It is not.</exception>
    /// <exception cref="InvalidOperationException">Not all segments were opened in order.</exception>
    public void CheckWhole()
    {
        if (_plaintext is null || _next != Segments)
            throw new InvalidOperationException("a part of a body cannot be checked against the digest of the whole");
        if (!_plaintext.GetHashAndReset().AsSpan().SequenceEqual(_digest))
            throw new SealBrokenException("the plaintext is not the one that was committed to");
    }

    /// <summary>Forgets the key.</summary>
    public void Dispose()
    {
        _cipher.Dispose();
        Forget();
    }

    private void Forget()
    {
        _plaintext?.Dispose();
        _plaintext = null;
    }
}
