using System.Diagnostics;
using System.Text;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

public class FaultScenarios
{
    [Fact]
    public async Task A_chain_that_is_down_holds_up_no_write_and_stops_reads_when_the_view_is_stale_and_anchors_later()
    {
        var gateway = new RunningGateway();
        gateway.Options.Ledger.MaxStaleness = TimeSpan.FromSeconds(2);
        await gateway.InitializeAsync();
        var patient = await gateway.NewPatientAsync();
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT");
        string Numbered(string number) => $$$"""
            {"resourceType":"Observation","identifier":[{"system":"urn:s","value":"{{{number}}}"}],"status":"final","code":{"text":"x"},
            "subject":{"reference":"Patient/{{{patient}}}"}}
            """;
        var known = await gateway.Ehr.PostAsync("Observation", Numbered("1"));
        Task<Answer> WriteIfNoneAsync(string number) =>
            gateway.OtherEhr.PostAsync("Observation", Numbered(number), ("If-None-Exist", "identifier=urn:s|" + number));
        Assert.Equal(known.Id, (await WriteIfNoneAsync("1")).Id);
        Signal("STOP");
        try
        {
            var created = await gateway.Ehr.PostAsync(
                "Observation",
                $$$"""{"resourceType":"Observation","status":"final","code":{"text":"x"}"""
                    + $$$""","subject":{"reference":"Patient/{{{patient}}}"}}""");
            Assert.Equal(201, created.Status);
            var stale = await GatewayClient.UntilAsync(() => gateway.Ehr.GetAsync($"Observation/{created.Id}"), a => a.Status == 503, 15);
            Assert.Equal(503, stale.Status);
            Assert.Contains("consent view", stale.Text);
            // Nor is a write a question: its grant may have ended on the chain.
            Assert.NotEqual(200, (await WriteIfNoneAsync("1")).Status);
            Assert.Equal((await WriteIfNoneAsync("2")).Status, (await WriteIfNoneAsync("1")).Status);
            var change = Numbered("1").Replace("\"identifier\"", $"\"id\":\"{known.Id}\",\"identifier\"", StringComparison.Ordinal);
            Assert.Equal(
                404, (await gateway.OtherEhr.PutAsync($"Observation/{known.Id}", change, ("If-Match", "W/\"9\""))).Status);
            Assert.NotNull(stale.Headers.Headers.RetryAfter);
            Assert.Equal(201, (await gateway.Ehr.PostAsync("Patient", """{"resourceType":"Patient"}""")).Status);
            Assert.Equal(503, (await gateway.Anyone.GetAsync($"{gateway.Options.Url}/health", "*/*")).Status);
            Signal("CONT");
            var proof = await GatewayClient.UntilAsync(
                () => gateway.Ehr.GetAsync($"Observation/{created.Id}/$anchor-proof"),
                a => a.Text.Contains("\"block\"", StringComparison.Ordinal));
            Assert.Contains("\"block\"", proof.Text);
        }
        finally
        {
            Signal("CONT");
            await gateway.DisposeAsync();
        }

        void Signal(string signal) =>
            Process.Start("kill", ["-" + signal, File.ReadAllText(Path.Combine(gateway.Options.DataFolder, "chain", "anvil.pid")).Trim()])
                .WaitForExit();
    }

