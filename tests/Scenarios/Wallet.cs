using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json;
using PmrGateway.Gateway.Ledger;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.Scenarios;

/// <summary>
/// A patient's wallet as it meets the gateway: it knows EIP-712 and what the typed data says, and nothing of our intents.
/// </summary>
internal sealed class Wallet
{
    private readonly EthereumAccount _account = new(RandomNumberGenerator.GetBytes(32));

    public byte[] Address => _account.Address;

    public byte[] Sign(byte[] digest) => _account.Sign(digest).ToBytes();

    /// <summary>
    /// Takes a patient's record over from the custody of the hospital, and waits until the gateway has seen it. The portal will do this;
    /// until then the two signatures are made here.
    /// </summary>
    /// <param name="services">The gateway's.</param>
    /// <param name="patient">The patient's id.</param>
    /// <param name="wait">Between two looks.</param>
    public async Task TakeOverAsync(IServiceProvider services, string patient, Func<Task> wait)
    {
        T Of<T>() => (T)services.GetService(typeof(T))!;
        var directory = Of<DirectoryStore>();
        async Task<RegisteredPatient> UntilAsync(Func<RegisteredPatient, bool> ready)
        {
            for (var i = 0; i < 300; i++)
            {
                if ((await directory.PatientAsync(patient, default))! is var now && ready(now)) return now;
                await wait();
            }
            throw new InvalidOperationException("the wallet does not get control of the record");
        }
        var row = await UntilAsync(p => p.Controller is not null);
        var controller = Convert.ToHexStringLower(Address);
        var intent = new HandOverIntent(Convert.FromHexString(row.PatientKey), "0x" + controller, ConsentIntents.NewNonce(), 4_000_000_000);
        var digest = Of<ConsentIntents>().Digest(intent);
        var given = Of<Custody>().AccountOf(row.Custodian).Sign(digest).ToBytes();
        await Of<ILedgerJournal>()
            .EnqueueAsync([ChainCommands.HandOver(patient, intent, given, Sign(digest))], default);
        await UntilAsync(p => p.Controller == controller);
    }

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
