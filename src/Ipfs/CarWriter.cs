using System.Formats.Cbor;

namespace PmrGateway.Ipfs;

/// <summary>
/// The parts of a CARv1: a DAG-CBOR header with the roots, then each block behind its length. Source: IPLD CARv1 specification.
/// </summary>
internal static class CarWriter
{
    /// <summary>DAG-CBOR's tag for a CID.</summary>
    private const CborTag CidTag = (CborTag)42;

    /// <summary>What stands before the blocks.</summary>
    public static byte[] Header(IReadOnlyList<Cid> roots)
    {
        var cbor = new CborWriter(CborConformanceMode.Canonical);
        cbor.WriteStartMap(2);
        cbor.WriteTextString("roots");
        cbor.WriteStartArray(roots.Count);
        Span<byte> cid = stackalloc byte[1 + Cid.Size];
        foreach (var root in roots)
        {
            // The identity multibase, 0x00, stands before a CID in CBOR.
            cid[0] = 0;
            root.WriteTo(cid[1..]);
            cbor.WriteTag(CidTag);
            cbor.WriteByteString(cid);
        }
        cbor.WriteEndArray();
        cbor.WriteTextString("version");
        cbor.WriteInt32(1);
        cbor.WriteEndMap();
        var header = cbor.Encode();
        return [.. Varint((ulong)header.Length), .. header];
    }

    /// <summary>What stands before a block's bytes: its length and its CID.</summary>
    public static byte[] BlockHead(Block block) => [.. Varint((ulong)(Cid.Size + block.Bytes.Length)), .. block.Cid.ToBytes()];

    private static byte[] Varint(ulong value)
    {
        var bytes = new System.Buffers.ArrayBufferWriter<byte>(10);
        DagPb.WriteVarint(bytes, value);
        return bytes.WrittenSpan.ToArray();
    }
}