    [Fact]
    public async Task A_flipped_byte_in_a_block_is_found_and_refused()
    {
        var gateway = new RunningGateway();
        await gateway.InitializeAsync();
        try
        {
            var content = Encoding.UTF8.GetBytes(new string('x', 5000));
            var document = await gateway.NewDocumentAsync(await gateway.NewPatientAsync(), content);
            var url = (await gateway.Ehr.GetAsync($"DocumentReference/{document}")).Json.GetProperty("content")[0].GetProperty("attachment")
                .GetProperty("url").GetString()!;
            Assert.Equal(content, (await gateway.Ehr.GetAsync(url, "*/*")).Body);
            var pack = Directory.GetFiles(Path.Combine(gateway.Options.DataFolder, "blocks"), "*.pack").Single();
            Assert.DoesNotContain("xxxxxxxx", Encoding.Latin1.GetString(await File.ReadAllBytesAsync(pack)));
            using (var file = new FileStream(pack, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
            {
                // Whatever block the attachment is in, some byte of it is hit.
                for (var at = 60; at < file.Length; at += 500)
                {
                    file.Position = at;
                    var b = file.ReadByte();
                    file.Position = at;
                    file.WriteByte((byte)(b ^ 1));
                }
            }
            var refused = await gateway.Ehr.GetAsync(url, "*/*");
            Assert.Equal(503, refused.Status);
            Assert.Contains("not what was stored", refused.Text);
            Assert.Contains("bodies: 1 not as", (await gateway.Anyone.GetAsync($"{gateway.Options.Url}/health", "*/*")).Text);
            Assert.Equal(200, (await gateway.Ehr.GetAsync($"DocumentReference/{document}")).Status);
        }
        finally
        {
            await gateway.DisposeAsync();
        }
    }

    [Fact]
    public async Task After_kill_9_of_gateway_and_chain_nothing_acknowledged_is_lost_and_the_chain_is_told_again()
    {
        var folder = Directory.CreateTempSubdirectory("pmr-kill-").FullName;
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });
        // One port for both runs: clients are bound under the issuer's URL.
        var port = GatewayProcess.FreePort();
        var store = await TestStore.NewAsync();
        var (process, client) = await ServeAsync(folder, port, store, http);
        try
        {
            var operatorClient = await client.LoginOperatorAsync(folder);
            var hospital = "Organization/" + (await operatorClient.PostAsync("Organization", Organization("prov"))).Id;
            var insurer = "Organization/" + (await operatorClient.PostAsync("Organization", Organization("ins"))).Id;
            var (ehrKey, insurerKey) = (new ClientKey(), new ClientKey());
            await operatorClient.AdminAsync("clients", new
            {
                clientId = "ehr",
                jwks = ehrKey.Jwks,
                actor = hospital,
                scopes = new[] { "system/*.cruds" },
                purposes = new[] { "TREAT" }
            });
            await operatorClient.AdminAsync("clients", new
            {
                clientId = "insurer",
                jwks = insurerKey.Jwks,
                actor = insurer,
                scopes = new[] { "system/*.rs" },
                purposes = new[] { "HPAYMT" }
            });
            var ehr = await client.LoginAsync("ehr", ehrKey.Credentials, "system/*.cruds");
            await GatewayClient.UntilAsync(() => ehr.GetAsync(hospital), a => a.Status == 200);
            var patient = (await ehr.PostAsync("Patient", """{"resourceType":"Patient"}""")).Id;
            var consent = (await ehr.PostAsync("Consent", RunningGateway.Consent(patient, insurer))).Id;
            await GatewayClient.UntilAsync(
                () => ehr.GetAsync($"Consent/{consent}/$ledger-status"), a => a.Text.Contains("confirmed", StringComparison.Ordinal));

            // The last write is acknowledged, then both are killed before anything else can happen; the chain's state is spoilt as well.
            var last = await ehr.PostAsync(
                "Observation",
                $$$"""{"resourceType":"Observation","status":"final","code":{"text":"x"}"""
                    + $$$""","subject":{"reference":"Patient/{{{patient}}}"}}""");
            Assert.Equal(201, last.Status);
            var anvil = Process.GetProcessById(int.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "chain", "anvil.pid"))));
            process.Kill();
            anvil.Kill();
            await process.WaitForExitAsync();
            await anvil.WaitForExitAsync();
            await File.WriteAllTextAsync(Path.Combine(folder, "chain", "state.json"), "{\"spoilt\":");

            (process, client) = await ServeAsync(folder, port, store, http);
            ehr = await client.LoginAsync("ehr", ehrKey.Credentials, "system/*.cruds");
            var read = await GatewayClient.UntilAsync(() => ehr.GetAsync($"Observation/{last.Id}"), a => a.Status == 200);
            Assert.True(read.Status == 200, read.Text);
            Assert.Equal(last.Body, read.Body);
            var insurerClient = await client.LoginAsync("insurer", insurerKey.Credentials, "system/*.rs");
            var granted = await GatewayClient.UntilAsync(() => insurerClient.GetAsync($"Patient/{patient}"), a => a.Status == 200);
            Assert.True(granted.Status == 200, granted.Text);
            var proof = await GatewayClient.UntilAsync(
                () => ehr.GetAsync($"Observation/{last.Id}/$anchor-proof"), a => a.Text.Contains("\"block\"", StringComparison.Ordinal));
            Assert.Contains("\"block\"", proof.Text);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            await Task.Delay(500);
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Organization(string type) => $$$"""
        {"resourceType":"Organization","active":true,"name":"x",
        "type":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/organization-type","code":"{{{type}}}"}]}]}
        """;

    private static async Task<(Process Process, GatewayClient Client)> ServeAsync(
        string folder, int port, StoreOptions store, HttpClient http)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])
        [
            typeof(AnvilNode).Assembly.Location.Replace("PmrGateway.LedgerAdapter.dll", "pmr.dll", StringComparison.Ordinal),
            "serve",
            "--data",
            folder,
            "--url",
            $"http://127.0.0.1:{port}",
            "--Ledger:AnchorMaxAge",
            "00:00:00.5",
            "--Ledger:Confirmations",
            "1",
            .. TestStore.Settings(store)
        ])
            start.ArgumentList.Add(argument);
        var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (!line.Contains("serves FHIR R4 at ", StringComparison.Ordinal)) continue;
            _ = process.StandardOutput.ReadToEndAsync();
            return (process, new GatewayClient(http, line.Split(" at ")[1].Split("/fhir")[0]));
        }
        throw new InvalidOperationException("pmr serve ended: " + await errors);
    }
}
