using System.Diagnostics;

namespace PmrGateway.Bench.Rest;

/// <summary>The slow part: what becomes dearer with the data. A gateway of 1,000 resources and one of many run side by side.</summary>
internal static class GrowthPart
{
    private const int SmallSize = 1000;
    private const int Sample = 200;
    private const int Users = 4;
    private const int UsersOfReads = 16;
    private const int UsersOfGroup = 64;
    private const int ManyConsents = 1000;
    private static readonly TimeSpan GrantPatience = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan AnchorPatience = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan ToIdle = TimeSpan.FromSeconds(10);

    public static async Task RunAsync(BenchOptions options, Report report, string folder)
    {
        Task<Target> StartAsync(string name, string? chain)
        {
            var data = Path.Combine(folder, name);
            return chain is null
                ? Target.StartGatewayAsync(name, options.Pmr, data, GrowthData.Clients)
                : Target.StartGatewayOnAsync(chain, name, options.Pmr, data, GrowthData.Clients);
        }
        await using var smallGateway = await StartAsync("small", null);
        await using var largeGateway = await StartAsync("large", options.Chain);
        var small = new GrowthData(smallGateway, SmallSize, options.Documents);
        var large = new GrowthData(largeGateway, options.Size, options.Documents);
        await small.LoadAsync();
        await small.GrantAsync(GrantPatience);
        await large.LoadAsync();
        report.Detail($"{large.Patients.Count} patients, {options.Size} resources, {large.PerSecond:F0} loaded a second");
        await AnchoringAsync(options, report, large);
        await IdleMemoryAsync(options, report, largeGateway, "idle-rss-loaded");

        foreach (var workload in Searches(options, small, large)) await workload.RunAsync(options, report);
        await ManyConsentsAsync(options, report, large);
        await GroupCommitAsync(options, report, smallGateway, small.Patients[0]);
        await StartTimeAsync(options, report, large);
        await IdleMemoryAsync(options, report, largeGateway, "idle-rss-started");
    }

    private static IEnumerable<Workload> Searches(BenchOptions options, GrowthData small, GrowthData large)
    {
        var shape = new LoadShape(Users, options.Seconds);
        (string Name, string Client, bool Sees)[] viewers =
            [("own", "ehr", true), ("granted", GrowthData.InsurerOfAll, true), ("denied", GrowthData.InsurerOfNone, false)];
        foreach (var (name, client, sees) in viewers)
        {
            Workload Compare(string what, Func<GrowthData, IEnumerable<string>> paths, int found)
            {
                Leg Of(string size, GrowthData data) => Search(size, data, client, paths(data), sees ? found : 0);
                var row = Row.CpuRatio($"growth-{what}-{name}", 1.3, "large", "small");
                return new Workload($"search by {what}, {name}", shape, [Of("small", small), Of("large", large)], [row]);
            }
            yield return Compare("patient", ByPatient, large.DocumentsEach);
            yield return Compare("identifier", ByIdentifier, 1);
        }
        IEnumerable<string> byStatus = [$"DocumentReference?status=current&_count={large.DocumentsEach}"];
        Leg OfTen(string size, GrowthData data) =>
            Search(size, data, GrowthData.InsurerOfTen, byStatus, GrowthData.Ten * large.DocumentsEach, large.DocumentsEach);
        yield return new Workload("search by status, of ten patients", shape, [OfTen("small", small), OfTen("large", large)],
            [Row.CpuRatio("growth-status-of-ten", 1.3, "large", "small")]);
        var ten = large.Patients.Take(GrowthData.Ten).Select(PatientQuery).ToList();
        Leg By(string name, string insurer) => Search(name, large, insurer, ten, large.DocumentsEach);
        yield return new Workload(
            "search by patient, viewers",
            shape,
            [By("all", GrowthData.InsurerOfAll), By("ten", GrowthData.InsurerOfTen)],
            [Row.CpuRatio("grants-of-all-vs-10", 2, "all", "ten")]);
    }

    private static Leg Search(string name, GrowthData data, string client, IEnumerable<string> paths, int total, int? page = null)
    {
        var check = Leg.Expect(200, ($"\"total\":{total}", 1), ("\"resourceType\":\"DocumentReference\"", page ?? total));
        return Leg.Gets(name, data.Target, client, paths, check);
    }

    private static string PatientQuery(string patient) => $"DocumentReference?patient={patient}&_count=20";

    private static IEnumerable<string> ByPatient(GrowthData data) => SampleOf(data).Select(i => PatientQuery(data.Patients[i]));

    private static IEnumerable<string> ByIdentifier(GrowthData data) =>
        from patient in SampleOf(data)
        let identifier = $"{Records.DocumentSystem}|{GrowthData.FirstDocumentOf(patient)}"
        select "DocumentReference?identifier=" + Uri.EscapeDataString(identifier);

