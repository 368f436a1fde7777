namespace PmrGateway.Vault;

/// <summary>
/// Where the bytes of a plaintext lie in the segments of its sealed body: arithmetic, no keys (docs/formats/envelope.md, "Body").
/// </summary>
public static class BodyLayout
{
    /// <summary>Bytes of every sealed segment but the last: one leaf of an IPFS file.</summary>
    public const int SegmentSize = 1 << 20;

    internal const int HeaderSize = 1 + Primitives.KeySize + Primitives.PrefixSize;
    internal const int FirstText = SegmentSize - HeaderSize - Primitives.TagSize;
    internal const int NextText = SegmentSize - Primitives.TagSize;

    /// <summary>The number of segments of a plaintext; an empty one has one.</summary>
    public static long SegmentsOf(long plaintext) => plaintext <= FirstText ? 1 : 1 + ((plaintext - FirstText + NextText - 1) / NextText);

    /// <summary>The size of the sealed body of a plaintext.</summary>
    public static long SealedSize(long plaintext) => HeaderSize + plaintext + (SegmentsOf(plaintext) * Primitives.TagSize);

    /// <summary>The size of what a sealed body of this size opens to.</summary>
    /// <exception cref="SealBrokenException">No body has this size.</exception>
    public static long PlaintextSize(long sealedSize)
    {
        var segments = (sealedSize + SegmentSize - 1) / SegmentSize;
        var plaintext = sealedSize - HeaderSize - (segments * Primitives.TagSize);
        return plaintext >= 0 && SealedSize(plaintext) == sealedSize
            ? plaintext
            : throw new SealBrokenException("a sealed body is cut off in a header or a tag");
    }

    /// <summary>The segment that holds a byte of the plaintext.</summary>
    public static long SegmentAt(long offset) => offset < FirstText ? 0 : 1 + ((offset - FirstText) / NextText);

    /// <summary>The offset in the plaintext of a segment's first byte.</summary>
    public static long OffsetOf(long segment) => segment == 0 ? 0 : FirstText + ((segment - 1) * NextText);

    /// <summary>Where a segment's text begins in it.</summary>
    internal static int TextStart(long segment) => segment == 0 ? HeaderSize : 0;

    /// <summary>The bytes of text in a full segment.</summary>
    internal static int TextSize(long segment) => segment == 0 ? FirstText : NextText;
}
