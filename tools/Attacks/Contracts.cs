using System.Diagnostics;
using System.Globalization;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Attacks;

/// <summary>The order of transactions, the clock of blocks, the power of the owner, and events that are nobody's.</summary>
internal static class Contracts
{
    [Plays("AT-084")]
    public static async Task Somebody_who_is_first_with_our_call(Attempt a)
    {
        var ledger = new Ledger(a);
        var patient = await ledger.NewPatientAsync();
        await ledger.WithoutClockAsync(async () =>
        {
            var permit = ConsentText.Permit("Patient/" + patient.Id, a.Stage.InsurerOrganization);
            var consent = (await a.Stage.Ehr.PostAsync("Consent", permit)).Id;
            var grant = await FirstAsync("a grant");
            await a.Stage.SettleAsync(a.Stage.Ehr, consent);
            a.Status(await a.Stage.Insurer.GetAsync($"Patient/{patient.Id}"), "a read after the grant that another sent", 200);
            a.Status(await a.Stage.Ehr.DeleteAsync($"Consent/{consent}"), "its end", 204);
            a.Status(await a.Stage.Insurer.GetAsync($"Patient/{patient.Id}"), "a read after it", 404);
            await FirstAsync("a revocation");
            var commitment = grant.AsSpan(4 + 32, 32).ToArray();
            for (var i = 0; i < 50 && await ledger.StatusAsync(patient.Key, commitment) != 2; i++)
            {
                await a.Stage.Chain.MineAsync();
                await Task.Delay(100);
            }
            var status = await ledger.StatusAsync(patient.Key, commitment);
            a.Check(status == 2, "a revocation that another sent first", "revoked on the chain", $"status {status}");
        });
        a.Check(await a.Stage.IsWellAsync(), "calls that another sent first", "a gateway that is well", "it is not");

        // The gateway's call is copied from the pool, and comes into the block before it.
        async Task<byte[]> FirstAsync(string sent)
        {
            List<byte[]> waiting = [];
            for (var i = 0; i < 100 && waiting.Count == 0; i++)
            {
                await Task.Delay(100);
                waiting = await ledger.WaitingAsync();
            }
            if (waiting.Count == 0) throw new InvalidOperationException($"{sent} does not come to the pool");
            var hash = await ledger.SubmitAsync(Ledger.Stranger, waiting[0], tip: 1_000_000_000);
            await a.Stage.Chain.MineAsync();
            a.Check(await ledger.WentThroughAsync(hash), $"{sent}, copied and sent first", "its effect", "reverted");
            return waiting[0];
        }
    }

    [Plays("AT-085")]
    public static async Task A_grant_and_its_end_in_one_block(Attempt a)
    {
        var ledger = new Ledger(a);
        foreach (var endsLast in new[] { true, false })
        {
            var patient = await ledger.NewPatientAsync();
            var controller = Ledger.Hex(patient.Controller.Address);
            var permit = ConsentText.Permit("Patient/" + patient.Id, a.Stage.InsurerOrganization);
            await ledger.WithoutClockAsync(async () =>
            {
                var consent = (await a.Stage.Ehr.PostAsync("Consent", permit)).Id;
                for (var i = 0; i < 100 && (await ledger.WaitingAsync()).Count == 0; i++) await Task.Delay(100);
                // The end of all grants, before or behind the gateway's own grant in the very block.
                var sent = endsLast ? "a grant and the end of all" : "the end of all and a grant";
                var pool = await ledger.WaitingAsync();
                a.Check(pool.Count > 0, sent, "a grant in the pool", "none");
                var end = await ledger.SubmitAsync(controller, new RevokeAllFunction(patient.Key).Data(), endsLast ? 0 : 1_000_000_000);
                await a.Stage.Chain.MineAsync();
                a.Check(await ledger.WentThroughAsync(end), sent, "both taken", "the end is reverted");
                var commitment = pool[0].AsSpan(4 + 32, 32).ToArray();
                var stands = await ledger.IsPermittedAsync(patient.Key, commitment);
                a.Check(stands != endsLast, sent, endsLast ? "no grant on the chain" : "a grant on the chain", stands ? "one" : "none");
                await GatewayClient.UntilAsync(
                    () => a.Stage.Ehr.GetAsync($"Consent/{consent}/$ledger-status"),
                    x => !x.Text.Contains("pending", StringComparison.Ordinal) && !x.Text.Contains("submitted", StringComparison.Ordinal),
                    5);
                var read = await a.Stage.Chain.UntilAsync(
                    () => a.Stage.Insurer.GetAsync($"Patient/{patient.Id}"), x => x.Status == (endsLast ? 404 : 200), 10);
                await Task.Delay(500);
                read = await a.Stage.Insurer.GetAsync($"Patient/{patient.Id}");
                a.Status(read, $"a read after {sent} in one block", endsLast ? 404 : 200);
            });
        }
    }