    private static IEnumerable<int> SampleOf(GrowthData data)
    {
        var count = Math.Min(Sample, data.Patients.Count);
        return Enumerable.Range(0, count).Select(i => (int)((long)i * data.Patients.Count / count));
    }

    // While the outbox is as full as it gets: how fast it is anchored, and how long a patient's new grant waits behind it. Comes back when
    // the consents count and all is anchored, so that nothing of it is measured as the cost of a search.
    private static async Task AnchoringAsync(BenchOptions options, Report report, GrowthData large)
    {
        const string Anchored = "anchored-per-second";
        const string Grant = "grant-behind-load";
        var anchoring = large.AnchoredPerSecondAsync(AnchorPatience);
        async Task WaitAsync() => report.Row(Grant, await large.SecondsToGrantAsync(GrantPatience), 10, "s");
        async Task RateAsync() => report.Row(Anchored, await anchoring, 0.95 * large.PerSecond, "/s", isAtLeast: true);
        if (options.Wants(Grant)) await report.TryAsync([Grant], WaitAsync);
        await large.GrantAsync(GrantPatience);
        if (options.Wants(Anchored)) await report.TryAsync([Anchored], RateAsync);
        else await anchoring;
    }

    private static async Task IdleMemoryAsync(BenchOptions options, Report report, Target gateway, string name)
    {
        if (!options.Wants(name)) return;
        await report.TryAsync([name], async () =>
        {
            await Task.Delay(ToIdle);
            report.Row(name, ProcessTree.ResidentMegabytes(gateway.Process.Id), 160, "MB");
        });
    }

    // One patient with 1,000 consents: half are the insurer's, of codes that the record does not have; half are somebody else's.
    private static async Task ManyConsentsAsync(BenchOptions options, Report report, GrowthData large)
    {
        const string Name = "consents-1000-vs-1";
        if (!options.Wants(Name)) return;
        var (one, many) = (large.Patients[^1], large.Patients[^2]);
        await report.TryAsync([Name], async () =>
        {
            string[] to = [large.Target.OrganizationOf(GrowthData.InsurerOfAll), large.Target.OrganizationOf("ehr")];
            var consents = Enumerable.Range(1, ManyConsents - 1).Select(i => Records.Consent("Patient/" + many, to[i % 2], $"no-{i}"));
            await Seeding.UntilConfirmedAsync(large.Target, await Seeding.AddConsentsAsync(large.Target, consents));
        });
        var check = Leg.Expect(200, ("\"resourceType\":\"Patient\"", 1));
        Leg Read(string name, string patient) => Leg.Gets(name, large.Target, GrowthData.InsurerOfAll, [$"Patient/{patient}"], check);
        var shape = new LoadShape(UsersOfReads, options.Seconds);
        var row = Row.CpuRatio(Name, 1.2, "many", "one");
        await new Workload("read Patient", shape, [Read("one", one), Read("many", many)], [row]).RunAsync(options, report);
    }

    private static async Task GroupCommitAsync(BenchOptions options, Report report, Target gateway, string patient)
    {
        const string Name = "group-commit-64-vs-1";
        if (!options.Wants(Name)) return;
        var body = new StampedBody(Records.Document(StampedBody.Mark, "Patient/" + patient, Records.Attachment(1024)));
        var leg = Leg.Posts("create document", gateway, "DocumentReference", body, Leg.Expect(201));
        await report.TryAsync([Name], async () =>
        {
            var (one, many) = (new List<double>(), new List<double>());
            for (var round = 0; round < options.Rounds; round++)
            {
                await gateway.RefreshTokensAsync();
                one.Add((await LoadRun.MeasureAsync(leg, new LoadShape(1, options.Seconds))).PerSecond);
                many.Add((await LoadRun.MeasureAsync(leg, new LoadShape(UsersOfGroup, options.Seconds))).PerSecond);
            }
            var (slow, fast) = (one.Order().ElementAt(one.Count / 2), many.Order().ElementAt(many.Count / 2));
            report.Detail($"create document 1 KB: {slow:F0}/s at c=1, {fast:F0}/s at c={UsersOfGroup}");
            report.Row(Name, fast / slow, 4, "x", isAtLeast: true);
        });
    }

    // From the start of the process to the first read.
    private static async Task StartTimeAsync(BenchOptions options, Report report, GrowthData large)
    {
        const string Name = "start";
        await report.TryAsync([Name], async () =>
        {
            async Task<bool> ReadsAsync() => (await large.Target.TryGetAsync("ehr", $"Patient/{large.Patients[0]}")).Status == 200;
            var start = await large.Target.RestartAsync();
            await large.Target.Process.WaitAsync(ReadsAsync, TimeSpan.FromMinutes(5));
            if (options.Wants(Name)) report.Row(Name, Stopwatch.GetElapsedTime(start).TotalSeconds, 2, "s");
        });
    }
}
