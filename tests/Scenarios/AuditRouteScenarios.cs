using PmrGateway.Gateway.Api;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Every interaction leaves an entry in the audit log: what was done, and what was tried.</summary>
[Collection(GatewayCollection.Name)]
public class AuditRouteScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task Each_route_of_the_table_leaves_an_entry_of_its_interaction()
    {
        var (every, _) = await gateway.EveryInteractionAsync();
        var played = new HashSet<string>();
        foreach (var play in every.Plays())
        {
            var before = await LastAsync();
            var answer = await play.AskAsync();
            Assert.True(answer.Status < 300, $"{play.Route}: {answer.Status} {answer.Text}");
            played.Add(play.Route);
            var told = await AfterAsync(before);
            Assert.True(told.Exists(e => e.Outcome == "permit"), $"{play.Route} left no entry");
            var interaction = play.Route.Split(' ')[^1];
            // Of a Bundle each entry is told by itself.
            if (interaction is "transaction" or "batch") interaction = interaction == "batch" ? "read" : "create";
            Assert.True(told.Exists(e => e.Interaction == interaction), $"{play.Route}: told are {string.Join(", ", told)}");
        }
        // A route that is not played here has nobody who has seen to its entries.
        var rows = gateway.Service<FhirApi>().Routes.Rows.Where(r => !r.IsOpen)
            .Select(r => $"{r.Method} {r.Template} {r.Interaction}").ToHashSet();
        Assert.Equal([], rows.Except(played));
        Assert.Equal([], played.Except(rows));
    }

    [Fact]
    public async Task Each_refusal_leaves_an_entry_and_the_patient_sees_who_tried()
    {
        var (every, self) = await gateway.EveryInteractionAsync();
        var count = 0;
        foreach (var play in every.Refused(gateway.OtherEhr))
        {
            var before = await LastAsync();
            var answer = await play.AskAsync();
            var isBatch = play.Route == "POST batch";
            Assert.True(isBatch ? answer.Status == 200 : answer.Status is 404 or 422, $"{play.Route}: {answer.Status} {answer.Text}");
            var told = await AfterAsync(before);
            // A condition that finds nothing is told of besides, as the search that it is.
            told.RemoveAll(e => e is { Interaction: "search-type", Outcome: "permit" });
            Assert.True(told is [{ Outcome: "deny" }], $"{play.Route}: told are {string.Join(", ", told)}");
            Assert.True(told[0].Patients == $"[\"{every.Patient}\"]", $"{play.Route}: about {told[0].Patients}");
            count++;
        }
        var seen = await self.GetAsync($"AuditEvent?outcome=4&agent={gateway.OtherHospital}&_count=100");
        Assert.Equal(count, seen.Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task A_condition_that_matches_several_is_in_the_log_of_whom_it_told_of()
    {
        var value = Guid.CreateVersion7().ToString();
        var body = $$"""{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"{{value}}"}]}""";
        var made = new List<string>();
        for (var i = 0; i < 2; i++) made.Add((await gateway.Ehr.PostAsync("Patient", body)).Id);
        var before = await LastAsync();
        Assert.Equal(412, (await gateway.Ehr.PostAsync("Patient", body, ("If-None-Exist", $"identifier=urn:x|{value}"))).Status);
        var told = await AfterAsync(before);
        Assert.All(told, t => Assert.Equal("search-type", t.Interaction));
        Assert.Equal(made.Select(m => $"[\"{m}\"]").Order(), told.Select(t => t.Patients).Order());
    }

    private async Task<long> LastAsync() => (await AfterAsync(0)).Count is var count ? count : 0;

    private async Task<List<Told>> AfterAsync(long number)
    {
        await using var connection = await TestStore.OpenAsync(gateway.Options);
        await using var command = connection.CreateCommand();
        command.CommandText = $"SELECT interaction, outcome, patients, client FROM audit WHERE seq > {number} ORDER BY seq";
        var told = new List<Told>();
        await using var rows = await command.ExecuteReaderAsync();
        while (await rows.ReadAsync())
            told.Add(new Told(rows.GetString(0), rows.GetString(1), rows.GetString(2), rows.GetString(3)));
        return told;
    }

    private sealed record Told(string Interaction, string Outcome, string Patients, string Client);
}
