using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using PmrGateway.Tests.Client;
using PmrGateway.Vault;

namespace PmrGateway.Tools.Attacks;

/// <summary>Keys, what is stored, and what is written down of it.</summary>
internal static class Storage
{
    [Plays("AT-098")]
    public static Task A_key_that_is_known_to_others(Attempt a) => throw new NotApplicableException(
        "there is no command that marks a key compromised: it comes with the issue of key rotation");

    [Plays("AT-101")]
    public static Task An_erasure_before_its_time(Attempt a) => throw new NotApplicableException(
        "there is no order of erasure to give: it comes with the issue of erasure");

    [Plays("AT-103")]
    public static async Task Secrets_in_what_lies_about(Attempt a)
    {
        const string Family = "Quagga-Family";
        const string Body = "Okapi-Content-of-a-document";
        var patient = await a.Stage.NewPatientAsync(Family);
        await a.Stage.NewDocumentAsync(patient, Convert.ToBase64String(Encoding.ASCII.GetBytes(Body)));
        await a.Stage.Ehr.GetAsync($"Patient/{patient}");
        await a.Stage.Ehr.GetAsync($"Patient/{patient}/$everything");
        var master = Convert.FromBase64String(System.Text.Json.JsonDocument.Parse(
            await File.ReadAllTextAsync(Path.Combine(a.Stage.DataFolder,
                "keyring.json"))).RootElement.GetProperty("masterKey").GetString()!);
        var sender = a.Stage.Keyring.Derive("ledger sender");
        string[] secrets =
        [
            Family, Body, Convert.ToBase64String(Encoding.ASCII.GetBytes(Body))[..24], a.Stage.Ehr.Token!, a.Stage.Operator.Token!,
            Convert.ToBase64String(master), Convert.ToHexStringLower(master), Convert.ToHexStringLower(sender),
            Convert.ToBase64String(sender),
            "PRIVATE KEY-----", Registrar.Password,
        ];
        void Clean(string where, string text)
        {
            foreach (var secret in secrets)
                a.Check(!text.Contains(secret, StringComparison.OrdinalIgnoreCase), where, "no secret", "one that begins " + secret[..6]);
        }
        Clean("the log", a.Stage.Said);
        // Files but those that are the keys: as bytes, since whoever takes a file looks at bytes.
        foreach (var file in Directory.EnumerateFiles(a.Stage.DataFolder, "*", SearchOption.AllDirectories))
        {
            if (Path.GetFileName(file) is "keyring.json" or "operator.jwk" or "gateway.lock") continue;
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            var text = await reader.ReadToEndAsync();
            Clean(Path.GetFileName(file), text);
            foreach (var raw in new[] { master, sender })
                a.Check(!text.Contains(Encoding.Latin1.GetString(raw), StringComparison.Ordinal), Path.GetFileName(file), "no key", "one");
        }
        foreach (var file in new[] { "keyring.json", "operator.jwk" })
        {
            var mode = File.GetUnixFileMode(Path.Combine(a.Stage.DataFolder, file));
            a.Check(mode == (UnixFileMode.UserRead | UnixFileMode.UserWrite), file, "mode 0600", $"{mode}");
        }
        var anvil = (await File.ReadAllTextAsync(Path.Combine(a.Stage.DataFolder, "chain", "anvil.pid"))).Trim();
        foreach (var process in new[] { anvil, $"{a.Stage.ProcessId}" })
        {
            foreach (var what in new[] { "environ", "cmdline" })
                Clean($"{what} of a process", await File.ReadAllTextAsync($"/proc/{process}/{what}", Encoding.Latin1));
            // Nobody dumps what holds the keys by a crash.
            var limits = await File.ReadAllTextAsync($"/proc/{process}/limits");
            var core = limits.Split('\n').Single(l => l.StartsWith("Max core file size", StringComparison.Ordinal));
            if (process == anvil) continue;
            a.Check(core.Split(' ', StringSplitOptions.RemoveEmptyEntries)[4] == "0", "the gateway's core dump", "a limit of 0", core);
        }
        var history = await GitAsync("log", "--all", "--format=%h", "-S", "-----BEGIN " + "PRIVATE KEY");
        a.Check(history.Trim().Length == 0, "the history of the source", "no private key", history);
        var keyrings = await GitAsync("log", "--all", "--format=%h", "--", "keyring.json", "*/keyring.json", "operator.jwk",
            "*/operator.jwk");
        a.Check(keyrings.Trim().Length == 0, "the history of the source", "no keyring", keyrings);
    }