    [Plays("AT-087")]
    public static Task A_wallet_that_calls_back(Attempt a) => ForgeAsync(a, "test_contractWallet_cannotReenter");

    [Plays("AT-088")]
    public static async Task A_clock_of_blocks_that_runs_ahead(Attempt a)
    {
        var ledger = new Ledger(a);
        var patient = await ledger.NewPatientAsync();
        var now = TimeProvider.System.GetUtcNow();
        string Until(DateTimeOffset end) =>
            $",\"period\":{{\"start\":\"2026-01-01\",\"end\":\"{end.UtcDateTime.ToString("s", CultureInfo.InvariantCulture)}Z\"}}";
        async Task<Answer> ReadUntilAsync(int status) =>
            await GatewayClient.UntilAsync(() => a.Stage.Insurer.GetAsync($"Patient/{patient.Id}"), x => x.Status == status, 8);
        var permit = ConsentText.Permit("Patient/" + patient.Id, a.Stage.InsurerOrganization, more: Until(now.AddHours(1)));
        var consent = (await a.Stage.Ehr.PostAsync("Consent", permit)).Id;
        await a.Stage.SettleAsync(a.Stage.Ehr, consent);
        a.Status(await ReadUntilAsync(200), "a read in the period", 200);
        // A proposer who is 12 s off changes nothing.
        var block = await a.Stage.Chain.RpcAsync("eth_getBlockByNumber", "latest", false);
        var time = Convert.ToInt64(block.GetProperty("timestamp").GetString(), 16);
        await a.Stage.Chain.RpcAsync("evm_setNextBlockTimestamp", time + 12);
        await a.Stage.Chain.MineAsync();
        a.Status(await ReadUntilAsync(200), "a read with the chain 12 s ahead", 200);
        // What the gateway's clock says is over is over, whatever the chain's does not say yet; it is the chain's turn below.
        var shortly = ConsentText.Permit(
            "Patient/" + (await a.Stage.NewPatientAsync()), a.Stage.InsurerOrganization, more: Until(now.AddSeconds(-5)));
        a.Status(await a.Stage.Ehr.PostAsync("Consent", shortly), "a consent that is over", 201, 422);
        a.Stage.Spoil();
        await a.Stage.Chain.RpcAsync("evm_setNextBlockTimestamp", time + 7200);
        await a.Stage.Chain.MineAsync();
        a.Status(await ReadUntilAsync(404), "a read where the chain's clock is past the end of the period", 404);
    }

    [Plays("AT-089")]
    public static async Task The_key_of_the_owner(Attempt a)
    {
        var ledger = new Ledger(a);
        var patient = await ledger.NewPatientAsync();
        var commitment = Ledger.NewGrant(patient).Commitment;
        foreach (var (sent, data) in new[]
        {
            ("grant() by the owner", new GrantFunction(patient.Key, commitment, 0, 4_000_000_000).Data()),
            ("revokeAll() by the owner", new RevokeAllFunction(patient.Key).Data()),
        })
        {
            var error = await ledger.ErrorOfAsync(ledger.Sender, data);
            a.Check(error == "NotController", sent, "NotController", error ?? "taken");
        }
        var taken = await ledger.ErrorOfAsync(
            ledger.Sender, new RegisterPatientFunction(patient.Key, ledger.Sender, new byte[32]).Data());
        a.Check(taken == "PatientExists", "a second registration of a patient by the owner", "PatientExists", taken ?? "taken");
        foreach (var call in new[] { "pause()", "upgradeTo(address)", "upgradeToAndCall(address,bytes)", "transferOwnership(address)" })
        {
            byte[] data = [.. Keccak256.Hash(call)[..4], .. new byte[64]];
            a.Check(await ledger.ErrorOfAsync(ledger.Sender, data) is not null, $"{call} by the owner", "no such function", "taken");
        }
        // No proxy: the slots of ERC-1967 are empty, and the code calls nobody else's code in its own name.
        foreach (var slot in new[]
        {
            "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc",
            "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103",
        })
        {
            var stored = (await a.Stage.Chain.RpcAsync("eth_getStorageAt", ledger.Consents, slot, "latest")).GetString()!;
            a.Check(stored.Trim('0', 'x').Length == 0, "a proxy's slot", "empty", stored);
        }
        var code = Convert.FromHexString((await a.Stage.Chain.RpcAsync("eth_getCode", ledger.Consents, "latest")).GetString()!.AsSpan(2));
        a.Check(!Opcodes(code).Contains((byte)0xf4), "the code of the registry", "no DELEGATECALL", "one");
        // The role of the owner is not moved in one step to nobody: to give it leaves it, and to leave it takes the leaver's own word.
        byte[] Word(string address) => [.. new byte[12], .. Convert.FromHexString(address[2..])];
        byte[] renounce = [.. Keccak256.Hash("renounceRole(bytes32,address)")[..4], .. new byte[32], .. Word(Ledger.Stranger)];
        a.Check(await ledger.ErrorOfAsync(ledger.Sender, renounce) is not null, "renounceRole() with another's name", "reverted", "taken");
        byte[] give = [.. Keccak256.Hash("grantRole(bytes32,address)")[..4], .. new byte[32], .. Word(Ledger.Stranger)];
        a.Check(await ledger.ErrorOfAsync(Ledger.Stranger, give) is not null, "grantRole() by a stranger", "reverted", "taken");
    }

