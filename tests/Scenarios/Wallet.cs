using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Tests.Scenarios;

/// <summary>
/// A patient's wallet as it meets the gateway: it knows EIP-712 and what the typed data says, and nothing of our intents.
/// </summary>
internal sealed class Wallet
{
    private readonly EthereumAccount _account = new(RandomNumberGenerator.GetBytes(32));

    public byte[] Address => _account.Address;

    public byte[] Sign(byte[] digest) => _account.Sign(digest).ToBytes();

    /// <summary>eth_signTypedData_v4 for structs without structs in them.</summary>
    public byte[] SignTypedData(string typedData)
    {
        var data = JsonDocument.Parse(typedData).RootElement;
        var types = data.GetProperty("types");
        return Sign(Keccak256.Hash(
            [0x19, 0x01],
            Struct(types, "EIP712Domain", data.GetProperty("domain")),
            Struct(types, data.GetProperty("primaryType").GetString()!, data.GetProperty("message"))));
    }

    private static byte[] Struct(JsonElement types, string name, JsonElement value)
    {
        var fields = types.GetProperty(name).EnumerateArray()
            .Select(f => (Name: f.GetProperty("name").GetString()!, Type: f.GetProperty("type").GetString()!)).ToList();
        var words = fields.Select(f => Word(f.Type, value.GetProperty(f.Name).ToString()));
        return Keccak256.Hash([Keccak256.Hash($"{name}({string.Join(',', fields.Select(f => $"{f.Type} {f.Name}"))})"), .. words]);
    }

    private static byte[] Word(string type, string value) => type switch
    {
        "string" => Keccak256.Hash(value),
        "bytes32" => Convert.FromHexString(value[2..]),
        "address" => [.. new byte[12], .. Convert.FromHexString(value[2..])],
        _ => Padded(BigInteger.Parse(value).ToByteArray(isUnsigned: true, isBigEndian: true)),
    };

    private static byte[] Padded(byte[] number) => [.. new byte[32 - number.Length], .. number];
}
