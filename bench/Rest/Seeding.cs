using System.Globalization;

namespace PmrGateway.Bench.Rest;

/// <summary>What a server holds before it is measured.</summary>
/// <param name="Patients">Ids.</param>
/// <param name="Documents">Ids, patient after patient.</param>
internal sealed record Seed(IReadOnlyList<string> Patients, IReadOnlyList<string> Documents);

/// <summary>Fills a server through its API.</summary>
internal static class Seeding
{
    private const int Parallelism = 4;
    private const int ConsentsPerBatch = 50;

    /// <summary>Patients with documents, one transaction a patient; the same bytes for every server.</summary>
    public static async Task<Seed> AddAsync(Target target, int patients, int documentsEach, int attachmentBytes)
    {
        var attachment = Records.Attachment(attachmentBytes);
        var ids = new List<string>[patients];
        await Parallel.ForAsync(0, patients, new ParallelOptions { MaxDegreeOfParallelism = Parallelism }, async (i, _) =>
        {
            const string Patient = "urn:uuid:6f1b9a52-0000-4000-8000-000000000001";
            var documents = Enumerable.Range(0, documentsEach).Select(j => Number(i, j + 1)).Select(number =>
                ("DocumentReference", Records.Document(number, Patient, number + attachment[number.Length..]), (string?)null));
            var bundle = Records.Bundle("transaction", [("Patient", Records.Patient(Number(i, 0), i), Patient), .. documents]);
            ids[i] = await target.PostBundleAsync("ehr", bundle);
        });
        return new Seed([.. ids.Select(i => i[0])], [.. ids.SelectMany(i => i.Skip(1))]);
    }

    /// <summary>A patient without anything.</summary>
    public static async Task<string> AddPatientAsync(Target target)
    {
        const int Last = 999_999;
        var bundle = Records.Bundle("transaction", [("Patient", Records.Patient(Number(Last, 0), Last), null)]);
        return (await target.PostBundleAsync("ehr", bundle))[0];
    }

    /// <summary>Consents; comes back when the chain has confirmed the last of them and the insurer sees so many documents.</summary>
    public static async Task GrantAsync(Target target, string insurer, IReadOnlyList<string> patients, int documents)
    {
        var organization = target.OrganizationOf(insurer);
        var last = await AddConsentsAsync(target, patients.Select(p => Records.Consent("Patient/" + p, organization)));
        await UntilConfirmedAsync(target, last);
        await UntilAsync($"the insurer sees {documents} documents", TimeSpan.FromMinutes(2), async () =>
            (await target.GetAsync(insurer, "DocumentReference?_summary=count")).GetProperty("total").GetInt32() == documents);
    }

    /// <summary>Consents in batches; the id of the last.</summary>
    public static async Task<string> AddConsentsAsync(Target target, IEnumerable<string> consents)
    {
        var last = "";
        foreach (var chunk in consents.Chunk(ConsentsPerBatch))
            last = (await target.PostBundleAsync("ehr", Records.Bundle("batch", chunk.Select(c => ("Consent", c, (string?)null)))))[^1];
        return last;
    }

    public static Task UntilConfirmedAsync(Target target, string consent, TimeSpan? patience = null) =>
        UntilAsync($"Consent/{consent} is confirmed", patience ?? TimeSpan.FromMinutes(5), async () =>
        {
            var status = await target.GetAsync("ehr", $"Consent/{consent}/$ledger-status");
            return status.GetRawText().Contains("\"confirmed\"", StringComparison.Ordinal);
        });

    /// <summary>Waits.</summary>
    /// <exception cref="BenchException">It did not become so in time.</exception>
    public static async Task UntilAsync(string what, TimeSpan patience, Func<Task<bool>> holds)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            if (TimeProvider.System.GetElapsedTime(start) > patience)
                throw new BenchException($"not within {patience.TotalSeconds:F0} s: {what}");
            await Task.Delay(250);
        }
    }

    /// <summary>Sixteen digits: the number of a patient's thing.</summary>
    public static string Number(int patient, int thing) => string.Create(CultureInfo.InvariantCulture, $"{patient + 1:D10}{thing:D6}");
}