    [Plays("AT-090")]
    public static async Task Ten_thousand_grants(Attempt a)
    {
        const int Many = 10_000;
        var ledger = new Ledger(a);
        var patient = await ledger.NewPatientAsync();
        var controller = Ledger.Hex(patient.Controller.Address);
        async Task<(long Check, long End, long Grant)> GasAsync(byte[] commitment) => (
            await ledger.GasAsync(controller, new IsPermittedFunction(patient.Key, commitment).Data()),
            await ledger.GasAsync(controller, new RevokeAllFunction(patient.Key).Data()),
            await ledger.GasAsync(controller, new GrantFunction(patient.Key, Ledger.NewGrant(patient).Commitment, 0,
                4_000_000_000).Data()));
        var first = Ledger.NewGrant(patient).Commitment;
        a.Check(
            await ledger.SendAsync(controller, new GrantFunction(patient.Key, first, 0, 4_000_000_000).Data()), "a grant", "taken",
                "reverted");
        var before = await GasAsync(first);
        await a.Stage.Chain.RpcAsync("anvil_impersonateAccount", controller);
        for (var sent = 0; sent < Many; sent += 500)
        {
            var next = Convert.ToInt64((await a.Stage.Chain.RpcAsync("eth_getTransactionCount", controller, "latest")).GetString(), 16);
            var calls = Enumerable.Range(0, 500).Select(i => new
            {
                from = controller,
                nonce = "0x" + (next + i).ToString("x", CultureInfo.InvariantCulture),
                to = ledger.Consents,
                gas = "0x30d40",
                data = Ledger.Hex(new GrantFunction(patient.Key, Ledger.NewGrant(patient).Commitment, 0, 4_000_000_000).Data()),
                maxFeePerGas = "0x0",
                maxPriorityFeePerGas = "0x0",
            });
            await a.Stage.Chain.BatchAsync("eth_sendTransaction", calls);
            await a.Stage.Chain.MineAsync();
        }
        var after = await GasAsync(first);
        foreach (var (sent, less, more) in new[]
        {
            ("a check", before.Check, after.Check), ("the end of all", before.End, after.End), ("a grant", before.Grant, after.Grant),
        })
            a.Check(more <= less + 5_000 && more < 100_000, $"{sent} after {Many} grants", $"gas as before ({less})", $"{more}");
        a.Check(await ledger.SendAsync(controller, new RevokeAllFunction(patient.Key).Data()), "the end of all", "taken", "reverted");
        a.Check(!await ledger.IsPermittedAsync(patient.Key, first), "the end of all", "no standing grant", "it stands");
        // Each is held against the contract before it counts: for as long as that takes nobody reads, and it ends.
        var later = await a.Stage.NewPatientAsync();
        await GatewayClient.UntilAsync(() => a.Stage.Ehr.GetAsync($"Patient/{later}/$anchor-proof"), x => x.Text.Contains("\"block\"",
            StringComparison.Ordinal), 90);
        var well = await GatewayClient.UntilAsync(() => a.Stage.Ehr.GetAsync($"Patient/{later}"), x => x.Status == 200, 60);
        a.Status(well, $"a read after {Many} foreign grants", 200);
    }

