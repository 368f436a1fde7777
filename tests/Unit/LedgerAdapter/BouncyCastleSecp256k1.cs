using Org.BouncyCastle.Asn1.Sec;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using PmrGateway.LedgerAdapter;
using BigInteger = Org.BouncyCastle.Math.BigInteger;
using ECAlgorithms = Org.BouncyCastle.Math.EC.ECAlgorithms;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

/// <summary>
/// secp256k1 by BouncyCastle, against which the native library is held: its signer, then the recovery id by trying the points.
/// </summary>
internal static class BouncyCastleSecp256k1
{
    private static readonly Org.BouncyCastle.Asn1.X9.X9ECParameters Curve = SecNamedCurves.GetByName("secp256k1");
    private static readonly ECDomainParameters Domain = new(Curve.Curve, Curve.G, Curve.N, Curve.H);

    public static RecoverableSignature Sign(byte[] digest, byte[] privateKey)
    {
        var signer = new ECDsaSigner(new HMacDsaKCalculator(new Sha256Digest()));
        signer.Init(true, new ECPrivateKeyParameters(new BigInteger(1, privateKey), Domain));
        var rs = signer.GenerateSignature(digest);
        var s = rs[1].CompareTo(Curve.N.ShiftRight(1)) > 0 ? Curve.N.Subtract(rs[1]) : rs[1];
        var publicKey = PublicKey(privateKey);
        for (var id = 0; ; id++)
        {
            var signature = new RecoverableSignature(Word(rs[0]), Word(s), id);
            if (Recover(digest, signature).AsSpan().SequenceEqual(publicKey)) return signature;
        }
    }

    public static byte[] PublicKey(byte[] privateKey) => Curve.G.Multiply(new BigInteger(1, privateKey)).Normalize().GetEncoded(false)[1..];

    // SEC 1, section 4.1.6.
    public static byte[] Recover(byte[] digest, RecoverableSignature signature)
    {
        var (r, s, e) = (new BigInteger(1, signature.R), new BigInteger(1, signature.S), new BigInteger(1, digest));
        var x = (signature.RecoveryId & 2) == 0 ? r : r.Add(Curve.N);
        var point = Curve.Curve.DecodePoint([(byte)(2 + (signature.RecoveryId & 1)), .. Word(x)]);
        var inverse = r.ModInverse(Curve.N);
        return ECAlgorithms.SumOfTwoMultiplies(Curve.G, inverse.Multiply(e.Negate()).Mod(Curve.N), point, inverse.Multiply(s).Mod(Curve.N))
            .Normalize().GetEncoded(false)[1..];
    }

    private static byte[] Word(BigInteger value)
    {
        var bytes = value.ToByteArrayUnsigned();
        return [.. new byte[32 - bytes.Length], .. bytes];
    }
}
