using System.Numerics;
using Nethereum.Model;
using Nethereum.Util;
using PmrGateway.Mapping;
using Secp256k1 = Secp256k1Net.Secp256k1;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// A key that signs transactions and intents. Nethereum makes the transactions; the signatures come from libsecp256k1, ten times as
/// fast as Nethereum's signer and constant in time, with deterministic nonces (RFC 6979).
/// </summary>
public sealed class EthereumAccount
{
    private readonly byte[] _privateKey;

    /// <summary>The account of a private key.</summary>
    /// <exception cref="ArgumentException">Not 32 bytes, zero, or not below the order.</exception>
    public EthereumAccount(byte[] privateKey)
    {
        if (privateKey.Length != 32 || !Secp256k1.IsValidSecretKey(privateKey)) throw new ArgumentException(
            "not a private key of secp256k1", nameof(privateKey));
        _privateKey = privateKey;
        Address = AddressOf(Secp256k1.CreatePublicKey(privateKey, compressed: false));
    }

    /// <summary>The address, 20 bytes.</summary>
    public byte[] Address { get; }

    /// <summary>The address of who signed a digest; null where the signature is nobody's.</summary>
    public static byte[]? Recover(byte[] digest, RecoverableSignature signature)
    {
        try
        {
            return AddressOf(
                Secp256k1.RecoverPublicKey([.. signature.R, .. signature.S], (byte)signature.RecoveryId, digest, compressed: false));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The library has no common exception for "not a signature".
            return null;
        }
    }

    /// <summary>The address of the contract that an account creates with a nonce (CREATE).</summary>
    public static byte[] ContractAddress(byte[] creator, long nonce) =>
        Convert.FromHexString(ContractUtils.CalculateContractAddress(Text(creator), nonce).AsSpan(2));

    /// <summary>Signs a 32-byte digest.</summary>
    public RecoverableSignature Sign(byte[] digest)
    {
        var (signature, recoveryId) = Secp256k1.SignRecoverable(digest, _privateKey);
        return new RecoverableSignature(signature[..32], signature[32..], recoveryId);
    }

    /// <summary>Signs an EIP-1559 transaction and returns its bytes and its hash.</summary>
    /// <param name="chainId">EIP-155 chain id.</param>
    /// <param name="nonce">The account's nonce.</param>
    /// <param name="tip">maxPriorityFeePerGas, wei.</param>
    /// <param name="maxFee">maxFeePerGas, wei.</param>
    /// <param name="gas">Gas limit.</param>
    /// <param name="to">Who is called, or null to create a contract.</param>
    /// <param name="data">Call data or creation code.</param>
    internal (byte[] Raw, string Hash) SignTransaction(
        long chainId, long nonce, BigInteger tip, BigInteger maxFee, long gas, byte[]? to, byte[] data)
    {
        var transaction = new Transaction1559(chainId, nonce, tip, maxFee, gas, to is null ? null : Text(to), 0, Text(data), []);
        var signature = Sign(transaction.RawHash);
        transaction.SetSignature(new Signature(signature.R, signature.S, [(byte)signature.RecoveryId]));
        var raw = transaction.GetRLPEncoded();
        return (raw, Convert.ToHexStringLower(Keccak256.Hash([raw])));
    }

    internal static string Text(byte[] bytes) => "0x" + Convert.ToHexStringLower(bytes);

    private static byte[] AddressOf(byte[] publicKey) => Keccak256.Hash([publicKey[1..]])[12..];
}