    [Plays("AT-091")]
    public static async Task Events_of_another_contract(Attempt a)
    {
        var ledger = new Ledger(a);
        var logger = await EmitterAsync(a);
        foreach (var takesOver in new[] { false, true })
        {
            var patient = await ledger.NewPatientAsync();
            await ledger.WithoutClockAsync(async () =>
            {
                var permit = ConsentText.Permit("Patient/" + patient.Id, a.Stage.InsurerOrganization);
                await a.Stage.Ehr.PostAsync("Consent", permit);
                for (var i = 0; i < 100 && (await ledger.WaitingAsync()).Count == 0; i++) await Task.Delay(100);
                var grant = (await ledger.WaitingAsync())[0];
                // The gateway's own grant is lost; what comes instead only looks like it.
                await a.Stage.Chain.RpcAsync("anvil_dropAllTransactions");
                if (takesOver)
                {
                    a.Stage.Spoil();
                    var code = await a.Stage.Chain.RpcAsync("eth_getCode", logger, "latest");
                    await a.Stage.Chain.RpcAsync("anvil_setCode", ledger.Consents, code.GetString()!);
                }
                byte[] log =
                [
                    .. Keccak256.Hash("ConsentGranted(bytes32,bytes32,uint64,uint64,uint64)"), .. patient.Key, .. grant.AsSpan(4 + 32, 32),
                    .. grant.AsSpan(4 + 64, 64), .. new byte[32],
                ];
                await ledger.SubmitAsync(Ledger.Stranger, log, to: takesOver ? ledger.Consents : logger);
                await a.Stage.Chain.MineAsync();
                await Task.Delay(1000);
                var sent = takesOver ? "a grant's event by other code at our address" : "a grant's event by another contract";
                var read = await a.Stage.Insurer.GetAsync($"Patient/{patient.Id}");
                a.Check(read.Status is 404 or 503, $"a read after {sent}", "404 or 503", read);
            });
        }
    }

    /// <summary>Runs a test of the contracts by its name; one that does not run has failed.</summary>
    private static async Task ForgeAsync(Attempt a, string test)
    {
        var contracts = ContractsFolder();
        var start = new ProcessStartInfo(Path.Combine(contracts, "node_modules", ".bin", "forge"))
        {
            WorkingDirectory = contracts,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in new[] { "test", "--match-test", $"^{test}\\(" }) start.ArgumentList.Add(argument);
        using var forge = Process.Start(start)!;
        var (output, errors) = (forge.StandardOutput.ReadToEndAsync(), forge.StandardError.ReadToEndAsync());
        await forge.WaitForExitAsync();
        var said = await output + await errors;
        var passed = forge.ExitCode == 0 && said.Contains($"[PASS] {test}(", StringComparison.Ordinal);
        a.Check(passed, $"forge test {test}", "passed", said.Length > 300 ? said[^300..] : said);
    }

    private static string ContractsFolder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "contracts", "foundry.toml"))) return Path.Combine(folder.FullName, "contracts");
        throw new InvalidOperationException("the folder contracts is not above this program");
    }

    // Emits whatever it is called with: three topics, then data.
    private static async Task<string> EmitterAsync(Attempt a)
    {
        const string Runtime = "366000600037604051602051600051606036036060a300";
        var creation = $"0x60{Runtime.Length / 2:x2}80600b6000396000f3{Runtime}";
        await a.Stage.Chain.RpcAsync("anvil_impersonateAccount", Ledger.Stranger);
        var hash = (await a.Stage.Chain.RpcAsync("eth_sendTransaction", new
        {
            from = Ledger.Stranger,
            data = creation,
            gas = "0x7a1200",
            maxFeePerGas = "0x0",
            maxPriorityFeePerGas = "0x0",
        })).GetString()!;
        await a.Stage.Chain.MineAsync();
        return (await a.Stage.Chain.RpcAsync("eth_getTransactionReceipt", hash)).GetProperty("contractAddress").GetString()!;
    }

    // The operations of a code, without what PUSH pushes.
    private static IEnumerable<byte> Opcodes(byte[] code)
    {
        for (var i = 0; i < code.Length; i++)
        {
            // What stands behind INVALID is data.
            if (code[i] == 0xfe) yield break;
            yield return code[i];
            if (code[i] is >= 0x60 and <= 0x7f) i += code[i] - 0x5f;
        }
    }
}
