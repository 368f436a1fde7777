using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Nethereum.ABI.EIP712;

namespace PmrGateway.LedgerAdapter;

/// <summary>EIP-712 digests of consent intents: the bytes that a controller signs. Same as contracts/src/ConsentIntents.sol.</summary>
/// <param name="chainId">EIP-155 chain id.</param>
/// <param name="verifyingContract">Address of the consent registry.</param>
public sealed class ConsentIntents(long chainId, byte[] verifyingContract)
{
    /// <summary>The domain separator.</summary>
    public byte[] DomainSeparator => Eip712TypedDataEncoder.Current.HashDomainSeparator(DataOf<GrantIntent>("Grant"));

    /// <summary>Digest of a grant intent.</summary>
    public byte[] Digest(GrantIntent intent) => Eip712TypedDataEncoder.Current.EncodeAndHashTypedData(intent, DataOf<GrantIntent>("Grant"));

    /// <summary>Digest of a revoke intent.</summary>
    public byte[] Digest(RevokeIntent intent) =>
        Eip712TypedDataEncoder.Current.EncodeAndHashTypedData(intent, DataOf<RevokeIntent>("Revoke"));

    /// <summary>Digest of an intent to revoke all.</summary>
    public byte[] Digest(RevokeAllIntent intent) =>
        Eip712TypedDataEncoder.Current.EncodeAndHashTypedData(intent, DataOf<RevokeAllIntent>("RevokeAll"));

    /// <summary>Digest of a hand-over intent.</summary>
    public byte[] Digest(HandOverIntent intent) =>
        Eip712TypedDataEncoder.Current.EncodeAndHashTypedData(intent, DataOf<HandOverIntent>("HandOver"));

    /// <summary>A nonce that no other intent of any signer has: 256 random bits.</summary>
    public static BigInteger NewNonce() => new(RandomNumberGenerator.GetBytes(32), isUnsigned: true, isBigEndian: true);

    /// <summary>A grant intent as EIP-712 typed data, for <c>eth_signTypedData_v4</c> of a wallet.</summary>
    public string TypedData(GrantIntent intent) => Json(DataOf<GrantIntent>("Grant").ToJson(intent));

    /// <summary>A revoke intent as EIP-712 typed data, for <c>eth_signTypedData_v4</c> of a wallet.</summary>
    public string TypedData(RevokeIntent intent) => Json(DataOf<RevokeIntent>("Revoke").ToJson(intent));

    private TypedData<Domain> DataOf<TIntent>(string primaryType) => new()
    {
        Domain =
            new Domain
            {
                Name = "PmrGateway Consent",
                Version = "1",
                ChainId = chainId,
                VerifyingContract = EthereumAccount.Text(verifyingContract),
            },
        Types = MemberDescriptionFactory.GetTypesMemberDescription(typeof(Domain), typeof(TIntent)),
        PrimaryType = primaryType,
    };

    // Numbers as decimal text: a JSON number of a wallet's JavaScript holds 53 bits.
    private static string Json(string typedData)
    {
        var json = JsonNode.Parse(typedData)!;
        var message = json["message"]!.AsObject();
        foreach (var (name, value) in message.ToList())
            if (value!.GetValueKind() == JsonValueKind.Number) message[name] = value.ToJsonString();
        json["domain"]!["verifyingContract"] = ((string)json["domain"]!["verifyingContract"]!).ToLowerInvariant();
        return json.ToJsonString();
    }
}
