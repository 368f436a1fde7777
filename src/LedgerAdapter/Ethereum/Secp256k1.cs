using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Org.BouncyCastle.Asn1.Sec;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using BigInteger = Org.BouncyCastle.Math.BigInteger;
using ECAlgorithms = Org.BouncyCastle.Math.EC.ECAlgorithms;

namespace PmrGateway.LedgerAdapter;

/// <summary>An ECDSA signature over secp256k1 with its recovery id.</summary>
/// <param name="R">32 bytes.</param>
/// <param name="S">32 bytes, in the lower half of the order (EIP-2).</param>
/// <param name="RecoveryId">0 to 3.</param>
public sealed record RecoverableSignature(byte[] R, byte[] S, int RecoveryId)
{
    /// <summary>r || s || v with v = 27 + recovery id, the 65 bytes that contracts and wallets exchange.</summary>
    public byte[] ToBytes() => [.. R, .. S, (byte)(27 + RecoveryId)];
}

/// <summary>
/// secp256k1 with deterministic nonces (RFC 6979): libsecp256k1 where the machine has it, which is a hundred times faster and constant
/// in time, BouncyCastle elsewhere. Both give the same bytes.
/// </summary>
public static class Secp256k1
{
    /// <summary>Whether the native library serves.</summary>
    public static bool IsNative => NativeSecp256k1.IsAvailable;

    /// <summary>Signs a 32-byte digest.</summary>
    /// <exception cref="ArgumentException">The key is zero or not below the order.</exception>
    public static RecoverableSignature Sign(byte[] digest, byte[] privateKey) =>
        IsNative ? NativeSecp256k1.Sign(digest, privateKey) : ManagedSecp256k1.Sign(digest, privateKey);

    /// <summary>The public key, 64 bytes without prefix.</summary>
    public static byte[] PublicKey(byte[] privateKey) =>
        IsNative ? NativeSecp256k1.PublicKey(privateKey) : ManagedSecp256k1.PublicKey(privateKey);

    /// <summary>The public key that made a signature, 64 bytes, or null where none did.</summary>
    public static byte[]? Recover(byte[] digest, RecoverableSignature signature) =>
        IsNative ? NativeSecp256k1.Recover(digest, signature) : ManagedSecp256k1.Recover(digest, signature);
}

/// <summary>P/Invoke to libsecp256k1 with its recovery module.</summary>
internal static partial class NativeSecp256k1
{
    private const string Library = "secp256k1";
    private const uint Uncompressed = 2;
    private static readonly string[] Names = ["libsecp256k1.so.2", "libsecp256k1.so.1", "libsecp256k1.so.0", "libsecp256k1.so", "libsecp256k1.dylib"];
    private static readonly nint Context = Create();

    public static bool IsAvailable => Context != 0;

    public static RecoverableSignature Sign(byte[] digest, byte[] privateKey)
    {
        var (signature, compact) = (new byte[65], new byte[64]);
        if (secp256k1_ecdsa_sign_recoverable(Context, signature, digest, privateKey, 0, 0) != 1) throw new ArgumentException("not a private key of secp256k1");
        secp256k1_ecdsa_recoverable_signature_serialize_compact(Context, compact, out var recoveryId, signature);
        return new RecoverableSignature(compact[..32], compact[32..], recoveryId);
    }

    public static byte[] PublicKey(byte[] privateKey)
    {
        var key = new byte[64];
        if (secp256k1_ec_pubkey_create(Context, key, privateKey) != 1) throw new ArgumentException("not a private key of secp256k1");
        return Serialize(key);
    }

    public static byte[]? Recover(byte[] digest, RecoverableSignature signature)
    {
        var (parsed, key) = (new byte[65], new byte[64]);
        if (secp256k1_ecdsa_recoverable_signature_parse_compact(Context, parsed, [.. signature.R, .. signature.S], signature.RecoveryId) != 1) return null;
        return secp256k1_ecdsa_recover(Context, key, parsed, digest) == 1 ? Serialize(key) : null;
    }

    private static byte[] Serialize(byte[] key)
    {
        var bytes = new byte[65];
        nuint length = 65;
        secp256k1_ec_pubkey_serialize(Context, bytes, ref length, key, Uncompressed);
        return bytes[1..];
    }

    private static nint Create()
    {
        NativeLibrary.SetDllImportResolver(typeof(NativeSecp256k1).Assembly, (name, assembly, path) =>
            name == Library && Array.Exists(Names, n => NativeLibrary.TryLoad(n, assembly, path, out _))
                ? NativeLibrary.Load(Array.Find(Names, n => NativeLibrary.TryLoad(n, assembly, path, out _))!, assembly, path)
                : 0);
        try
        {
            var context = secp256k1_context_create(0x301);
            // Blinds the multiplication with a fresh seed, as the library asks every long-lived context to.
            _ = secp256k1_context_randomize(context, RandomNumberGenerator.GetBytes(32));
            return context;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return 0;
        }
    }

