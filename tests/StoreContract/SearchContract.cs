using System.Data.Common;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

public sealed class SqliteSearch(Sqlite engine) : SearchContract(engine), IClassFixture<Sqlite>;

public sealed class PostgresSearch(Postgres engine) : SearchContract(engine), IClassFixture<Postgres>;

/// <summary>Search, compartment and snapshots, on every engine.</summary>
public abstract class SearchContract(Engine engine)
{
    private readonly RecordDatabase _database = engine.Shared();
    // From what the viewer could see, from what the search names, and from what is less.
    private readonly RecordDatabase[] _ways =
        [engine.Shared(smallReach: 10_000), engine.Shared(smallReach: 0), engine.Shared(smallReach: 1)];

    [Fact]
    public async Task Every_kind_of_criterion_finds_what_it_names_and_nothing_else()
    {
        var patient = Id();
        var day = Make.Epoch.AddDays(3);
        for (var i = 0; i < 6; i++)
        {
            await CommitAsync(Make.Version(
                Make.Facts("Observation", $"{patient}-{i}", "Organization/a", patient), 1,
                [
                    Make.Reference("patient", "Patient", patient), Make.Token("status", "urn:status", i < 4 ? "final" : "draft"),
                    Make.Token("code", i == 0 ? null : "urn:code", "c" + (i % 2)), Make.Date("date", day.AddDays(i), day.AddDays(i + 1)),
                    Make.Token("identifier", "urn:id", $"{patient}-{i}"), Make.Token("identifier", "urn:other", $"{patient}-{i}"),
                ]));
        }
        var ofPatient = new SearchCriterion("patient", "reference", [new SearchValue("Patient", patient)]);
        Assert.Equal(6, await TotalAsync(ofPatient));
        Assert.Equal(6, await TotalAsync(new SearchCriterion("patient", "reference", [new SearchValue(null, patient)])));
        Assert.Equal(0, await TotalAsync(new SearchCriterion("patient", "reference", [new SearchValue("Group", patient)])));
        Assert.Equal(4, await TotalAsync(ofPatient, Token("status", "urn:status", "final")));
        Assert.Equal(4, await TotalAsync(ofPatient, Token("status", null, "final")));
        Assert.Equal(6, await TotalAsync(ofPatient, Token("status", "urn:status", null)));
        Assert.Equal(0, await TotalAsync(ofPatient, Token("status", "", "final")));
        Assert.Equal(1, await TotalAsync(ofPatient, Token("code", "", "c0")));
        Assert.Equal(3, await TotalAsync(ofPatient, Token("code", null, "c0")));
        // Both identifiers of one record match: it is found once.
        Assert.Equal(1, await TotalAsync(Token("identifier", null, $"{patient}-2")));
        Assert.Equal(2, await TotalAsync(new SearchCriterion(
            "identifier", "token", [new SearchValue("urn:id", $"{patient}-2"), new SearchValue("urn:id", $"{patient}-3")])));
        Assert.Equal(1, await TotalAsync(
            ofPatient, new SearchCriterion("_id", "id", [new SearchValue(null, $"{patient}-5"), new SearchValue(null, "none")])));
        Assert.Equal(6, await TotalAsync(ofPatient, Dated("_lastUpdated", "eq", Make.Epoch, Make.Epoch.AddDays(1))));
        Assert.Equal(0, await TotalAsync(ofPatient, Dated("_lastUpdated", "gt", Make.Epoch, Make.Epoch.AddDays(1))));
        foreach (var (prefix, expected) in new[] { ("eq", 1), ("ne", 5), ("lt", 2), ("le", 3), ("gt", 3), ("ge", 4) })
            Assert.Equal(expected, await TotalAsync(ofPatient, Dated("date", prefix, day.AddDays(2), day.AddDays(3))));
        Assert.Equal(0, await TotalAsync(Token("never-indexed", null, "x")));
        Assert.Equal(0, await TotalAsync(Token("identifier", null, "a\0b\ud800")));
    }

    [Fact]
    public async Task What_a_start_looks_for_to_index_anew_is_in_an_index_of_its_own_by_the_definitions_of_now()
    {
        await using var raw = await RawDatabase.OpenAsync(engine.Options, engine.File);
        var (catalogue, name, text) = engine.Options.Provider == "postgres"
            ? ("pg_indexes", "indexname", "indexdef")
            : ("sqlite_master", "name", "sql");
        var index = Assert.Single(await raw.RowsAsync($"{catalogue} WHERE {name} = 'resources_unindexed'"));
        Assert.Contains($"indexed <> {IndexRows.Definitions}", (string)index[text]!);
    }