    [Plays("AT-096")]
    public static async Task One_text_under_two_keys(Attempt a)
    {
        var (one, other) = (new RecordVault(a.Stage.Keyring), new RecordVault(a.Stage.Keyring));
        var content = Encoding.UTF8.GetBytes("""{"resourceType":"Patient"}""");
        var subject = one.UnwrapSubjectKey("Patient/p", one.NewSubjectKey("Patient/p"));
        var first = one.Seal(content, "Patient", "p", 1, subject);
        var second = other.Seal(content, "Patient", "p", 1, subject);
        a.Check(!first.Body.AsSpan().SequenceEqual(second.Body), "the same content twice", "other bytes", "the same");
        a.Check(!first.Key.WrappedKey.AsSpan().SequenceEqual(second.Key.WrappedKey), "the same content twice", "another key", "the same");
        a.Check(!first.Key.KeyCommitment.AsSpan().SequenceEqual(second.Key.KeyCommitment), "the same content twice", "another commitment",
            "the same");
        a.Check(first.Key.KeyCommitment.Length == 32, "a sealed body", "a commitment to its key of 32 bytes",
            $"{first.Key.KeyCommitment.Length}");

        // Another key under a stored body: the commitment is not its, and nothing is opened.
        var patient = await a.Stage.NewPatientAsync();
        async Task SetAsync(object commitment) => await Database.ScalarAsync(
            a, "UPDATE versions SET key_commitment = $c WHERE rid = (SELECT rid FROM resources WHERE type = 'Patient' AND id = $id)",
            ("$c", commitment), ("$id", patient));
        var kept = (await Database.ScalarAsync(
            a, "SELECT key_commitment FROM versions WHERE rid = (SELECT rid FROM resources WHERE type = 'Patient' AND id = $id)",
            ("$id", patient)))!;
        await SetAsync(RandomNumberGenerator.GetBytes(32));
        var read = await a.Stage.Ehr.GetAsync($"Patient/{patient}");
        a.Check(
            read.Status is 500 or 503 && !read.Text.Contains("\"family\"", StringComparison.Ordinal),
            "a body whose key is not the one that was committed to", "nothing opened", read);
        await SetAsync(kept);
        a.Status(await a.Stage.Ehr.GetAsync($"Patient/{patient}"), "the same with its commitment back", 200);
    }

    [Plays("AT-105")]
    public static async Task An_audit_log_that_cannot_be_written(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        a.Status(await a.Stage.Ehr.GetAsync($"Patient/{patient}"), "a read", 200);
        await using (var connection = await Database.OpenAsync(a))
        {
            async Task RunAsync(string sql)
            {
                await using var command = connection.CreateCommand();
                command.CommandText = sql;
                await command.ExecuteNonQueryAsync();
            }
            // Somebody else has the database for longer than anybody waits: no entry can be written.
            await RunAsync("BEGIN IMMEDIATE");
            string[] paths = [$"Patient/{patient}", $"Patient?_id={patient}", $"Patient/{patient}/_history",
                $"Patient/{patient}/$everything"];
            var answers = await Task.WhenAll(paths.Select(p => a.Stage.Ehr.GetAsync(p)));
            await RunAsync("ROLLBACK");
            foreach (var (path, answer) in paths.Zip(answers))
            {
                a.Check(!answer.Text.Contains("\"family\"", StringComparison.Ordinal), $"{path} without an audit log", "no data", answer);
                a.Refused(answer, $"{path} without an audit log", 503);
            }
        }
        a.Status(
            await GatewayClient.UntilAsync(() => a.Stage.Ehr.GetAsync($"Patient/{patient}"), x => x.Status == 200),
                "a read when it is back", 200);
    }

    private static async Task<string> GitAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("git") { RedirectStandardOutput = true, WorkingDirectory = AppContext.BaseDirectory };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var git = Process.Start(start)!;
        var output = await git.StandardOutput.ReadToEndAsync();
        await git.WaitForExitAsync();
        return git.ExitCode == 0 ? output : throw new InvalidOperationException($"git {arguments[0]} ended with {git.ExitCode}");
    }
}
