using System.Buffers.Binary;
using System.Security.Cryptography;

namespace PmrGateway.Tests.Scenarios.NonInterference;

/// <summary>The same rolls for the same seed, on every machine.</summary>
internal sealed class Dice(int seed)
{
    private int _rolls;

    /// <summary>A number below another.</summary>
    public int Next(int below)
    {
        Span<byte> place = stackalloc byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(place, seed);
        BinaryPrimitives.WriteInt32LittleEndian(place[4..], _rolls++);
        return (int)(BinaryPrimitives.ReadUInt32LittleEndian(SHA256.HashData(place)) % (uint)below);
    }

    /// <summary>A number from one to below another.</summary>
    public int Next(int from, int below) => from + Next(below - from);

    /// <summary>Whether so many of so many times it is so.</summary>
    public bool Chance(int of, int outOf) => Next(outOf) < of;

    /// <summary>One of these.</summary>
    public T Pick<T>(params T[] from) => from[Next(from.Length)];
}