    [Fact]
    public async Task A_link_holds_by_what_the_viewer_may_see_and_by_nothing_else()
    {
        var (patient, other, mark) = (Id(), Id(), Id());
        foreach (var id in new[] { patient, other })
        {
            await CommitAsync(Make.Version(
                Make.Facts("Patient", id, "Organization/a", id), 1,
                [Make.Token("identifier", "urn:id", id), Make.Token("active", null, mark)]));
        }
        Task WriteAsync(string hospital, string about, string code, params Fhir.IndexEntry[] more) => CommitAsync(Make.Version(
            Make.Facts("Observation", Id(), hospital, about), 1,
            [Make.Reference("patient", "Patient", about), Make.Token("code", "urn:" + mark, code), .. more]));
        await WriteAsync("Organization/a", patient, "c1", Make.Token("category", "s", "lab"));
        await WriteAsync("Organization/a", patient, "c2");
        await WriteAsync("Organization/b", other, "c3");
        await CommitAsync(Make.Version(
            Make.Facts("Patient", mark, "Organization/b", mark), 1, [Make.Token("identifier", "urn:id", mark)]));
        await CommitAsync(Make.Version(
            Make.Facts("Observation", Id(), "Organization/a", patient), 1, [Make.Reference("focus", "Patient", mark)]));

        SearchCriterion Chain(string parameter, SearchCriterion inner) =>
            new(parameter, "link", []) { Link = new SearchLink("Patient", parameter, false, inner) };
        SearchCriterion Has(SearchCriterion inner) =>
            new("patient", "link", []) { Link = new SearchLink("Observation", "patient", true, inner) };
        var ours = Token("active", null, mark);
        Assert.Equal(2, await TotalAsync(Chain("patient", Token("identifier", "urn:id", patient))));
        Assert.Equal(2, await TotalAsync(Chain("patient", new SearchCriterion("_id", "id", [new SearchValue(null, patient)]))));
        Assert.Equal(1, await TotalAsync(Token("code", "urn:" + mark, "c2"), Chain("patient", ours)));
        // What it refers to may not be seen: by that it is not found.
        Assert.Equal(0, await TotalAsync(Chain("focus", Token("identifier", "urn:id", mark))));
        Assert.Equal(1, await TotalAsync("Patient", ours, Has(Token("code", "urn:" + mark, "c1"))));
        Assert.Equal(1, await TotalAsync("Patient", Has(Token("code", "urn:" + mark, "c1"))));
        // Another hospital's tells nothing.
        Assert.Equal(0, await TotalAsync("Patient", Has(Token("code", "urn:" + mark, "c3"))));
        Assert.Equal(1, await TotalAsync("Patient", ours, Has(Token("code", "urn:" + mark, "c1") with { IsNegated = true })));
        Assert.Equal(2, await TotalAsync(Chain("patient", Has(Token("code", "urn:" + mark, "c2")))));
        Assert.Equal(0, await TotalAsync("Patient", ours, Has(Token("never-indexed", null, "x"))));

        Assert.Equal(1, await TotalAsync(Chain("patient", ours), Token("code", "urn:" + mark, "c1") with { IsNegated = true }));
        Assert.Equal(2, await TotalAsync(Chain("patient", ours), Token("never-indexed", null, "x") with { IsNegated = true }));
        Assert.Equal(1, await TotalAsync(Chain("patient", ours), new SearchCriterion("category", "token", []) { IsMissing = true }));
        Assert.Equal(1, await TotalAsync(Chain("patient", ours), new SearchCriterion("category", "token", []) { IsMissing = false }));
    }

    [Fact]
    public async Task A_record_with_several_elements_that_match_a_composite_is_found_once()
    {
        var mark = Id();
        Fhir.IndexEntry[] entries =
        [
            .. Enumerable.Range(1, 3).SelectMany(part => new[]
            {
                Make.Token("reading$0", "urn:" + mark, "a") with { Part = part },
                new("reading$1", "number", null, $"{part}", default, default) { Low = part, High = part, Part = part },
            }),
        ];
        await CommitAsync(Make.Version(Make.Facts("Observation", Id()), 1, entries));
        SearchCriterion Reading(double above, string code = "a") => new("reading", "any", [])
        {
            Alternatives =
            [
                new SearchAlternative(
                    [
                        Token("reading$0", "urn:" + mark, code),
                        new SearchCriterion("reading$1", "number", [new SearchValue(null, null, "gt") { Number = above }]),
                    ],
                    InOnePart: true),
            ],
        };
        Assert.Equal((1, 1), (await TotalAsync(Reading(0)), await TotalAsync(Reading(2))));
        Assert.Equal((0, 0), (await TotalAsync(Reading(3)), await TotalAsync(Reading(0, "b"))));
    }

