using System.Buffers;
using System.Buffers.Text;

namespace PmrGateway.Gateway.Content;

/// <summary>
/// Decodes the base64 inside one JSON string, given as its raw bytes in pieces cut anywhere: escapes are resolved (PHP writes <c>\/</c>),
/// white space is passed over, and what is no base64 is told. It takes exactly what the validator takes of a base64Binary.
/// </summary>
internal sealed class Base64Window(byte[] window)
{
    private static readonly SearchValues<byte> Alphabet =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"u8);

    private readonly byte[] _quad = new byte[4];
    private int _inQuad;
    private int _padding;
    private bool _any;

    // Where inside an escape the last piece ended: 0 outside, 1 behind the backslash, 2 to 5 before a digit of \uXXXX.
    private int _escape;
    private int _codePoint;

    /// <summary>Bytes decoded since the window was last taken.</summary>
    public int Filled { get; private set; }

    /// <summary>Whether the string's closing quote was reached.</summary>
    public bool IsEnded { get; private set; }

    /// <summary>What is wrong with the text, or null.</summary>
    public string? Problem { get; private set; }

    /// <summary>
    /// Takes raw bytes behind the opening quote, and gives how many: fewer than all where the window is full or the string ended.
    /// </summary>
    public int Feed(ReadOnlySpan<byte> raw)
    {
        var at = 0;
        while (at < raw.Length && !IsEnded && window.Length - Filled >= 3)
        {
            if (_escape > 0) Escaped(raw[at++]);
            else if (Problem is not null) at += Skip(raw[at..]);
            else if (Quads(raw[at..]) is > 0 and var quads) at += quads;
            else One(raw[at++]);
        }
        return at;
    }

    /// <summary>The decoded bytes; the window is empty again.</summary>
    public ReadOnlyMemory<byte> Take()
    {
        var taken = window.AsMemory(0, Filled);
        Filled = 0;
        return taken;
    }

    // Whole quads straight from the input, many at a time.
    private int Quads(ReadOnlySpan<byte> raw)
    {
        if (_inQuad > 0 || _padding > 0) return 0;
        var run = raw.IndexOfAnyExcept(Alphabet);
        if (run < 0) run = raw.Length;
        var size = Math.Min(run, (window.Length - Filled) / 3 * 4) & ~3;
        if (size == 0) return 0;
        Base64.DecodeFromUtf8(raw[..size], window.AsSpan(Filled), out _, out var written);
        Filled += written;
        _any = true;
        return size;
    }

    private void One(byte c)
    {
        if (c == (byte)'"') End();
        else if (c == (byte)'\\') _escape = 1;
        // In JSON a control character inside a string is escaped.
        else if (c < 0x20) Fail();
        else Character(c);
    }

    private void Character(byte c)
    {
        if (c is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n') return;
        if (c == (byte)'=' ? ++_padding > 2 : _padding > 0 || !Alphabet.Contains(c))
        {
            Fail();
            return;
        }
        _quad[_inQuad++] = c;
        _any = true;
        if (_inQuad < 4) return;
        _inQuad = 0;
        if (Base64.DecodeFromUtf8(_quad, window.AsSpan(Filled), out _, out var written) != OperationStatus.Done) Fail();
        Filled += written;
    }

    private void Escaped(byte c)
    {
        if (_escape == 1)
        {
            (_escape, _codePoint) = (c == (byte)'u' ? 2 : 0, 0);
            if (c == (byte)'/') Character(c);
            else if (_escape == 0 && c is not ((byte)'n' or (byte)'r' or (byte)'t')) Fail();
            return;
        }
        if (!char.IsAsciiHexDigit((char)c)) Fail();
        else _codePoint = (_codePoint << 4) | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        _escape = _escape == 5 ? 0 : _escape + 1;
        if (_escape > 0 || Problem is not null) return;
        if (_codePoint < 0x80) Character((byte)_codePoint);
        else Fail();
    }

    private int Skip(ReadOnlySpan<byte> raw)
    {
        var stop = raw.IndexOfAny((byte)'"', (byte)'\\');
        if (stop < 0) return raw.Length;
        if (raw[stop] == (byte)'"') IsEnded = true;
        else _escape = 1;
        return stop + 1;
    }

    private void End()
    {
        IsEnded = true;
        if (_inQuad > 0 || !_any) Fail();
    }

    private void Fail() => Problem ??= "not base64 (RFC 4648, section 4)";
}
