using System.Collections.Concurrent;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

[Trait(TestStore.Trait, TestStore.Own)]
public class ReplicaScenarios(Replicas replicas) : IClassFixture<Replicas>
{
    [Fact]
    public async Task A_revocation_through_one_gateway_denies_the_very_next_read_through_every_other()
    {
        var insurer = replicas.Everywhere(await replicas.TokenAsync(0, "insurer", "system/*.rs"));
        for (var at = 0; at < Replicas.Count; at++)
        {
            var ehr = replicas.Ehr[at];
            var patient = (await ehr.PostAsync("Patient", Replicas.NewPatient())).Id;
            var consent = (await ehr.PostAsync("Consent", RunningGateway.Consent(patient, replicas.Insurer))).Id;
            foreach (var reader in insurer)
            {
                var granted = await GatewayClient.UntilAsync(() => reader.GetAsync($"Patient/{patient}"), a => a.Status == 200);
                Assert.True(granted.Status == 200, granted.Text);
            }
            var ended = RunningGateway.Consent(patient, replicas.Insurer, status: "inactive", id: consent);
            var revoked = await ehr.PutAsync($"Consent/{consent}", ended);
            Assert.True(revoked.Status == 200, revoked.Text);
            var reads = await Task.WhenAll(insurer.Select(reader => reader.GetAsync($"Patient/{patient}")));
            Assert.All(reads, read => Assert.Equal(404, read.Status));
        }
    }

    [Fact]
    public async Task A_token_revoked_at_one_gateway_is_refused_at_the_others_within_two_seconds()
    {
        var token = await replicas.TokenAsync(0, "insurer", "system/*.rs");
        var readers = replicas.Everywhere(token);
        // Twice: from the second time on it is known without asking the database.
        for (var i = 0; i < 2; i++)
            foreach (var reader in readers) Assert.Equal(200, (await reader.GetAsync(replicas.Hospital)).Status);
        Assert.Equal(200, (await replicas.RevokeTokenAsync(1, "insurer", token)).Status);
        Assert.Equal(401, (await readers[1].GetAsync(replicas.Hospital)).Status);
        foreach (var reader in readers)
            Assert.Equal(401, (await GatewayClient.UntilAsync(() => reader.GetAsync(replicas.Hospital), a => a.Status == 401, 2)).Status);
    }