    [Fact]
    public async Task Long_texts_texts_that_differ_in_case_alone_and_halves_of_letters_are_kept_apart()
    {
        var mark = Id();
        Fhir.IndexEntry Text(string text) => new("title", "string", null, text, default, default);
        var (long1, long2) = (new string('x', 199) + "\U0001F600 one " + mark, new string('x', 199) + "\U0001F600 two " + mark);
        await CommitAsync(Make.Version(
            Make.Facts("Basic", Id()), 1, [Text("ACME " + mark), Text("Acme " + mark), Text(long1), Text(long2)]));
        SearchCriterion Asked(string text, TextMatch match) =>
            new("title", "string", [new SearchValue(null, text)]) { Match = match };
        foreach (var text in new[] { "ACME " + mark, "Acme " + mark, long1, long2 })
        {
            Assert.Equal(1, await TotalAsync("Basic", Asked(text, TextMatch.Exact)));
            Assert.Equal(1, await TotalAsync("Basic", Asked(text, TextMatch.Default)));
            Assert.Equal(1, await TotalAsync("Basic", Asked(text[1..], TextMatch.Contains)));
        }
        Assert.Equal(0, await TotalAsync("Basic", Asked("acme " + mark, TextMatch.Exact)));
        Assert.Equal(0, await TotalAsync("Basic", Asked(long1[..^1] + "?", TextMatch.Exact)));
        Assert.Equal(0, await TotalAsync("Basic", Asked(long1.Replace("one", "six", StringComparison.Ordinal), TextMatch.Default)));
    }

