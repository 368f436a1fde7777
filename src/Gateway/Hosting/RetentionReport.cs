using System.Runtime.CompilerServices;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Flows;
using PmrGateway.Ipfs;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Hosting;

/// <summary>A record in the report.</summary>
/// <param name="Reference">Which, <c>Type/id</c>; of the audit log <c>AuditEvent</c>.</param>
/// <param name="IsDeleted">Whether it was deleted.</param>
/// <param name="Answer">How long it is kept; null: its row, or that of a patient, is not what was sealed, so it is.</param>
/// <param name="IsPast">Whether it need not be kept any more.</param>
internal sealed record RetentionLine(string Reference, bool IsDeleted, RetentionAnswer? Answer, bool IsPast);

/// <summary>
/// How long each record is kept, for the operator, over a database and its keyring; the gateway may be running. Records come a page at a
/// time, and of their patients a bounded number is remembered. A Patient is opened where its birth date can make a difference, once
/// for as long as it is remembered.
/// </summary>
internal sealed class RetentionReport(RecordDatabase database, Keyring keyring, RetentionTable table, TimeProvider time)
{
    private const int AtOnce = 500;
    private const int MaxRemembered = 10_000;

    private readonly RetentionStore _store = new(database);
    private readonly LegalHolds _holds = new(database, new DirectoryStore(database), time);
    private readonly BirthDates _births = Births(database, new RecordVault(keyring), time);
    private readonly Dictionary<string, RetainedPatient> _patients = new(StringComparer.Ordinal);
    private readonly Dictionary<string, DateOnly?> _longest = new(StringComparer.Ordinal);

    /// <summary>The day of the report.</summary>
    public DateOnly Today { get; } = DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime);

    /// <summary>Records in the order in which they came, deleted ones too; of one patient, the audit log last.</summary>
    /// <param name="patient">Id of the patient; null: of all.</param>
    /// <param name="due">Whether only what is past retention is told.</param>
    /// <param name="cancellation">Stops between records.</param>
    public async IAsyncEnumerable<RetentionLine> RunAsync(
        string? patient, bool due, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var record in RecordsAsync(patient, cancellation))
        {
            var reference = $"{record.Type}/{record.Id}";
            if (!record.IsWhole)
            {
                if (!due) yield return new RetentionLine(reference, record.IsDeleted, null, false);
                continue;
            }
            // What is kept for an adult is kept for a minor too: nobody has to be asked.
            if (due && !RetentionRule.Of(table, Retained(record)).IsPast(Today)) continue;
            var line = await LineAsync(reference, record, cancellation);
            if (!due || line.IsPast) yield return line;
        }
        if (patient is null || await _store.LastEntryAsync(patient, cancellation) is not { } last) yield break;
        var log = await LineAsync("AuditEvent", new KeptRecord(0, "AuditEvent", "", false, [patient], null, last, true), cancellation);
        if (!due || log.IsPast) yield return log;
    }

    private async ValueTask<RetentionLine> LineAsync(string reference, KeptRecord record, CancellationToken cancellation)
    {
        try
        {
            var answer = await AnswerAsync(record, cancellation);
            return new RetentionLine(reference, record.IsDeleted, answer, answer.IsPast(Today));
        }
        catch (RowBrokenException)
        {
            // Whether a hold stands on one of its patients nobody knows.
            return new RetentionLine(reference, record.IsDeleted, null, false);
        }
    }

    private async IAsyncEnumerable<KeptRecord> RecordsAsync(string? patient, [EnumeratorCancellation] CancellationToken cancellation)
    {
        for (long? after = 0; after is { } behind;)
        {
            (var page, after) = await _store.RecordsAsync(patient, behind, AtOnce, cancellation);
            foreach (var record in page) yield return record;
        }
    }

    private async ValueTask<RetentionAnswer> AnswerAsync(KeptRecord record, CancellationToken cancellation)
    {
        var answer = await OwnAsync(record, cancellation);
        if (!RetentionRule.GoesWithLongest(record.Type)) return answer;
        DateOnly? longest = null;
        if (record.Type == "Binary")
        {
            foreach (var linker in await _store.LinkersAsync(record.Id, cancellation))
            {
                Take(linker.IsWhole ? (await AnswerAsync(linker, cancellation)).Until ?? DateOnly.MaxValue : DateOnly.MaxValue);
                // Another hospital's may be held without it.
                record = record with { Patients = [.. record.Patients.Union(linker.Patients)] };
            }
        }
        else
        {
            foreach (var patient in record.Patients) Take(await LongestAsync(patient, cancellation));
        }
        return RetentionRule.Of(table, Retained(record, await PatientsAsync(record, cancellation)) with { Longest = longest });

        void Take(DateOnly? day)
        {
            if (longest is null || day > longest) longest = day;
        }
    }

    private async ValueTask<RetentionAnswer> OwnAsync(KeptRecord record, CancellationToken cancellation) =>
        RetentionRule.Of(table, Retained(record, await PatientsAsync(record, cancellation)));

    // Of all records of a patient, those of which nothing can be said for ever.
    private async ValueTask<DateOnly?> LongestAsync(string patient, CancellationToken cancellation)
    {
        if (_longest.TryGetValue(patient, out var known)) return known;
        DateOnly? longest = null;
        await foreach (var record in RecordsAsync(patient, cancellation))
        {
            var until = record.IsWhole
                ? (await OwnAsync(record, cancellation)).Until ?? DateOnly.MaxValue
                : DateOnly.MaxValue;
            if (longest is null || until > longest) longest = until;
        }
        Remember(_longest, patient, longest);
        return longest;
    }

    private async ValueTask<List<RetainedPatient>> PatientsAsync(KeptRecord record, CancellationToken cancellation)
    {
        var patients = new List<RetainedPatient>(record.Patients.Count);
        foreach (var patient in record.Patients)
        {
            if (!_patients.TryGetValue(patient, out var known))
            {
                var isHeld = (await _holds.StandingAsync(patient, cancellation)).Count > 0;
                Remember(_patients, patient, known = new RetainedPatient(await _births.OfAsync(patient, cancellation), isHeld));
            }
            patients.Add(known);
        }
        return patients;
    }

    private static RetainedRecord Retained(KeptRecord record, IReadOnlyList<RetainedPatient>? patients = null) =>
        new(record.Type, record.To, record.LastWritten, patients ?? []) { IsDeleted = record.IsDeleted };

    // Those that come next are mostly those that came last: all are forgotten at once, which is rare.
    private static void Remember<T>(Dictionary<string, T> known, string patient, T value)
    {
        if (known.Count >= MaxRemembered) known.Clear();
        known[patient] = value;
    }

    // Bodies are in the database; the blocks are the gateway's.
    private static BirthDates Births(RecordDatabase database, RecordVault vault, TimeProvider time)
    {
        var files = new UnixFs(new NoBlocks());
        return new BirthDates(
            database, new RecordOpener(database, vault, files, new ContentStore(files, vault), new SearchIndexer(FhirSchema.R4)), time);
    }

    private sealed class NoBlocks : IBlockStore
    {
        public IBlockBatch Begin() => throw new BlockStoreUnavailableException("beside its gateway no block is written");

        public ValueTask<int> ReadAsync(Cid cid, Memory<byte> into, CancellationToken cancellation) =>
            throw new BlockStoreUnavailableException("beside its gateway no block is read");
    }
}