    [Fact]
    public async Task Conditional_creates_of_one_identifier_through_all_gateways_make_one_resource()
    {
        for (var round = 0; round < 5; round++)
        {
            var value = Guid.CreateVersion7();
            var body = $$$"""{"resourceType":"Location","name":"x","identifier":[{"system":"urn:loc","value":"{{{value}}}"}]}""";
            var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(
                i => replicas.Ehr[i % Replicas.Count].PostAsync("Location", body, ("If-None-Exist", $"identifier=urn:loc|{value}"))));
            Assert.Single(answers, a => a.Status == 201);
            Assert.Equal(11, answers.Count(a => a.Status == 200));
            Assert.Single(answers.Select(a => a.Id).Distinct());
        }
    }

    [Fact]
    public async Task A_gateway_killed_under_load_loses_nothing_and_the_others_go_on_where_it_stopped()
    {
        var acknowledged = new ConcurrentBag<Answer>();
        using var stop = new CancellationTokenSource();
        var load = Enumerable.Range(0, 2 * Replicas.Count)
            .Select(i => LoadAsync(replicas.Ehr[i % Replicas.Count], acknowledged, stop.Token)).ToList();
        await Task.Delay(TimeSpan.FromSeconds(3));
        // The one that sends has most to lose.
        var dead = (await HoldersAsync())["sender"];
        var killed = replicas.GatewayOf(dead);
        await replicas.KillAsync(killed);
        var since = TimeProvider.System.GetTimestamp();
        var survivor = replicas.Ehr[(killed + 1) % Replicas.Count];
        var probe = await survivor.PostAsync("Patient", Replicas.NewPatient());
        Assert.Equal(201, probe.Status);
        await UntilAsync(async () => (await HoldersAsync()).Values.All(h => h != dead), 10, "the leases pass on");
        var proof = await GatewayClient.UntilAsync(
            () => survivor.GetAsync($"Patient/{probe.Id}/$anchor-proof"), a => a.Text.Contains("\"block\"", StringComparison.Ordinal));
        Assert.Contains("\"block\"", proof.Text);
        Assert.InRange(TimeProvider.System.GetElapsedTime(since).TotalSeconds, 0, 30);
        await stop.CancelAsync();
        await Task.WhenAll(load);

        Assert.True(acknowledged.Count > 100, $"{acknowledged.Count} creates are no load");
        var readers = Enumerable.Range(0, Replicas.Count).Where(i => i != killed).Select(i => replicas.Ehr[i]).ToList();
        foreach (var (created, i) in acknowledged.Select((a, i) => (a, i)))
        {
            var read = await readers[i % readers.Count].GetAsync($"Patient/{created.Id}");
            Assert.True(read.Status == 200, read.Text);
            Assert.Equal(created.Body, read.Body);
        }
        await OutboxIsWholeAsync();
        await replicas.StartAsync(killed);
    }

    [Fact]
    public async Task A_gateway_that_is_stopped_gives_its_leases_back_at_once()
    {
        for (var gateway = 0; gateway < Replicas.Count; gateway++)
        {
            await replicas.StopAsync(gateway);
            // The time of a lease is 8 s: less means that it was given back.
            await UntilAsync(async () => (await LeasesAsync()).TrueForAll(l => l.Left > 0), 3, "every lease is held");
            await replicas.StartAsync(gateway);
        }
    }

    private async Task LoadAsync(GatewayClient ehr, ConcurrentBag<Answer> acknowledged, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var created = await ehr.PostAsync("Patient", Replicas.NewPatient());
                if (created.Status == 201) acknowledged.Add(created);
            }
            catch (HttpRequestException)
            {
                // The gateway is dead, and what it was about to do was not acknowledged.
                return;
            }
        }
    }

    private async Task OutboxIsWholeAsync()
    {
        await UntilAsync(
            async () => (await replicas.QueryAsync("SELECT COUNT(*) FROM outbox WHERE status IN (0, 1, 2)", r => r.GetInt64(0)))[0] == 0
                // A deletion has no bytes and is in no batch: the form of a consent that was ended goes with it.
                && (await replicas.QueryAsync(
                    "SELECT COUNT(*) FROM versions WHERE batch IS NULL AND deleted = 0", r => r.GetInt64(0)))[0] == 0,
            60, "everything is on the chain");
        Assert.Equal([0], await replicas.QueryAsync("SELECT COUNT(*) FROM outbox WHERE status = 4", r => r.GetInt64(0)));
        var nonces = await replicas.QueryAsync("SELECT nonce FROM outbox ORDER BY nonce", r => r.GetInt64(0));
        Assert.Equal(Enumerable.Range(0, nonces.Count).Select(n => (long)n), nonces);
        var (transactions, anchors) = await replicas.ChainAsync();
        Assert.Equal(nonces.Count, transactions);
        var batches = await replicas.QueryAsync("SELECT root, leaf_count FROM batches", r => (Root: r.GetString(0), Leaves: r.GetInt64(1)));
        Assert.Equal(batches.Select(b => b.Root).Order(), anchors.Select(a => a.Root).Order());
        Assert.Equal(batches.Count, batches.Select(b => b.Root).Distinct().Count());
        var places = await replicas.QueryAsync(
            "SELECT COUNT(*) + (SELECT SUM(LENGTH(padding)) FROM batches) / 32, "
                + "COUNT(DISTINCT (batch, leaf_index)) + (SELECT SUM(LENGTH(padding)) FROM batches) / 32 "
                + "FROM versions WHERE batch IS NOT NULL",
            r => (r.GetInt64(0), r.GetInt64(1)));
        Assert.Equal((batches.Sum(b => b.Leaves), batches.Sum(b => b.Leaves)), places[0]);
    }

    private async Task<Dictionary<string, string>> HoldersAsync() => (await LeasesAsync()).ToDictionary(l => l.Name, l => l.Holder);

    private Task<List<(string Name, string Holder, long Expires, long Left)>> LeasesAsync() => replicas.QueryAsync(
        "SELECT name, holder, expires, expires - (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT FROM leases",
        r => (r.GetString(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3)));

    private static async Task UntilAsync(Func<Task<bool>> isSo, int seconds, string what)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await isSo())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(seconds), $"not within {seconds} s: {what}");
            await Task.Delay(200);
        }
    }
}
