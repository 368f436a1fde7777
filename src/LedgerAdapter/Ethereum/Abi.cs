using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// Contract ABI encoding for the types that our contracts use: static words, string, bytes, bytes32[], and structs of static words.
/// Source: Solidity ABI specification.
/// </summary>
public static class Abi
{
    /// <summary>A call: the selector of the signature, then the arguments.</summary>
    /// <param name="signature">E.g. <c>grant(bytes32,bytes32,uint64,uint64)</c>.</param>
    /// <param name="arguments">bytes32 and address as byte[], numbers, string, <see cref="Dynamic"/>, <see cref="StaticTuple"/>, lists of bytes32.</param>
    public static byte[] Call(string signature, params ReadOnlySpan<object> arguments) => [.. Keccak256.Hash(signature)[..4], .. Encode(arguments)];

    /// <summary>Arguments without a selector.</summary>
    public static byte[] Encode(params ReadOnlySpan<object> arguments)
    {
        using var head = new MemoryStream();
        using var tail = new MemoryStream();
        var headSize = 0;
        foreach (var argument in arguments) headSize += argument is StaticTuple tuple ? 32 * tuple.Words.Length : 32;
        foreach (var argument in arguments)
        {
            switch (argument)
            {
                case byte[] word:
                    head.Write(Word(word));
                    break;
                case StaticTuple tuple:
                    foreach (var word in tuple.Words) head.Write(Word(word));
                    break;
                case BigInteger number:
                    head.Write(Number(number));
                    break;
                case ulong number:
                    head.Write(Number(number));
                    break;
                case string text:
                    head.Write(Number(headSize + tail.Length));
                    WriteDynamic(tail, Encoding.UTF8.GetBytes(text));
                    break;
                case Dynamic dynamic:
                    head.Write(Number(headSize + tail.Length));
                    WriteDynamic(tail, dynamic.Bytes);
                    break;
                case IReadOnlyList<byte[]> array:
                    head.Write(Number(headSize + tail.Length));
                    tail.Write(Number(array.Count));
                    foreach (var word in array) tail.Write(Word(word));
                    break;
                default:
                    throw new ArgumentException($"no ABI type for {argument.GetType()}");
            }
        }
        return [.. head.ToArray(), .. tail.ToArray()];
    }

    /// <summary>A word of 32 bytes: 32 as they are; fewer (an address) padded on the left.</summary>
    public static byte[] Word(byte[] bytes) => bytes.Length == 32 ? bytes : [.. new byte[32 - bytes.Length], .. bytes];

    /// <summary>A number as a word.</summary>
    public static byte[] Number(BigInteger value) => Word(value.ToByteArray(isUnsigned: true, isBigEndian: true));

    /// <summary>Word <paramref name="index"/> of encoded data.</summary>
    public static byte[] WordAt(byte[] data, int index) => data[(32 * index)..(32 * index + 32)];

    /// <summary>Word <paramref name="index"/> as a number that fits 64 bits.</summary>
    public static ulong NumberAt(byte[] data, int index) => BinaryPrimitives.ReadUInt64BigEndian(WordAt(data, index).AsSpan(24));

    private static void WriteDynamic(MemoryStream to, byte[] bytes)
    {
        to.Write(Number(bytes.Length));
        to.Write(bytes);
        to.Write(new byte[(32 - bytes.Length % 32) % 32]);
    }
}

/// <summary>A struct of static fields.</summary>
/// <param name="Words">Its fields, each a word.</param>
public sealed record StaticTuple(byte[][] Words);

/// <summary>An argument of type <c>bytes</c>.</summary>
/// <param name="Bytes">The value.</param>
public sealed record Dynamic(byte[] Bytes);
