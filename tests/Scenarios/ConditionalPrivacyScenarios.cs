using System.Diagnostics;
using System.Text.Json;
using PmrGateway.Mapping;
using PmrGateway.Tests.Client;
using static PmrGateway.Tests.Scenarios.ConditionalRequests;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What a condition tells: nothing of what its sender may not see, and everything to those whom it is about.</summary>
[Collection(GatewayCollection.Name)]
public sealed class ConditionalPrivacyScenarios(RunningGateway gateway) : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(400);
    private readonly TimeSpan _tick = gateway.Options.Limits.RefusalTick;

    public void Dispose() => gateway.Options.Limits.RefusalTick = _tick;

    [Fact]
    public async Task A_condition_is_one_entry_of_the_log_and_leaves_at_its_tick_whether_or_not_there_is_what_it_names()
    {
        var patient = await gateway.NewPatientAsync();
        var own = (await gateway.OtherEhr.PostAsync("Patient", """{"resourceType":"Patient"}""")).Id;
        var hidden = (await gateway.Ehr.PostAsync("Observation", Reading(patient))).Id;
        var self = await gateway.LoginPatientAsync(patient);
        gateway.Options.Limits.RefusalTick = Tick;
        (string What, Func<string, Task<Answer>> Ask, int Status, int Entries)[] asked =
        [
            ("create", id => CreateAsync(Reading(own), $"_id={id}"), 201, 2),
            ("create that is refused", id => CreateAsync(Reading("nobody"), $"_id={id}"), 422, 2),
            ("create of none", id => CreateAsync("""{"resourceType":"Observation"}""", $"_id={id}"), 422, 1),
            ("update", id => gateway.OtherEhr.PutAsync($"Observation?_id={id}", Reading(own)), 201, 2),
            ("update with an id", id => gateway.OtherEhr.PutAsync($"Observation?_id={id}", Reading(own, "x")), 400, 1),
            ("patch", id => AskAsync(gateway.OtherEhr, "PATCH", $"Observation?_id={id}", ""), 404, 1),
            ("deletion", id => gateway.OtherEhr.DeleteAsync($"Observation?_id={id}"), 404, 1),
            ("deletion in a Bundle", id => SendAsync(gateway.OtherEhr, "transaction", Entry("DELETE", $"Observation?_id={id}")), 404, 1),
            ("reference", id => SendAsync(gateway.OtherEhr, "transaction", Entry("POST", "Observation", Referring(own, id))), 412, 1),
        ];
        foreach (var (what, ask, status, entries) in asked)
        {
            foreach (var id in new[] { hidden, ResourceId.New() })
            {
                var (before, began) = (await EntriesAsync(), Stopwatch.GetTimestamp());
                var answer = await ask(id);
                var took = Stopwatch.GetElapsedTime(began);
                Assert.True(answer.Status == status, $"{what}: {answer.Status} {answer.Text}");
                Assert.True(took >= Tick, $"{what}: {took}");
                Assert.Equal((what, entries), (what, await EntriesAsync() - before));
            }
        }
        // The patient reads of each once: of what was refused as a refusal, of the others as a search that found nothing.
        var told = RunningGateway.Entries(await self.GetAsync($"AuditEvent?agent={gateway.OtherHospital}&_count=100"))
            .Select(e => e.GetProperty("resource")).Select(
                e => $"{e.GetProperty("outcome").GetString()} {e.GetProperty("subtype")[0].GetProperty("code").GetString()}");
        Assert.Equal(
            ["0 search-type", "0 search-type", "0 search-type", "0 search-type", "0 search-type", "0 search-type", "4 delete", "4 patch",
                "4 transaction"],
            told.Order(StringComparer.Ordinal));

        Task<Answer> CreateAsync(string body, string condition) =>
            gateway.OtherEhr.PostAsync("Observation", body, ("If-None-Exist", condition));
    }

    [Fact]
    public async Task A_condition_that_matches_is_told_also_to_whom_it_names_besides_and_to_all_whom_it_matches()
    {
        var (first, second, other) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        var (one, two) = ((await gateway.Ehr.PostAsync("Observation", Reading(first))).Id,
            (await gateway.Ehr.PostAsync("Observation", Reading(second))).Id);
        // Seen by its author alone, which is another system than the one that asks.
        var feed = await gateway.RegisterSystemAsync("feed-" + New(), gateway.Hospital, "system/*.cruds", "TREAT");
        var hidden = (await feed.PostAsync("Observation", Reading(other))).Id;
        var logins = new List<GatewayClient>();
        foreach (var patient in new[] { first, second, other }) logins.Add(await gateway.LoginPatientAsync(patient));
        gateway.Options.Limits.RefusalTick = Tick;
        var before = await ToldAsync();
        var began = Stopwatch.GetTimestamp();
        var found = await gateway.Ehr.PostAsync("Observation", Reading(first), ("If-None-Exist", $"_id={one},{hidden}"));
        Assert.Equal(200, found.Status);
        Assert.True(Stopwatch.GetElapsedTime(began) >= Tick);
        Assert.Equal([before[0] + 1, before[1], before[2] + 1], await ToldAsync());
        Assert.Equal(412, (await gateway.Ehr.PutAsync($"Observation?_id={one},{two}", Reading(first))).Status);
        Assert.Equal([before[0] + 2, before[1] + 1, before[2] + 1], await ToldAsync());

        // A search of what is seen and of what is not is held as one of the latter alone.
        began = Stopwatch.GetTimestamp();
        Assert.Equal(1, (await gateway.Ehr.GetAsync($"Observation?_id={one},{hidden}")).Json.GetProperty("total").GetInt32());
        Assert.True(Stopwatch.GetElapsedTime(began) >= Tick);
        Assert.Equal([before[0] + 3, before[1] + 1, before[2] + 2], await ToldAsync());

        async Task<int[]> ToldAsync()
        {
            var told = new int[logins.Count];
            for (var i = 0; i < told.Length; i++)
            {
                var log = await logins[i].GetAsync($"AuditEvent?subtype=search-type&agent={gateway.Hospital}");
                told[i] = log.Json.GetProperty("total").GetInt32();
            }
            return told;
        }
    }

    [Theory]
    [InlineData("gender=female", "'gender'")]
    [InlineData("_tag=x&birthdate=ge1900", "'_tag', 'birthdate'")]
    [InlineData("family=abc", "'family'")]
    [InlineData("identifier=urn:x|", "'identifier'")]
    [InlineData("identifier=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20", "'identifier', and may have 20")]
    public async Task A_condition_names_few_since_all_writes_wait_while_it_is_asked_again(string condition, string named)
    {
        var refused = await gateway.Ehr.PostAsync("Patient", """{"resourceType":"Patient"}""", ("If-None-Exist", condition));
        Assert.Equal((400, true), (refused.Status, refused.Text.Contains(named, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_Binary_in_its_own_media_type_with_a_condition_is_refused_before_a_byte_of_it_is_taken()
    {
        var refused = await gateway.Ehr.WriteAsync(HttpMethod.Post, "Binary", [1, 2, 3], "image/png", ("If-None-Exist", "_id=x"));
        Assert.Equal((415, true), (refused.Status, refused.Text.Contains("If-None-Exist", StringComparison.Ordinal)));
    }

    private async Task<long> EntriesAsync()
    {
        await using var connection = await TestStore.OpenAsync(gateway.Options);
        await using var count = connection.CreateCommand();
        count.CommandText = "SELECT COUNT(*) FROM audit";
        return Convert.ToInt64(await count.ExecuteScalarAsync(), null);
    }

    private static string Reading(string patient, string? id = null) => $$$"""
        {"resourceType":"Observation",{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"status":"final","code":{"text":"x"},
        "subject":{"reference":"Patient/{{{patient}}}"}}
        """;

    private static string Referring(string patient, string to) => Reading(patient).Replace(
        "\"status\"", $"\"derivedFrom\":[{{\"reference\":{JsonSerializer.Serialize($"Observation?_id={to}")}}}],\"status\"",
        StringComparison.Ordinal);
}
