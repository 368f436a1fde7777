using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>EIP-712 digests of consent intents: the bytes that a controller signs. Same as contracts/src/ConsentIntents.sol.</summary>
public sealed class ConsentIntents(long chainId, byte[] verifyingContract)
{
    private const string DomainName = "PmrGateway Consent";
    private const string DomainVersion = "1";
    private static readonly (string Type, string Name)[] DomainFields = [("string", "name"), ("string", "version"), ("uint256", "chainId"), ("address", "verifyingContract")];
    private static readonly (string Type, string Name)[] RevokeFields = [("bytes32", "patient"), ("bytes32", "commitment"), ("uint256", "nonce"), ("uint256", "deadline")];

    private static readonly (string Type, string Name)[] GrantFields =
        [("bytes32", "patient"), ("bytes32", "commitment"), ("uint64", "notBefore"), ("uint64", "notAfter"), ("uint256", "nonce"), ("uint256", "deadline")];

    private static readonly byte[] GrantType = TypeHash("Grant", GrantFields);
    private static readonly byte[] RevokeType = TypeHash("Revoke", RevokeFields);

    /// <summary>The domain separator.</summary>
    public byte[] DomainSeparator { get; } = Keccak256.Hash([Abi.Encode(
        TypeHash("EIP712Domain", DomainFields),
        Keccak256.Hash(DomainName),
        Keccak256.Hash(DomainVersion),
        new BigInteger(chainId),
        verifyingContract)]);

    /// <summary>Digest of a grant intent.</summary>
    public byte[] Digest(GrantIntent intent) => Digest([GrantType, .. intent.Words()]);

    /// <summary>Digest of a revoke intent.</summary>
    public byte[] Digest(RevokeIntent intent) => Digest([RevokeType, .. intent.Words()]);

    /// <summary>A nonce that no other intent of any signer has: 256 random bits.</summary>
    public static BigInteger NewNonce() => new(RandomNumberGenerator.GetBytes(32), isUnsigned: true, isBigEndian: true);

    /// <summary>A grant intent as EIP-712 typed data, for <c>eth_signTypedData_v4</c> of a wallet.</summary>
    public string TypedData(GrantIntent intent) => TypedData(
        "Grant", GrantFields, [Hex.Data(intent.Patient), Hex.Data(intent.Commitment), Text(intent.NotBefore), Text(intent.NotAfter), Text(intent.Nonce), Text(intent.Deadline)]);

    /// <summary>A revoke intent as EIP-712 typed data, for <c>eth_signTypedData_v4</c> of a wallet.</summary>
    public string TypedData(RevokeIntent intent) => TypedData(
        "Revoke", RevokeFields, [Hex.Data(intent.Patient), Hex.Data(intent.Commitment), Text(intent.Nonce), Text(intent.Deadline)]);

    private static string Text(BigInteger number) => number.ToString(CultureInfo.InvariantCulture);

    private static byte[] TypeHash(string name, (string Type, string Name)[] fields) => Keccak256.Hash($"{name}({string.Join(',', fields.Select(f => $"{f.Type} {f.Name}"))})");

    private static JsonArray Fields((string Type, string Name)[] fields) => [.. fields.Select(f => new JsonObject { ["name"] = f.Name, ["type"] = f.Type })];

    // Numbers as decimal text: a JSON number of a wallet's JavaScript holds 53 bits.
    private string TypedData(string type, (string Type, string Name)[] fields, string[] values) => new JsonObject
    {
        ["types"] = new JsonObject { ["EIP712Domain"] = Fields(DomainFields), [type] = Fields(fields) },
        ["primaryType"] = type,
        ["domain"] = new JsonObject { ["name"] = DomainName, ["version"] = DomainVersion, ["chainId"] = chainId, ["verifyingContract"] = Hex.Data(verifyingContract) },
        ["message"] = new JsonObject(fields.Zip(values, (field, value) => KeyValuePair.Create(field.Name, (JsonNode?)value))),
    }.ToJsonString();

    private byte[] Digest(byte[][] words) => Keccak256.Hash([0x19, 0x01], DomainSeparator, Keccak256.Hash(words));
}
