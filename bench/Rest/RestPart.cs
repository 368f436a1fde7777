namespace PmrGateway.Bench.Rest;

/// <summary>The default part: what a request costs the gateway, over what it costs the floor.</summary>
internal static class RestPart
{
    private const int Patients = 200;
    private const int DocumentsEach = 25;
    private const int PageSize = 20;
    private const int SmallAttachment = 1024;
    private const int LargeAttachment = 5 << 20;
    private const int Users = 16;
    private const int UsersOfLarge = 4;
    private const int LargeRequests = 24;
    private const int InTransaction = 50;
    // An insurer to whom nobody granted anything.
    private const string Stranger = "stranger";
    private const string IsPatient = "\"resourceType\":\"Patient\"";
    private const string IsDocument = "\"resourceType\":\"DocumentReference\"";

    public static async Task RunAsync(BenchOptions options, Report report, string folder)
    {
        await using var floor = await Target.StartFloorAsync(BenchOptions.Floor, Path.Combine(folder, "floor"));
        await using var gateway = await Target.StartGatewayAsync(
            "gateway", options.Pmr, Path.Combine(folder, "gateway"), "ehr", "insurer", Stranger);
        var inFloor = await Seeding.AddAsync(floor, Patients, DocumentsEach, SmallAttachment);
        var inGateway = await Seeding.AddAsync(gateway, Patients, DocumentsEach, SmallAttachment);
        await Seeding.GrantAsync(gateway, "insurer", inGateway.Patients, Patients * DocumentsEach);
        report.Detail($"{Patients} patients and {Patients * DocumentsEach} documents in both, all granted");
        foreach (var workload in Reads(options, floor, gateway, inFloor, inGateway)) await workload.RunAsync(options, report);
        await ShareOfAuditAsync(options, report, gateway, inGateway, folder);
        foreach (var workload in Withheld(options, gateway, inGateway)) await workload.RunAsync(options, report);
        var (floorPatient, gatewayPatient) = (await Seeding.AddPatientAsync(floor), await Seeding.AddPatientAsync(gateway));
        foreach (var workload in Writes(options, new Writer(floor, floorPatient), new Writer(gateway, gatewayPatient)))
            await workload.RunAsync(options, report);
        await MeasureUploadsAsync(options, report, gateway, gatewayPatient);
    }

    private static IEnumerable<Workload> Reads(BenchOptions options, Target floor, Target gateway, Seed inFloor, Seed inGateway)
    {
        var shape = new LoadShape(Users, options.Seconds);
        List<Leg> Legs(Func<Seed, IEnumerable<string>> paths, params (string Text, int Count)[] texts) =>
        [
            Leg.Gets("floor", floor, "ehr", paths(inFloor), Leg.Expect(200, texts)),
            Leg.Gets("insurer", gateway, "insurer", paths(inGateway), Leg.Expect(200, texts)),
        ];
        Leg Author(Func<Seed, IEnumerable<string>> paths, Leg insurer) =>
            Leg.Gets("author", gateway, "ehr", paths(inGateway), insurer.Check);

        var patients = Legs(seed => seed.Patients.Select(p => $"Patient/{p}"), (IsPatient, 1));
        yield return new Workload("read Patient", shape, patients, [Row.CpuRatio("read-patient", 3, "insurer", "floor", "xF")]);

        IEnumerable<string> DocumentPaths(Seed seed) => seed.Documents.Select(d => $"DocumentReference/{d}");
        var documents = Legs(DocumentPaths, (IsDocument, 1));
        yield return new Workload("read document", shape, [.. documents, Author(DocumentPaths, documents[1])],
        [
            Row.CpuRatio("read-document", 3, "insurer", "floor", "xF"),
            Row.CpuRatio("consent-overhead-read", 1.10, "insurer", "author"),
            new Row("written-per-read", 4, "KB", legs => legs["insurer"].Written / 1000),
        ]);

        IEnumerable<string> SearchPaths(Seed seed) => seed.Patients.Select(p => $"DocumentReference?patient={p}&_count={PageSize}");
        // The floor counts no totals; of the gateway's, a wrong one is an error.
        var searches = Legs(SearchPaths, (IsDocument, PageSize));
        searches[1] = searches[1] with { Check = Leg.Expect(200, (IsDocument, PageSize), ($"\"total\":{DocumentsEach}", 1)) };
        yield return new Workload("search 20 of a patient", shape, [.. searches, Author(SearchPaths, searches[1])],
        [
            Row.CpuRatio("search-20", 1.5, "insurer", "floor", "xF"),
            Row.CpuRatio("consent-overhead-search", 1.10, "insurer", "author"),
        ]);

        // The patient and the documents; what else a gateway finds in the compartment (the Consent, Binaries) is its own cost.
        var everything = Legs(seed => seed.Patients.Select(p => $"Patient/{p}/$everything"), (IsPatient, 1), (IsDocument, DocumentsEach));
        yield return new Workload("$everything", shape, everything, [Row.CpuRatio("everything", 1.5, "insurer", "floor", "xF")]);
    }