    [LibraryImport(Library)]
    private static partial nint secp256k1_context_create(uint flags);

    [LibraryImport(Library)]
    private static partial int secp256k1_context_randomize(nint context, byte[] seed);

    [LibraryImport(Library)]
    private static partial int secp256k1_ec_pubkey_create(nint context, byte[] key, byte[] privateKey);

    [LibraryImport(Library)]
    private static partial int secp256k1_ec_pubkey_serialize(nint context, byte[] output, ref nuint length, byte[] key, uint flags);

    [LibraryImport(Library)]
    private static partial int secp256k1_ecdsa_sign_recoverable(nint context, byte[] signature, byte[] digest, byte[] privateKey, nint nonceFunction, nint data);

    [LibraryImport(Library)]
    private static partial int secp256k1_ecdsa_recoverable_signature_serialize_compact(nint context, byte[] output, out int recoveryId, byte[] signature);

    [LibraryImport(Library)]
    private static partial int secp256k1_ecdsa_recoverable_signature_parse_compact(nint context, byte[] signature, byte[] input, int recoveryId);

    [LibraryImport(Library)]
    private static partial int secp256k1_ecdsa_recover(nint context, byte[] key, byte[] signature, byte[] digest);
}

/// <summary>The same with BouncyCastle: its signer, then the recovery id by trying the two points.</summary>
internal static class ManagedSecp256k1
{
    private static readonly Org.BouncyCastle.Asn1.X9.X9ECParameters Curve = SecNamedCurves.GetByName("secp256k1");
    private static readonly ECDomainParameters Domain = new(Curve.Curve, Curve.G, Curve.N, Curve.H);

    public static RecoverableSignature Sign(byte[] digest, byte[] privateKey)
    {
        var signer = new ECDsaSigner(new HMacDsaKCalculator(new Sha256Digest()));
        signer.Init(true, new ECPrivateKeyParameters(Scalar(privateKey), Domain));
        var rs = signer.GenerateSignature(digest);
        var s = rs[1].CompareTo(Curve.N.ShiftRight(1)) > 0 ? Curve.N.Subtract(rs[1]) : rs[1];
        var publicKey = PublicKey(privateKey);
        for (var id = 0; id < 4; id++)
        {
            var signature = new RecoverableSignature(Word(rs[0]), Word(s), id);
            if (Recover(digest, signature) is { } key && key.AsSpan().SequenceEqual(publicKey)) return signature;
        }
        throw new InvalidOperationException("a signature without a recovery id cannot be");
    }

    public static byte[] PublicKey(byte[] privateKey) => Curve.G.Multiply(Scalar(privateKey)).Normalize().GetEncoded(false)[1..];

    // SEC 1, section 4.1.6.
    public static byte[]? Recover(byte[] digest, RecoverableSignature signature)
    {
        var (r, s, e) = (new BigInteger(1, signature.R), new BigInteger(1, signature.S), new BigInteger(1, digest));
        if (r.SignValue == 0 || s.SignValue == 0 || r.CompareTo(Curve.N) >= 0 || s.CompareTo(Curve.N) >= 0) return null;
        var x = (signature.RecoveryId & 2) == 0 ? r : r.Add(Curve.N);
        if (x.CompareTo(Curve.Curve.Field.Characteristic) >= 0) return null;
        Org.BouncyCastle.Math.EC.ECPoint point;
        try
        {
            point = Curve.Curve.DecodePoint([(byte)(2 + (signature.RecoveryId & 1)), .. Word(x)]);
        }
        catch (ArgumentException)
        {
            return null;
        }
        var inverse = r.ModInverse(Curve.N);
        var key = ECAlgorithms.SumOfTwoMultiplies(Curve.G, inverse.Multiply(e.Negate()).Mod(Curve.N), point, inverse.Multiply(s).Mod(Curve.N)).Normalize();
        return key.IsInfinity ? null : key.GetEncoded(false)[1..];
    }

    private static BigInteger Scalar(byte[] privateKey)
    {
        var scalar = new BigInteger(1, privateKey);
        return scalar.SignValue > 0 && scalar.CompareTo(Curve.N) < 0 ? scalar : throw new ArgumentException("not a private key of secp256k1");
    }

    private static byte[] Word(BigInteger value)
    {
        var bytes = value.ToByteArrayUnsigned();
        return [.. new byte[32 - bytes.Length], .. bytes];
    }
}