    [Fact]
    public async Task What_names_a_person_is_found_and_stands_in_no_index_in_clear()
    {
        var (options, file) = await engine.NewAsync();
        await using var database = await Engine.OpenAsync(options, file);
        var longSystem = "urn:" + new string('s', 4000);
        var born = new DateTimeOffset(1980, 5, 3, 0, 0, 0, TimeSpan.Zero);
        Fhir.IndexEntry[] personal =
        [
            Make.Token("identifier", "urn:mrn", "MRN-4711"), Make.Token("identifier", longSystem, "x"),
            new("name", "string", null, "Bina Rao", default, default),
            new("birthdate", "date", null, null, born, born.AddDays(1)), Make.Token("phone", "phone", "555-0100"),
            Make.Token("subject" + Fhir.SearchIndexer.OfIdentifier, "urn:mrn", "MRN-4712"),
            new("note", "string", null, "Tells of Bina", default, default),
        ];
        Fhir.IndexEntry[] index = [.. personal.Select(p => p with { IsPersonal = true }), Make.Token("gender", null, "female")];
        var write = Make.Version(Make.Facts("Patient", "x", "Organization/a", "x"), 1, index);
        Assert.IsType<CommitResult.Committed>(await database.CommitAsync(new CommitPlan { Versions = [write] }, default));
        SearchCriterion Personal(string parameter, string type, SearchValue value) => new(parameter, type, [value]) { IsPersonal = true };
        var day = new SearchValue(null, null, "lt", born.AddDays(9).ToUnixTimeMilliseconds(), born.AddDays(10).ToUnixTimeMilliseconds());
        foreach (var (criterion, count) in new[]
        {
            (Personal("identifier", "token", new SearchValue("urn:mrn", "MRN-4711")), 1),
            (Personal("identifier", "token", new SearchValue("urn:mrn", null)), 1),
            (Personal("identifier", "token", new SearchValue("urn:other", "MRN-4711")), 0),
            (Personal("identifier", "token", new SearchValue(longSystem, "x")), 1),
            (Personal("name", "string", new SearchValue(null, "BIN")), 1), (Personal("name", "string", new SearchValue(null, "Rao")), 0),
            (Personal("note", "string", new SearchValue(null, "tells OF b")), 1),
            (Personal("note", "string", new SearchValue(null, "of")), 0),
            (Personal("note", "string", new SearchValue(null, "Tells of Bina")) with { Match = TextMatch.Exact }, 1),
            (Personal("note", "string", new SearchValue(null, "tells of Bina")) with { Match = TextMatch.Exact }, 0),
            (Personal("birthdate", "date", day), 1), (Personal("birthdate", "date", day with { Prefix = "gt" }), 0),
            (Personal("birthdate", "date", day with { Prefix = "ne" }), 1),
        })
        {
            await using var snapshot = await database.SnapshotAsync(Make.Hospital(), searches: true, default);
            Assert.Equal(count, (await snapshot.SearchAsync(new SearchQuery("Patient", [criterion], 10, 0), default)).Total);
        }
        await using var raw = await RawDatabase.OpenAsync(options, file);
        var cells = new List<string>();
        foreach (var table in IndexRows.Tables)
            cells.AddRange((await raw.RowsAsync(table)).SelectMany(r => r.Values).OfType<object>().Select(v => $"{v}"));
        Assert.Contains("female", cells);
        foreach (var clear in new[] { "4711", "4712", "bina", "rao", "1980", "555-0100", $"{born.ToUnixTimeMilliseconds()}" })
            Assert.DoesNotContain(cells, c => c.Contains(clear, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_value_longer_than_a_database_indexes_is_found()
    {
        var value = new string('x', 100_000);
        await CommitAsync(Make.Version(Make.Facts("Basic", Id()), 1, [Make.Token("code", value, value)]));
        Assert.Equal(1, await TotalAsync("Basic", Token("code", value, value)));
        Assert.Equal(0, await TotalAsync("Basic", Token("code", value, value + "x")));
    }

    [Fact]
    public async Task Pages_hold_everything_once_and_the_total_is_exact_on_each()
    {
        var patient = Id();
        await CommitAsync([.. Enumerable.Range(0, 1250).Select(i => Make.Version(
            Make.Facts("Observation", $"{patient}-{i}", "Organization/a", patient), 1, [Make.Reference("patient", "Patient", patient)]))]);
        var seen = new HashSet<string>();
        var cursor = 0L;
        for (var page = 0; ; page++)
        {
            await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: true, default);
            var found = await snapshot.SearchAsync(
                new SearchQuery(
                    "Observation",
                    [new SearchCriterion("patient", "reference", [new SearchValue("Patient", patient)])],
                    400,
                    cursor), default);
            Assert.Equal(1250, found.Total);
            Assert.All(found.Versions, v => Assert.True(seen.Add(v.Version.Facts.Id)));
            if (found.Next is not { } next) break;
            cursor = next;
            Assert.True(page < 4);
        }
        Assert.Equal(1250, seen.Count);
    }

    [Fact]
    public async Task An_updated_record_is_found_by_what_it_says_now_and_a_deleted_one_by_nothing()
    {
        var facts = Make.Facts("Basic", Id());
        await CommitAsync(Make.Version(facts, 1, [Make.Token("code", "s", facts.Id + "old")]));
        await CommitAsync(Make.Version(facts, 2, [Make.Token("code", "s", facts.Id + "new")]));
        Assert.Equal(0, await TotalAsync("Basic", Token("code", "s", facts.Id + "old")));
        Assert.Equal(1, await TotalAsync("Basic", Token("code", "s", facts.Id + "new")));
        await CommitAsync(Make.Deletion(facts, 3));
        Assert.Equal(0, await TotalAsync("Basic", Token("code", "s", facts.Id + "new")));
        await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: false, default);
        Assert.True((await snapshot.ReadAsync("Basic", facts.Id, null, default))!.Version.IsDeleted);
    }

    [Fact]
    public async Task A_compartment_is_paged_and_narrowed_by_type()
    {
        var patient = Id();
        await CommitAsync(Make.Version(Make.Facts("Patient", patient, "Organization/a", patient)));
        for (var i = 0; i < 5; i++)
            await CommitAsync(Make.Version(Make.Facts(i < 3 ? "Observation" : "Condition", Id(), "Organization/a", patient)));
        await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: true, default);
        var first = await snapshot.CompartmentAsync(patient, null, 0, 4, default);
        Assert.Equal((6, 4, "Patient"), (first.Total, first.Versions.Count, first.Versions[0].Version.Facts.Type));
        Assert.Equal(2, (await snapshot.CompartmentAsync(patient, null, first.Next!.Value, 4, default)).Versions.Count);
        Assert.Equal(3, (await snapshot.CompartmentAsync(patient, ["Observation"], 0, 10, default)).Total);
        await using var others = await _database.SnapshotAsync(Make.Insurer(), searches: true, default);
        Assert.Equal(0, (await others.CompartmentAsync(patient, null, 0, 10, default)).Total);
    }

