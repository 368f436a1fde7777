using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>EIP-712 digests of consent intents: the bytes that a controller signs. Same as contracts/src/ConsentIntents.sol.</summary>
public sealed class ConsentIntents(long chainId, byte[] verifyingContract)
{
    private static readonly byte[] GrantType = Keccak256.Hash("Grant(bytes32 patient,bytes32 commitment,uint64 notBefore,uint64 notAfter,uint256 nonce,uint256 deadline)");
    private static readonly byte[] RevokeType = Keccak256.Hash("Revoke(bytes32 patient,bytes32 commitment,uint256 nonce,uint256 deadline)");

    /// <summary>The domain separator.</summary>
    public byte[] DomainSeparator { get; } = Keccak256.Hash([Abi.Encode(
        Keccak256.Hash("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
        Keccak256.Hash("PmrGateway Consent"),
        Keccak256.Hash("1"),
        new BigInteger(chainId),
        verifyingContract)]);

    /// <summary>Digest of a grant intent.</summary>
    public byte[] Digest(GrantIntent intent) => Digest([GrantType, .. intent.Words()]);

    /// <summary>Digest of a revoke intent.</summary>
    public byte[] Digest(RevokeIntent intent) => Digest([RevokeType, .. intent.Words()]);

    /// <summary>A nonce that no other intent of any signer has: 256 random bits.</summary>
    public static BigInteger NewNonce() => new(RandomNumberGenerator.GetBytes(32), isUnsigned: true, isBigEndian: true);

    /// <summary>The grant intent as EIP-712 typed data, for <c>eth_signTypedData_v4</c> of a wallet.</summary>
    public string TypedData(GrantIntent intent)
    {
        string Hex32(byte[] bytes) => Hex.Data(bytes);
        var json = new StringBuilder();
        json.Append("{\"types\":{\"EIP712Domain\":[{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"version\",\"type\":\"string\"},{\"name\":\"chainId\",\"type\":\"uint256\"},{\"name\":\"verifyingContract\",\"type\":\"address\"}],")
            .Append("\"Grant\":[{\"name\":\"patient\",\"type\":\"bytes32\"},{\"name\":\"commitment\",\"type\":\"bytes32\"},{\"name\":\"notBefore\",\"type\":\"uint64\"},{\"name\":\"notAfter\",\"type\":\"uint64\"},{\"name\":\"nonce\",\"type\":\"uint256\"},{\"name\":\"deadline\",\"type\":\"uint256\"}]},")
            .Append(System.Globalization.CultureInfo.InvariantCulture, $"\"primaryType\":\"Grant\",\"domain\":{{\"name\":\"PmrGateway Consent\",\"version\":\"1\",\"chainId\":{chainId},\"verifyingContract\":\"{Hex.Data(verifyingContract)}\"}},")
            .Append(System.Globalization.CultureInfo.InvariantCulture, $"\"message\":{{\"patient\":\"{Hex32(intent.Patient)}\",\"commitment\":\"{Hex32(intent.Commitment)}\",\"notBefore\":\"{intent.NotBefore}\",\"notAfter\":\"{intent.NotAfter}\",\"nonce\":\"{intent.Nonce}\",\"deadline\":\"{intent.Deadline}\"}}}}");
        return json.ToString();
    }

    private byte[] Digest(byte[][] words) => Keccak256.Hash([0x19, 0x01], DomainSeparator, Keccak256.Hash(words));
}