    // The same build, and beside it the same with an audit log that keeps nothing of reads.
    private static async Task ShareOfAuditAsync(BenchOptions options, Report report, Target gateway, Seed seed, string folder)
    {
        var row = new Row("audit-share-read", 0.25, "of it", legs => 1 - (legs["silent"].Cpu / legs["insurer"].Cpu));
        if (!options.Wants(row.Name)) return;
        await using var silent = await Target.StartSilentAsync(Path.Combine(folder, "silent"), "ehr", "insurer");
        var other = await Seeding.AddAsync(silent, Patients, DocumentsEach, SmallAttachment);
        await Seeding.GrantAsync(silent, "insurer", other.Patients, Patients * DocumentsEach);
        Leg Of(string name, Target target, Seed of) =>
            Leg.Gets(name, target, "insurer", of.Documents.Select(d => $"DocumentReference/{d}"), Leg.Expect(200, (IsDocument, 1)));
        var shape = new LoadShape(Users, options.Seconds);
        await new Workload("read, logged or not", shape, [Of("insurer", gateway, seed), Of("silent", silent, other)], [row])
            .RunAsync(options, report);
    }

    // How long a no takes, where there is something and where there is nothing: one user, so that nothing but the work is measured.
    private static IEnumerable<Workload> Withheld(BenchOptions options, Target gateway, Seed seed)
    {
        var alone = new LoadShape(1, options.Seconds);
        Leg Asked(string name, IEnumerable<string> paths, int status) => Leg.Gets(name, gateway, Stranger, paths, Leg.Expect(status));
        yield return new Workload("read of what is withheld", alone,
        [
            Asked("hidden", seed.Documents.Select(d => $"DocumentReference/{d}"), 404),
            // No document has the id of a patient.
            Asked("unknown", seed.Patients.Select(p => $"DocumentReference/{p}"), 404),
        ],
            [Row.TimeRatio("hidden-read", 1.02, "hidden", "unknown")]);
        Leg Searched(string name, string status) => Asked(name, [$"DocumentReference?status={status}&_count={PageSize}"], 200);
        yield return new Workload("search over what is withheld", alone, [Searched("hidden", "current"), Searched("unknown", "superseded")],
            [Row.TimeRatio("hidden-search", 1.1, "hidden", "unknown")]);
    }

    private static IEnumerable<Workload> Writes(BenchOptions options, Writer floor, Writer gateway)
    {
        var small = new LoadShape(Users, options.Seconds);
        var large = new LoadShape(UsersOfLarge, options.Seconds);
        Row Ratio(string name, double goal) => Row.CpuRatio(name, goal, "gateway", "floor", "xF");
        List<Leg> Legs(string path, Func<string, string> body, Func<RawAnswer, string?> check) =>
        [
            Leg.Posts("floor", floor.Target, path, new StampedBody(body(floor.Patient)), check),
            Leg.Posts("gateway", gateway.Target, path, new StampedBody(body(gateway.Patient)), check),
        ];
        List<Leg> Documents(int size)
        {
            var attachment = Records.Attachment(size);
            return Legs("DocumentReference", patient => Document(patient, attachment), Leg.Expect(201, (IsDocument, 1)));
        }

        var patients = Legs("Patient", _ => Records.Patient(StampedBody.Mark, 0), Leg.Expect(201, (IsPatient, 1)));
        yield return new Workload("create Patient", small, patients, [Ratio("create-patient", 4)]);
        yield return new Workload("create document 1 KB", small, Documents(SmallAttachment),
        [
            Ratio("create-document-1kb", 4),
            new Row("written-per-document", 20, "KB", legs => legs["gateway"].Written / 1000),
        ]);
        var attachment = Records.Attachment(SmallAttachment);
        string Transaction(string patient)
        {
            (string, string, string?) entry = ("DocumentReference", Document(patient, attachment), null);
            return Records.Bundle("transaction", Enumerable.Repeat(entry, InTransaction));
        }
        var transactions = Legs("", Transaction, Leg.Expect(200, ("\"status\":\"201", InTransaction)));
        yield return new Workload("transaction of 50", large, transactions, [Ratio("transaction-50", 3)]);

        yield return new Workload("create document 100 KB", small, Documents(100 * 1024), [Ratio("create-document-100kb", 1)]);
        var few = large with { MaxRequests = LargeRequests };
        yield return new Workload("create document 5 MB", few, Documents(LargeAttachment), [Ratio("create-document-5mb", 1)]);
    }

    private static string Document(string patient, string attachment) =>
        Records.Document(StampedBody.Mark, "Patient/" + patient, attachment);

    // Not a cost but a bound: how much memory so many large bodies in flight take.
    private static async Task MeasureUploadsAsync(BenchOptions options, Report report, Target gateway, string patient)
    {
        const string Name = "peak-rss-16-uploads-5mb";
        if (!options.Wants(Name)) return;
        await gateway.RefreshTokensAsync();
        var body = new StampedBody(Document(patient, Records.Attachment(LargeAttachment)));
        var uploads = Leg.Posts("gateway", gateway, "DocumentReference", body, Leg.Expect(201));
        await report.TryAsync([Name], async () =>
        {
            ProcessTree.ResetPeak(gateway.Process.Id);
            await LoadRun.MeasureAsync(uploads, new LoadShape(Users, 60, 2 * Users));
            report.Row(Name, ProcessTree.PeakMegabytes(gateway.Process.Id), 500, "MB");
        });
    }

    // A patient of their own, to be written about: so that what the reads find stays as it is.
    private sealed record Writer(Target Target, string Patient);
}
