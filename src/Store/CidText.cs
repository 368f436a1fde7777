namespace PmrGateway.Store;

/// <summary>
/// The digest inside a CIDv1 text. The store knows no IPFS (its arrows end at Mapping), and needs this one thing of a CID: RFC 4648
/// base32 without padding behind the multibase prefix 'b', whose last 32 bytes are the SHA-256 digest.
/// </summary>
internal static class CidText
{
    public static byte[] Digest(string cid)
    {
        var bytes = new byte[(cid.Length - 1) * 5 / 8];
        var (buffer, bits, at) = (0, 0, 0);
        for (var i = 1; i < cid.Length; i++)
        {
            var c = cid[i];
            buffer = (buffer << 5) | (c <= '9' ? c - '2' + 26 : c - 'a');
            bits += 5;
            if (bits < 8) continue;
            bits -= 8;
            bytes[at++] = (byte)(buffer >> bits);
            buffer &= (1 << bits) - 1;
        }
        return bytes[^32..];
    }
}
