using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text.Json;
using Nethereum.Contracts;
using PmrGateway.LedgerAdapter;
using PmrGateway.Tests.Scenarios;

namespace PmrGateway.Tools.Attacks;

/// <summary>A patient as the chain has them.</summary>
/// <param name="Id">Patient id.</param>
/// <param name="Key">The key on the chain.</param>
/// <param name="Controller">Whose word counts.</param>
internal sealed record ChainPatient(string Id, byte[] Key, EthereumAccount Controller);

/// <summary>The deployed contracts, spoken to past the gateway: as anybody with an account can.</summary>
internal sealed class Ledger(Attempt a)
{
    /// <summary>The chain id of the development chain.</summary>
    public const long ChainId = 1337;

    /// <summary>Somebody with an account and nothing else.</summary>
    public const string Stranger = "0x00000000000000000000000000000000000a77ac";

    private readonly ContractSet _contracts = new(a.Stage.Custody.Sender.Address);

    public byte[] ConsentsAddress => _contracts.Addresses[ContractSet.Consents];

    public string Consents => Hex(ConsentsAddress);

    public string Actors => Hex(_contracts.Addresses[ContractSet.Actors]);

    /// <summary>The gateway's own account, which deployed the contracts.</summary>
    public string Sender => Hex(a.Stage.Custody.Sender.Address);

    public ConsentIntents Intents => new(ChainId, ConsentsAddress);

    /// <summary>A new patient, as soon as the chain has them.</summary>
    public async Task<ChainPatient> NewPatientAsync()
    {
        var id = await a.Stage.NewPatientAsync();
        await UntilAsync(id, controller => controller is not null);
        var key = (string)(await Database.ScalarAsync(a, "SELECT patient_key FROM patients WHERE id = $id", ("$id", id)))!;
        return new ChainPatient(id, Convert.FromHexString(key), a.Stage.Custody.AccountOf(a.Stage.Hospital));
    }

    /// <summary>Hands a patient's record over to a wallet, and waits until the gateway has seen it.</summary>
    public async Task HandOverAsync(ChainPatient patient, Wallet wallet)
    {
        var controller = Convert.ToHexStringLower(wallet.Address);
        var intent = new HandOverIntent(patient.Key, "0x" + controller, ConsentIntents.NewNonce(), 4_000_000_000);
        var digest = Intents.Digest(intent);
        var given = patient.Controller.Sign(digest).ToBytes();
        await SendAsync(Stranger, ChainCommands.HandOver(patient.Id, intent, given, wallet.Sign(digest)).Data);
        await UntilAsync(patient.Id, now => now == controller);
    }

    /// <summary>A grant of no known terms.</summary>
    public static GrantIntent NewGrant(ChainPatient patient, BigInteger? deadline = null) => new(
        patient.Key, RandomNumberGenerator.GetBytes(32), 0, 4_000_000_000, ConsentIntents.NewNonce(), deadline ?? 4_000_000_000);

    public static byte[] GrantBySig(GrantIntent intent, byte[] signature) => ChainCommands.Grant("x", intent, signature).Data;

    public static byte[] RevokeBySig(RevokeIntent intent, byte[] signature) => ChainCommands.Revoke(intent, signature).Data;

    /// <summary>What the consent registry would say to a call; null: it would go through.</summary>
    public async Task<string?> ErrorOfAsync(string from, byte[] data)
    {
        try
        {
            await a.Stage.Chain.RpcAsync("eth_call", new { from, to = Consents, data = Hex(data) }, "latest");
            return null;
        }
        catch (InvalidOperationException e)
        {
            var json = JsonDocument.Parse(e.Message[(e.Message.IndexOf('{', StringComparison.Ordinal))..]).RootElement.GetProperty("error");
            var revert = json.TryGetProperty("data", out var bytes) && bytes.ValueKind == JsonValueKind.String ? bytes.GetString()! : "";
            return ContractErrors.Read(new RpcException("eth_call", 3, json.GetProperty("message").GetString()!, revert)).Error;
        }
    }

