using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace PmrGateway.Bench.Rest;

/// <summary>
/// What the growth part fills a gateway with: patients with so many documents each, who all consent to one insurer, ten of them to a
/// second, none to a third. Loaded through transactions of 500.
/// </summary>
internal sealed class GrowthData(Target target, int size, int documentsEach)
{
    public const int Ten = 10;
    public const string InsurerOfAll = "insurer";
    public const string InsurerOfTen = "insurer-of-ten";
    public const string InsurerOfNone = "insurer-of-none";
    private const string LateInsurer = "insurer-late";
    private const int Parallelism = 4;
    private readonly int _perTransaction = 500 / (documentsEach + 1);
    private readonly string[] _patients = new string[size / (documentsEach + 1)];
    private readonly ConcurrentQueue<string> _witnesses = [];
    private string _lastConsent = "";
    private long _loadStart;

    public static string[] Clients { get; } = ["ehr", InsurerOfAll, InsurerOfTen, InsurerOfNone, LateInsurer];

    public Target Target => target;

    /// <summary>Documents a patient.</summary>
    public int DocumentsEach => documentsEach;

    /// <summary>Ids.</summary>
    public IReadOnlyList<string> Patients => _patients;

    /// <summary>Resources of the load a second, Consents not counted.</summary>
    public double PerSecond { get; private set; }

    /// <summary>Loads everything.</summary>
    public async Task LoadAsync()
    {
        _loadStart = Stopwatch.GetTimestamp();
        var transactions = _patients.Length / _perTransaction;
        await Parallel.ForAsync(0, transactions, new ParallelOptions { MaxDegreeOfParallelism = Parallelism }, async (i, _) =>
        {
            var entries = Enumerable.Range(i * _perTransaction, _perTransaction).SelectMany(Entries);
            var ids = await target.PostBundleAsync("ehr", Records.Bundle("transaction", entries));
            for (var p = 0; p < _perTransaction; p++) _patients[(i * _perTransaction) + p] = ids[p * (documentsEach + 2)];
            _witnesses.Enqueue(ids[^2]);
            if (i == transactions - 1) _lastConsent = ids[^1];
        });
        PerSecond = _patients.Length * (documentsEach + 1) / Stopwatch.GetElapsedTime(_loadStart).TotalSeconds;
    }

    /// <summary>Resources a second that went into blocks, from the start of the load until all are anchored, or patience ends.</summary>
    public async Task<double> AnchoredPerSecondAsync(TimeSpan patience)
    {
        var start = Stopwatch.GetTimestamp();
        double share;
        while ((share = await AnchoredShareAsync()) < 1 && Stopwatch.GetElapsedTime(start) < patience)
            await Task.Delay(TimeSpan.FromSeconds(1));
        return share * _patients.Length * (documentsEach + 1) / Stopwatch.GetElapsedTime(_loadStart).TotalSeconds;
    }

    // Anchoring follows the order of the writes, so that one document of each transaction tells.
    private async Task<double> AnchoredShareAsync()
    {
        var witnesses = _witnesses.ToArray();
        var (from, to) = (0, witnesses.Length);
        while (from < to)
        {
            var middle = (from + to) / 2;
            if (await IsAnchoredAsync(witnesses[middle])) from = middle + 1;
            else to = middle;
        }
        return from / (double)witnesses.Length;
    }

    /// <summary>Waits until every Consent of the load counts, and lets ten patients consent to the second insurer.</summary>
    public async Task GrantAsync(TimeSpan patience)
    {
        await Seeding.UntilConfirmedAsync(target, _lastConsent, patience);
        await Seeding.GrantAsync(target, InsurerOfTen, _patients[..Ten], Ten * documentsEach);
        await Seeding.UntilAsync($"{InsurerOfAll} sees {_patients.Length} patients", patience, async () =>
            (await target.GetAsync(InsurerOfAll, "Patient?_summary=count")).GetProperty("total").GetInt32() == _patients.Length);
    }

    /// <summary>Seconds from a Consent to the first read that it permits.</summary>
    public async Task<double> SecondsToGrantAsync(TimeSpan patience)
    {
        var patient = _patients[0];
        var start = Stopwatch.GetTimestamp();
        await Seeding.AddConsentsAsync(target, [Records.Consent("Patient/" + patient, target.OrganizationOf(LateInsurer))]);
        await Seeding.UntilAsync("a new Consent counts", patience, async () =>
            (await target.TryGetAsync(LateInsurer, $"Patient/{patient}")).Status == 200);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private async Task<bool> IsAnchoredAsync(string document)
    {
        var proof = await target.GetAsync("ehr", $"DocumentReference/{document}/$anchor-proof");
        return proof.GetRawText().Contains("\"block\"", StringComparison.Ordinal);
    }

    /// <summary>The identifier of a patient's first document.</summary>
    public static string FirstDocumentOf(int patient) => Seeding.Number(patient, 1);

    private IEnumerable<(string Type, string Json, string? Url)> Entries(int patient)
    {
        var url = string.Create(CultureInfo.InvariantCulture, $"urn:uuid:6f1b9a52-0000-4000-8000-{patient:D12}");
        yield return ("Patient", Records.Patient(Seeding.Number(patient, 0), patient), url);
        for (var i = 1; i <= documentsEach; i++)
            yield return ("DocumentReference", Records.LinkedDocument(Seeding.Number(patient, i), url), null);
        yield return ("Consent", Records.Consent(url, target.OrganizationOf(InsurerOfAll)), null);
    }
}
