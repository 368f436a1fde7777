using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace PmrGateway.Store;

/// <summary>
/// The canonical bytes of a row: its table and what of it decides, each value with its length before it, so that no two rows are the same
/// bytes. One buffer a thread: it is to be used before the thread begins the next row, and not across an await.
/// </summary>
public sealed class RowBytes
{
    private const int Null = -1;

    [ThreadStatic]
    private static RowBytes? _ofThread;

    private byte[] _bytes = new byte[2048];
    private int _length;

    private RowBytes()
    {
    }

    /// <summary>The bytes so far.</summary>
    internal ReadOnlySpan<byte> Span => _bytes.AsSpan(0, _length);

    /// <summary>SHA-256 of the bytes.</summary>
    internal byte[] Digest => SHA256.HashData(Span);

    /// <summary>Begins a row of a table.</summary>
    public static RowBytes Of(string table)
    {
        var row = _ofThread ??= new RowBytes();
        row._length = 0;
        return row.Text(table);
    }

    /// <summary>Adds a text, or that there is none.</summary>
    public RowBytes Text(string? text)
    {
        if (text is null) return Length(Null);
        var size = Encoding.UTF8.GetByteCount(text);
        Length(size);
        Encoding.UTF8.GetBytes(text, Next(size));
        return this;
    }

    /// <summary>Adds bytes.</summary>
    public RowBytes Bytes(ReadOnlySpan<byte> bytes)
    {
        Length(bytes.Length);
        bytes.CopyTo(Next(bytes.Length));
        return this;
    }

    /// <summary>Adds a number, or that there is none.</summary>
    public RowBytes Number(long? number)
    {
        if (number is not { } value) return Length(Null);
        Length(sizeof(long));
        BinaryPrimitives.WriteInt64BigEndian(Next(sizeof(long)), value);
        return this;
    }

    private RowBytes Length(int length)
    {
        BinaryPrimitives.WriteInt32BigEndian(Next(sizeof(int)), length);
        return this;
    }

    private Span<byte> Next(int size)
    {
        if (_bytes.Length - _length < size) Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + size));
        _length += size;
        return _bytes.AsSpan(_length - size, size);
    }
}