    /// <summary>Status of a grant: 0 none, 1 active, 2 revoked.</summary>
    public async Task<int> StatusAsync(byte[] patient, byte[] commitment)
    {
        var words = await ReadAsync(new GrantOfFunction(patient, commitment).GetCallData());
        return int.Parse(words[2..66], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }

    public async Task<bool> IsPermittedAsync(byte[] patient, byte[] commitment) =>
        (await ReadAsync(new IsPermittedFunction(patient, commitment).GetCallData())).EndsWith('1');

    /// <summary>Gas that a call takes.</summary>
    public async Task<long> GasAsync(string from, byte[] data) => Convert.ToInt64(
        (await a.Stage.Chain.RpcAsync("eth_estimateGas", new { from, to = Consents, data = Hex(data) })).GetString(), 16);

    /// <summary>Sends a transaction to the consent registry and has a block made.</summary>
    /// <returns>Whether it went through.</returns>
    public async Task<bool> SendAsync(string from, byte[] data)
    {
        var hash = await SubmitAsync(from, data);
        await a.Stage.Chain.MineAsync();
        return await WentThroughAsync(hash);
    }

    /// <summary>Sends a transaction that waits for a block.</summary>
    /// <param name="from">Who.</param>
    /// <param name="data">Call data.</param>
    /// <param name="tip">What it pays to come before others.</param>
    /// <param name="to">Whom it calls; null: the consent registry.</param>
    public async Task<string> SubmitAsync(string from, byte[] data, long tip = 0, string? to = null)
    {
        await a.Stage.Chain.RpcAsync("anvil_impersonateAccount", from);
        await a.Stage.Chain.RpcAsync("anvil_setBalance", from, "0xde0b6b3a7640000");
        var fee = "0x" + tip.ToString("x", CultureInfo.InvariantCulture);
        return (await a.Stage.Chain.RpcAsync("eth_sendTransaction", new
        {
            from,
            to = to ?? Consents,
            data = Hex(data),
            gas = "0x7a1200",
            maxFeePerGas = fee,
            maxPriorityFeePerGas = fee,
        })).GetString()!;
    }

    public async Task<bool> WentThroughAsync(string hash)
    {
        var receipt = await a.Stage.Chain.RpcAsync("eth_getTransactionReceipt", hash);
        return receipt.ValueKind == JsonValueKind.Object && receipt.GetProperty("status").GetString() == "0x1";
    }

    /// <summary>The calls to the consent registry that wait for a block.</summary>
    public async Task<List<byte[]>> WaitingAsync()
    {
        var pool = await a.Stage.Chain.RpcAsync("txpool_content");
        return
        [
            .. pool.GetProperty("pending").EnumerateObject().SelectMany(s => s.Value.EnumerateObject()).Select(t => t.Value)
                .Where(t => string.Equals(t.GetProperty("to").GetString(), Consents, StringComparison.OrdinalIgnoreCase))
                .Select(t => Convert.FromHexString(t.GetProperty("input").GetString()!.AsSpan(2))),
        ];
    }

    /// <summary>Stops the clock of the chain for as long as something is played.</summary>
    public async Task WithoutClockAsync(Func<Task> play)
    {
        await a.Stage.Chain.StopClockAsync();
        try
        {
            await play();
        }
        finally
        {
            await a.Stage.Chain.RpcAsync("evm_setIntervalMining", 1);
        }
    }

    public static string Hex(byte[] bytes) => "0x" + Convert.ToHexStringLower(bytes);

    private async Task<string> ReadAsync(byte[] data) =>
        (await a.Stage.Chain.RpcAsync("eth_call", new { to = Consents, data = Hex(data) }, "latest")).GetString()!;

    private async Task UntilAsync(string patient, Func<string?, bool> ready)
    {
        for (var i = 0; i < 200; i++)
        {
            if (ready(await Database.ScalarAsync(a, "SELECT controller FROM patients WHERE id = $id", ("$id", patient)) as string)) return;
            await a.Stage.Chain.MineAsync();
            await Task.Delay(100);
        }
        throw new InvalidOperationException($"the chain does not get Patient/{patient}");
    }
}
