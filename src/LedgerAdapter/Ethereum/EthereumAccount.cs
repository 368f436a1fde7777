using System.Numerics;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>A key that signs transactions and intents.</summary>
public sealed class EthereumAccount
{
    private readonly byte[] _privateKey;

    /// <summary>The account of a private key.</summary>
    /// <exception cref="ArgumentException">Not 32 bytes, zero, or not below the order.</exception>
    public EthereumAccount(byte[] privateKey)
    {
        if (privateKey.Length != 32) throw new ArgumentException("a private key has 32 bytes", nameof(privateKey));
        _privateKey = privateKey;
        Address = AddressOf(Secp256k1.PublicKey(privateKey));
    }

    /// <summary>The address, 20 bytes.</summary>
    public byte[] Address { get; }

    /// <summary>The address of a public key of 64 bytes.</summary>
    public static byte[] AddressOf(byte[] publicKey) => Keccak256.Hash([publicKey])[12..];

    /// <summary>The address of the contract that an account creates with a nonce (CREATE).</summary>
    public static byte[] ContractAddress(byte[] creator, long nonce) => Keccak256.Hash([Rlp.List(Rlp.Bytes(creator), Rlp.Number(nonce))])[12..];

    /// <summary>Signs a 32-byte digest.</summary>
    public RecoverableSignature Sign(byte[] digest) => Secp256k1.Sign(digest, _privateKey);

    /// <summary>Signs an EIP-1559 transaction and returns its bytes and its hash.</summary>
    /// <param name="chainId">EIP-155 chain id.</param>
    /// <param name="nonce">The account's nonce.</param>
    /// <param name="tip">maxPriorityFeePerGas, wei.</param>
    /// <param name="maxFee">maxFeePerGas, wei.</param>
    /// <param name="gas">Gas limit.</param>
    /// <param name="to">The contract called, or null to create one.</param>
    /// <param name="data">Call data or creation code.</param>
    public (byte[] Raw, string Hash) SignTransaction(long chainId, long nonce, BigInteger tip, BigInteger maxFee, long gas, byte[]? to, byte[] data)
    {
        byte[][] fields =
        [
            Rlp.Number(chainId), Rlp.Number(nonce), Rlp.Number(tip), Rlp.Number(maxFee), Rlp.Number(gas), Rlp.Bytes(to ?? []), Rlp.Number(0), Rlp.Bytes(data), Rlp.List(),
        ];
        var signature = Sign(Keccak256.Hash([2], Rlp.List(fields)));
        byte[][] signed =
        [
            .. fields,
            Rlp.Number(signature.RecoveryId),
            Rlp.Number(new BigInteger(signature.R, isUnsigned: true, isBigEndian: true)),
            Rlp.Number(new BigInteger(signature.S, isUnsigned: true, isBigEndian: true)),
        ];
        byte[] raw = [2, .. Rlp.List(signed)];
        return (raw, Convert.ToHexStringLower(Keccak256.Hash([raw])));
    }
}
