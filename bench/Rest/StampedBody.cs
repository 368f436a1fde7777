using System.Buffers.Text;
using System.Text;

namespace PmrGateway.Bench.Rest;

/// <summary>A body in which each request puts a number of its own: no two are the same to a store that goes by contents.</summary>
internal sealed class StampedBody
{
    /// <summary>Stands where the number goes: sixteen digits, in plain JSON and at the start of base64 alike.</summary>
    public const string Mark = "7777777777777777";

    private static long _last = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() * 1000;
    private readonly byte[] _bytes;
    private readonly int[] _places;

    public StampedBody(string json)
    {
        _bytes = Encoding.UTF8.GetBytes(json);
        var places = new List<int>();
        var mark = Encoding.ASCII.GetBytes(Mark);
        for (var at = 0; _bytes.AsSpan(at).IndexOf(mark) is var found and >= 0; at += found + mark.Length) places.Add(at + found);
        _places = [.. places];
    }

    public int Length => _bytes.Length;

    public void CopyTo(Span<byte> target) => _bytes.CopyTo(target);

    /// <summary>Puts the next number into a copy.</summary>
    public void Stamp(Span<byte> copy)
    {
        Span<byte> digits = stackalloc byte[Mark.Length];
        Utf8Formatter.TryFormat(Interlocked.Increment(ref _last), digits, out _, new System.Buffers.StandardFormat('D', (byte)Mark.Length));
        foreach (var place in _places) digits.CopyTo(copy[place..]);
    }

    /// <summary>The JSON with a number of its own.</summary>
    public byte[] ToStampedBytes()
    {
        var copy = _bytes.ToArray();
        Stamp(copy);
        return copy;
    }
}
