using System.Buffers;

namespace PmrGateway.Ipfs;

/// <summary>Writes a CARv1: a DAG-CBOR header with the roots, then each block behind its length. Source: IPLD CARv1 specification.</summary>
internal static class CarWriter
{
    public static byte[] Write(IReadOnlyList<Cid> roots, IReadOnlyList<Block> blocks)
    {
        var header = new ArrayBufferWriter<byte>();
        // {"roots": [tag 42 (0x00 || cid), ...], "version": 1}
        header.Write<byte>([0xa2, 0x65, .. "roots"u8]);
        WriteCborHead(header, 0x80, roots.Count);
        foreach (var root in roots)
        {
            var cid = root.ToBytes();
            header.Write<byte>([0xd8, 42]);
            WriteCborHead(header, 0x40, cid.Length + 1);
            header.Write<byte>([0, .. cid]);
        }
        header.Write<byte>([0x67, .. "version"u8, 1]);

        var car = new ArrayBufferWriter<byte>();
        DagPb.WriteVarint(car, (ulong)header.WrittenCount);
        car.Write(header.WrittenSpan);
        foreach (var block in blocks)
        {
            var cid = block.Cid.ToBytes();
            DagPb.WriteVarint(car, (ulong)(cid.Length + block.Bytes.Length));
            car.Write(cid);
            car.Write(block.Bytes.Span);
        }
        return car.WrittenSpan.ToArray();
    }

    private static void WriteCborHead(ArrayBufferWriter<byte> to, byte major, int value)
    {
        if (value < 24) to.Write<byte>([(byte)(major | value)]);
        else if (value < 256) to.Write<byte>([(byte)(major | 24), (byte)value]);
        else to.Write<byte>([(byte)(major | 25), (byte)(value >> 8), (byte)value]);
    }
}
