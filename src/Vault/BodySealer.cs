using System.Buffers;
using System.Security.Cryptography;

namespace PmrGateway.Vault;

/// <summary>
/// Seals one body of any length while it comes in, in one buffer that grows to one segment: <see cref="Fill"/> plaintext, and where
/// <see cref="Fill"/> leaves some over take a full segment by <see cref="SealFull"/>; at the end <see cref="SealLast"/>. The subject may
/// become known as late as <see cref="Wrap"/>: the data key is random and needs nobody's leave.
/// </summary>
public sealed class BodySealer : IDisposable
{
    private readonly byte[] _dataKey;
    private readonly byte[] _label;
    private readonly SegmentCipher _cipher;
    private readonly IncrementalHash _plaintext = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private byte[] _buffer;
    private uint _index;
    private int _filled = BodyLayout.HeaderSize;
    private byte[]? _digest;

    internal BodySealer(string type, string id, long version, long sizeHint)
        : this(
            Primitives.Random(Primitives.KeySize), LabelOf(type, id, version),
            Primitives.Random(Primitives.KeySize), Primitives.Random(Primitives.PrefixSize), sizeHint)
    {
    }

    internal BodySealer(byte[] dataKey, byte[] label, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> prefix, long sizeHint)
    {
        (_dataKey, _label) = (dataKey, label);
        _buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(BodyLayout.SealedSize(sizeHint), 4096, BodyLayout.SegmentSize));
        _buffer[0] = BodyLayout.HeaderSize;
        salt.CopyTo(_buffer.AsSpan(1));
        prefix.CopyTo(_buffer.AsSpan(1 + Primitives.KeySize));
        _cipher = new SegmentCipher(dataKey, label.AsSpan(Primitives.DataLabelSize), _buffer.AsSpan(0, BodyLayout.HeaderSize));
    }

    /// <summary>Bytes of plaintext taken so far.</summary>
    public long Size { get; private set; }

    /// <summary>
    /// Takes as much plaintext as the segment has room for and gives how much. Less than all: a full segment waits to be sealed.
    /// </summary>
    public int Fill(ReadOnlySpan<byte> plaintext)
    {
        const int Room = BodyLayout.SegmentSize - Primitives.TagSize;
        var n = Math.Min(plaintext.Length, Room - _filled);
        if (_filled + n + Primitives.TagSize > _buffer.Length) Grow(_filled + n + Primitives.TagSize);
        plaintext[..n].CopyTo(_buffer.AsSpan(_filled));
        _plaintext.AppendData(plaintext[..n]);
        _filled += n;
        Size += n;
        return n;
    }

    /// <summary>Seals a full segment that others follow. The bytes are the sealer's again at the next call.</summary>
    public ReadOnlyMemory<byte> SealFull() => SealSegment(isLast: false);

    /// <summary>Seals what is left, be it nothing, as the last segment.</summary>
    public ReadOnlyMemory<byte> SealLast()
    {
        var segment = SealSegment(isLast: true);
        _digest = _plaintext.GetHashAndReset();
        return segment;
    }

    /// <summary>What opens the body, once it is sealed to its end.</summary>
    /// <param name="subject">The key of whose record it turned out to be.</param>
    /// <exception cref="InvalidOperationException">The body has no end yet.</exception>
    public SealedKey Wrap(SubjectKey subject) => new(
        subject.Box.Seal(_dataKey, _label),
        Primitives.KeyCommitment(_dataKey),
        Primitives.Random(RecordVault.ContentSaltSize),
        _digest ?? throw new InvalidOperationException("a body is wrapped when its last segment is sealed"));

    /// <summary>Gives the buffer back and forgets the keys but the one that <see cref="Wrap"/> needs.</summary>
    public void Dispose()
    {
        _cipher.Dispose();
        _plaintext.Dispose();
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    internal static byte[] LabelOf(string type, string id, long version)
    {
        Span<byte> label = stackalloc byte[Primitives.MaxContext];
        return label[..Primitives.WriteDataLabel(label, type, id, version)].ToArray();
    }

    private ReadOnlyMemory<byte> SealSegment(bool isLast)
    {
        var start = BodyLayout.TextStart(_index);
        var text = _buffer.AsSpan(start, _filled - start);
        _cipher.Seal(_index, isLast, text, text, _buffer.AsSpan(_filled, Primitives.TagSize));
        var segment = _buffer.AsMemory(0, _filled + Primitives.TagSize);
        _index++;
        _filled = 0;
        return segment;
    }

    private void Grow(int size)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Min(Math.Max(size, _buffer.Length * 4), BodyLayout.SegmentSize));
        _buffer.AsSpan(0, _filled).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer, clearArray: true);
        _buffer = larger;
    }
}
