using System.Buffers.Binary;

namespace PmrGateway.Mapping;

/// <summary>The last entry of the audit log at some moment: whoever knows its hash knows the whole log up to it.</summary>
/// <param name="Seq">Its number.</param>
/// <param name="Hash">Its hash, 32 bytes.</param>
public sealed record AuditHead(long Seq, byte[] Hash);

/// <summary>
/// A head of the audit log as a leaf of a batch. Salted, so that to who does not hold the salt it is as random as the padding beside it:
/// nobody learns how much was read. Source: docs/formats/anchor.md.
/// </summary>
/// <param name="Head">The head.</param>
/// <param name="Salt">32 random bytes.</param>
/// <param name="Place">Its place in the batch's tree.</param>
public sealed record AnchoredHead(AuditHead Head, byte[] Salt, int Place)
{
    /// <summary>
    /// keccak256(0x02 || Salt || Seq in 8 bytes, the highest first || Hash). Leaves of records begin with 0x00, nodes with 0x01.
    /// </summary>
    public byte[] Leaf
    {
        get
        {
            var seq = new byte[sizeof(long)];
            BinaryPrimitives.WriteInt64BigEndian(seq, Head.Seq);
            return Keccak256.Hash([2], Salt, seq, Head.Hash);
        }
    }
}