    [Fact]
    public async Task A_snapshot_does_not_see_what_is_written_after_it_began()
    {
        var patient = Id();
        Task WriteAsync() => CommitAsync(Make.Version(
            Make.Facts("Observation", Id(), "Organization/a", patient), 1, [Make.Reference("patient", "Patient", patient)]));
        await WriteAsync();
        var query = new SearchQuery(
            "Observation", [new SearchCriterion("patient", "reference", [new SearchValue("Patient", patient)])], 10, 0);
        await using var before = await _database.SnapshotAsync(Make.Hospital(), searches: true, default);
        await WriteAsync();
        Assert.Equal(1, (await before.SearchAsync(query, default)).Total);
        await using var after = await _database.SnapshotAsync(Make.Hospital(), searches: true, default);
        Assert.Equal(2, (await after.SearchAsync(query, default)).Total);
    }

    [Fact]
    public async Task A_statement_of_ours_that_is_wrong_is_a_fault_and_not_a_database_that_is_away()
    {
        var (options, file) = await engine.NewAsync();
        await using var database = await Engine.OpenAsync(options, file);
        await using (var snapshot = await database.SnapshotAsync(Make.Hospital(), searches: false, default))
            Assert.Null(await snapshot.ReadAsync("Basic", "x", null, default));
        await AuditContract.ExecuteAsync(options, file, "ALTER TABLE versions RENAME TO versions_elsewhere");
        await using (var snapshot = await database.SnapshotAsync(Make.Hospital(), searches: false, default))
            await Assert.ThrowsAnyAsync<DbException>(async () => await snapshot.ReadAsync("Basic", "x", null, default));
        await AuditContract.ExecuteAsync(options, file, "ALTER TABLE chain_view RENAME TO chain_view_elsewhere");
        await Assert.ThrowsAnyAsync<DbException>(
            async () => await database.SnapshotAsync(Make.Hospital(), searches: false, default));
    }

    [Fact]
    public async Task A_search_that_nobody_waits_for_any_more_is_stopped_in_the_middle_and_others_go_on()
    {
        var (options, file) = await engine.NewAsync();
        await using var database = await Engine.OpenAsync(options, file);
        var facts = Make.Facts("Observation", Id());
        var number = new Fhir.IndexEntry("number", "number", null, null, default, default) { Low = 1, High = 2 };
        await database.CommitAsync(new CommitPlan { Versions = [Make.Version(facts, 1, [number])] }, default);
        foreach (var sql in EndlessIndex.Sql(options.Provider)) await AuditContract.ExecuteAsync(options, file, sql);
        var query = new SearchQuery(
            "Observation", [new SearchCriterion("number", "number", [new SearchValue(null, null) { Number = 1, High = 9 }])], 10, 0);
        for (var i = 0; i < 3; i++)
        {
            using var gone = new CancellationTokenSource();
            var search = Task.Run(async () =>
            {
                await using var snapshot = await database.SnapshotAsync(Make.Hospital(), searches: true, gone.Token);
                return await snapshot.SearchAsync(query, gone.Token);
            });
            // By itself it never ends.
            Assert.NotSame(search, await Task.WhenAny(search, Task.Delay(200)));
            await gone.CancelAsync();
            var stopped = await Record.ExceptionAsync(() => search.WaitAsync(TimeSpan.FromSeconds(30)));
            Assert.True(stopped is OperationCanceledException or StoreUnavailableException, $"{stopped}");
        }
        await using var after = await database.SnapshotAsync(Make.Hospital(), searches: true, default);
        Assert.NotNull(await after.ReadAsync("Observation", facts.Id, null, default));
        Assert.Equal(1, (await after.SearchAsync(new SearchQuery("Observation", [], 10, 0), default)).Total);
    }

    private static string Id() => ResourceId.New();

    private static SearchCriterion Token(string parameter, string? system, string? code) =>
        new(parameter, "token", [new SearchValue(system, code)]);

    private static SearchCriterion Dated(string parameter, string prefix, DateTimeOffset from, DateTimeOffset to) =>
        new(parameter, "date", [new SearchValue(null, null, prefix, from.ToUnixTimeMilliseconds(), to.ToUnixTimeMilliseconds())]);

    private Task<long> TotalAsync(params SearchCriterion[] criteria) => TotalAsync("Observation", criteria);

    private async Task<long> TotalAsync(string type, params SearchCriterion[] criteria)
    {
        var totals = new List<long>();
        foreach (var way in _ways)
        {
            await using var snapshot = await way.SnapshotAsync(Make.Hospital(), searches: true, default);
            var page = await snapshot.SearchAsync(new SearchQuery(type, criteria, 100, 0), default);
            Assert.Equal(page.Total, page.Versions.Count);
            totals.Add(page.Total);
        }
        return Assert.Single(totals.Distinct());
    }

    private async Task CommitAsync(params VersionWrite[] versions) =>
        Assert.IsType<CommitResult.Committed>(await _database.CommitAsync(new CommitPlan { Versions = versions }, default));
}
