using System.Data.Common;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// The gateway's durable state on SQLite or PostgreSQL. It is changed by plans and read through snapshots; what comes out of it is sealed.
/// A plan is durable when its task completes.
/// </summary>
public sealed class RecordDatabase : IAsyncDisposable
{
    private readonly SessionPool _readers;
    private readonly Writer _writer;
    private readonly VerdictRows _verdicts;
    private readonly RevocationLog _revocations;
    private readonly PlanTables _plans;
    private readonly CancellationTokenSource _closing = new();
    private readonly Task _listening;

    private RecordDatabase(IStoreEngine engine, int smallReach, string file)
    {
        Engine = engine;
        _readers = new SessionPool(engine);
        _writer = new Writer(engine);
        Interners = new Interners(BrokenRows);
        Seals = new RowSeals(BrokenRows);
        Records = new RecordRows(Interners, Seals);
        _revocations = new RevocationLog(Path.ChangeExtension(file, "revocations"), Seals);
        Consents = new ConsentTable(Interners, Seals, _revocations);
        Directory = new DirectoryTable(Seals);
        ChainEvents = new ChainEvents(Consents, Directory);
        _verdicts = new VerdictRows(Interners);
        Index = new IndexRows(Interners, IndexKey);
        var reach = new Reach(smallReach);
        Search = new SearchReader(Interners, IndexKey, _verdicts, reach);
        History = new HistoryReader(reach);
        _plans = new PlanTables(new VersionTable(Interners, Records, Seals, Index), Consents, Directory, Search, Actors);
        _listening = engine.ListenAsync(topic => Heard?.Invoke(topic), _closing.Token);
    }

    /// <summary>
    /// Something that every process on this database is to know: raised here for what other processes tell, and for what this one does.
    /// </summary>
    /// <remarks>The topic, or "" where something may have been missed: then anything may be out of date.</remarks>
    public event Action<string>? Heard;

    /// <summary>Why nothing can be written now; null: the last change was.</summary>
    public Exception? Failure => _writer.Failure ?? _revocations.Failure;

    /// <summary>Rows that were found not to be what was sealed.</summary>
    public BrokenRows BrokenRows { get; } = new();

    /// <summary>
    /// Tells by what a version is found, from its content: what the index says of it decides no access. Asked of a viewer whose token
    /// reaches a type by search parameters alone; null: there is no such viewer here.
    /// </summary>
    public ContentIndex? ContentIndex { get; set; }

    internal IStoreEngine Engine { get; }

    internal Interners Interners { get; }

    internal RowSeals Seals { get; }

    internal RecordRows Records { get; }

    internal IndexKey IndexKey { get; } = new();

    internal IndexRows Index { get; }

    internal ConsentTable Consents { get; }

    internal DirectoryTable Directory { get; }

    internal ChainEvents ChainEvents { get; }

    internal ActorCache Actors { get; } = new();

    internal SearchReader Search { get; }

    internal HistoryReader History { get; }

    /// <summary>Opens the database and brings its tables to this version.</summary>
    /// <param name="options">Which database.</param>
    /// <param name="file">File of a SQLite database; made when it is not there. What is kept beside a database lies beside it.</param>
    /// <exception cref="StoreStartException">It cannot be used; the message says what to do.</exception>
    public static RecordDatabase Open(StoreOptions options, string file) => Open(options, file, isAskedAlone: false);

    /// <summary>Opens a database whose tables are of this version, and changes none: a gateway may be running on it.</summary>
    /// <param name="options">Which database.</param>
    /// <param name="file">File of a SQLite database.</param>
    /// <exception cref="StoreStartException">It cannot be used, or is of an earlier version.</exception>
    public static RecordDatabase OpenCurrent(StoreOptions options, string file) => Open(options, file, isAskedAlone: true);

    private static RecordDatabase Open(StoreOptions options, string file, bool isAskedAlone)
    {
        IStoreEngine engine = options.Provider == "postgres" ? new PostgresEngine(options.ConnectionString) : new SqliteEngine(file);
        engine.Migrate(isAskedAlone);
        return new RecordDatabase(engine, options.SmallReach, file);
    }

    /// <summary>
    /// Gives the database the keys of its rows' seals and of its index, and seals, once, the rows that were there before there were seals.
    /// Until then it tells facts about the deployment, from which it is known whether the keyring is its own; it carries nothing out, and
    /// believes nothing.
    /// </summary>
    /// <param name="seal">The key of the seals.</param>
    /// <param name="indexKey">32 bytes that the database does not hold: the key of the index's values that name a person.</param>
    /// <param name="areSealed">Whether it is known elsewhere that all rows were sealed: then one that is not was made by others.</param>
    /// <param name="cancellation">Stops before anything is changed.</param>
    /// <returns>How many rows were sealed: 0 on any start but the first after the step that brought seals.</returns>
    /// <exception cref="StoreStartException">The rows were sealed, and the note of it was changed.</exception>
    public Task<long> SealAsync(RowSeal seal, byte[] indexKey, bool areSealed, CancellationToken cancellation)
    {
        IndexKey.Use(indexKey);
        RowsAreSealed = areSealed;
        Seals.Use(seal);
        return FirstSealing.RunAsync(this, cancellation);
    }

    /// <summary>Whether it is known, elsewhere than in the database, that all rows were sealed once.</summary>
    public bool RowsAreSealed { get; private set; }

    /// <summary>The seal of a row that another part of the gateway keeps, beside the records or in a file of its own.</summary>
    public byte[] SealOf(RowBytes row) => Seals.Of(row);

    /// <summary>Whether such a row is the one that was sealed; where it is not, that is noted among <see cref="BrokenRows"/>.</summary>
    /// <param name="row">The row.</param>
    /// <param name="seal">The seal that is kept with it; null: none.</param>
    /// <param name="table">Its table.</param>
    /// <param name="key">Its key.</param>
    public bool IsWhole(RowBytes row, byte[]? seal, string table, string key) => Seals.Check(row, seal, table, key);

    /// <summary>Notes that a sealed row of another database is there no more: it is broken no longer either.</summary>
    /// <param name="table">Its table.</param>
    /// <param name="key">Its key.</param>
    public void NoteGone(string table, string key) => BrokenRows.Remove(table, key);

    /// <summary>Notes whether the body of a version, once it was opened, is the one that was sealed.</summary>
    public void NoteBody(StoredVersion version, bool isWhole)
    {
        const string Bodies = "bodies";
        if (isWhole && !BrokenRows.Any) return;
        var key = $"{version.Facts.Type}/{version.Facts.Id}/_history/{version.Version}";
        if (isWhole) BrokenRows.Remove(Bodies, key);
        else BrokenRows.Add(Bodies, key);
    }

    /// <summary>Carries a plan out, all or nothing; it is durable when this returns <see cref="CommitResult.Committed"/>.</summary>
    /// <param name="plan">What is changed.</param>
    /// <param name="cancellation">Stops only before the writer has begun with the plan.</param>
    /// <exception cref="StoreUnavailableException">Nothing was kept.</exception>
    public async Task<CommitResult> CommitAsync(CommitPlan plan, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return await _writer.RunAsync<CommitResult>(
                    async change =>
                    {
                        await _plans.ApplyAsync(change, plan);
                        return new CommitResult.Committed();
                    },
                    cancellation);
            }
            catch (PlanRefusedException e)
            {
                return e.Result;
            }
            catch (VerdictsMissingException e)
            {
                await _verdicts.CompleteAsync(this, e.Who, cancellation);
            }
        }
    }

    /// <summary>One state of the records under a viewer's eyes.</summary>
    /// <param name="who">Who looks.</param>
    /// <param name="searches">Whether it will be searched; false: only single records are read.</param>
    /// <param name="cancellation">Stops the reads of this snapshot.</param>
    /// <exception cref="StoreUnavailableException">The database cannot be read.</exception>
    public async ValueTask<ReadSnapshot> SnapshotAsync(Viewer who, bool searches, CancellationToken cancellation)
    {
        while (true)
        {
            // Asked before the snapshot begins: what is completed after that, it does not see.
            var known = _verdicts.Of(who);
            var session = await _readers.RentAsync(cancellation);
            try
            {
                await session.ExecuteAsync(Engine.BeginSnapshot, cancellation);
                var state = await SnapshotState.ReadAsync(session, cancellation);
                var viewer = await state.BindAsync(session, Interners, IndexKey, who, known, searches, cancellation);
                return new ReadSnapshot(this, session, viewer, state.Chain, cancellation);
            }
            catch (VerdictsMissingException e)
            {
                await EndAsync(session, isBroken: false);
                await _verdicts.CompleteAsync(this, e.Who, cancellation);
            }
            catch (Exception e)
            {
                await session.DisposeAsync();
                if (Engine.Unavailable(e) is { } unavailable) throw unavailable;
                throw;
            }
        }
    }

    /// <summary>A fact about the deployment, or null. E.g. the check value of its keyring.</summary>
    public ValueTask<string?> DeploymentFactAsync(string name, CancellationToken cancellation) => ReadAsync(
        (session, stop) => session.FirstAsync("SELECT value FROM deployment WHERE name = $1", static r => r.GetString(0), stop, name),
        cancellation);

    /// <summary>Keeps a fact about the deployment unless there is one, and returns the one kept.</summary>
    public Task<string> KeepDeploymentFactAsync(string name, string value) => ChangeAsync(async change =>
    {
        await change.ExecuteAsync("INSERT INTO deployment (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, value);
        return (await change.FirstAsync("SELECT value FROM deployment WHERE name = $1", static r => r.GetString(0), name))!;
    });

    /// <summary>
    /// Ids of the patients whom a record concerns, for what is written down of a refusal; none where there is no such record.
    /// </summary>
    /// <param name="type">Resource type.</param>
    /// <param name="id">Logical id.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <exception cref="StoreUnavailableException">The database cannot be read.</exception>
    public async ValueTask<IReadOnlyList<string>> ConcernedAsync(string type, string id, CancellationToken cancellation) =>
        Interner.PatientsOf(await PatientsAsync(type, id, cancellation));

    /// <summary>The same, and ids of further patients, of whom the record holds a copy (<see cref="RecordFacts.Others"/>).</summary>
    public async ValueTask<(IReadOnlyList<string> Patients, IReadOnlyList<string> Others)> ToldOfAsync(
        string type, string id, CancellationToken cancellation) =>
        await PatientsAsync(type, id, cancellation) is var ids ? (Interner.PatientsOf(ids), Interner.OthersOf(ids)) : default;

    /// <summary>Ids of the patients whom any of some records concern.</summary>
    /// <param name="records">The records, <c>Type/id</c>; of what there is not, nobody.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<IReadOnlyList<string>> ConcernedAsync(IEnumerable<string> records, CancellationToken cancellation)
    {
        var found = new List<string>();
        foreach (var type in records.Select(r => r.Split('/')).GroupBy(r => r[0], r => r[1]))
        {
            var rows = await ReadAsync(
                (session, stop) => session.QueryAsync(
                    $"SELECT patients FROM resources WHERE type = $1 AND id {session.Engine.IsOneOf("$2")}",
                    static r => r.GetString(0), stop, type.Key, session.Engine.List([.. type.Select(IndexText.Of)])),
                cancellation);
            found.AddRange(rows.SelectMany(Interner.PatientsOf));
        }
        return [.. found.Distinct()];
    }

    /// <summary>Ids of the patients whom earlier versions of a record concerned, and the current one does not.</summary>
    public async ValueTask<IReadOnlyList<string>> FormerAsync(string type, string id, CancellationToken cancellation) =>
        Interner.FormerOf(await PatientsAsync(type, id, cancellation));

    private async ValueTask<string> PatientsAsync(string type, string id, CancellationToken cancellation) => await ReadAsync(
        (session, stop) => session.FirstAsync(
            "SELECT patients FROM resources WHERE type = $1 AND id = $2", static r => r.GetString(0), stop, type, id),
        cancellation) ?? "";

    /// <summary>Ids of the Binaries whose content is a part of a record, as it is now.</summary>
    public async ValueTask<IReadOnlyList<string>> EnclosingAsync(string type, string id, CancellationToken cancellation) => await ReadAsync(
        (session, stop) => session.QueryAsync(
            "SELECT y.reference FROM record_links y JOIN resources r ON r.rid = y.rid WHERE r.type = $1 AND r.id = $2 AND y.kind = $3",
            static r => r.GetString(0)["Binary/".Length..], stop, type, id, (long)LinkKind.Encloses),
        cancellation);

    /// <summary>Records that are indexed by other definitions than those of now, in the order in which they came.</summary>
    /// <param name="after">Those behind this one; 0: from the first.</param>
    /// <param name="most">How many at most.</param>
    /// <param name="cancellation">Stops the read.</param>
    public ValueTask<List<UnindexedRecord>> UnindexedAsync(long after, int most, CancellationToken cancellation) => ReadAsync(
        (session, stop) => session.QueryAsync(
            $"SELECT rid, type, id, version, author, patients FROM resources WHERE rid > $1 AND {IndexRows.IsUnindexed} "
                + "ORDER BY rid LIMIT $2",
            static r => new UnindexedRecord(
                r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetInt64(3), r.GetString(4),
                Interner.PatientsOf(r.GetString(5)).FirstOrDefault()),
            stop, after, most),
        cancellation);

    /// <summary>
    /// Notes whether there are patients whom the index does not have: while there are, nobody is looked up by identifier in vain.
    /// </summary>
    public async Task NoteUnindexedPatientsAsync(CancellationToken cancellation) =>
        HasUnindexedPatients = await ReadAsync(
            (session, stop) => session.NumberAsync(UnindexedPatient, stop), cancellation) is not null;

    internal static readonly string UnindexedPatient =
        $"SELECT 1 FROM resources WHERE type = 'Patient' AND {IndexRows.IsUnindexed} LIMIT 1";

    internal bool HasUnindexedPatients { get; private set; }

    /// <summary>Takes what was dropped or deleted out of the database's files, where it would lie on.</summary>
    public async Task ForgetAsync(CancellationToken cancellation)
    {
        foreach (var statement in Engine.Forget)
            await ReadAsync(async (session, stop) => await session.ExecuteAsync(statement, stop), cancellation);
    }

    /// <summary>Puts the search values of records into the index, in the place of those that they have there.</summary>
    /// <param name="records">They; one that was written since is passed over, being indexed by that.</param>
    public Task IndexAsync(IReadOnlyList<(UnindexedRecord Record, IReadOnlyList<Fhir.IndexEntry> Entries)> records) => ChangeAsync(
        async change =>
        {
            foreach (var (record, entries) in records)
            {
                var isAsItWas = await change.ExecuteAsync(
                    "UPDATE resources SET indexed = $1 WHERE rid = $2 AND version = $3", IndexRows.Definitions, record.Rid,
                    record.Version) == 1;
                if (!isAsItWas) continue;
                await IndexRows.RemoveAsync(change, record.Rid);
                await Index.AddAsync(change, record.Rid, record.Type, entries);
            }
            return true;
        });

    /// <summary>
    /// Ids of the Consents that this gateway has revoked, and that stand in the database nevertheless: it was restored from a backup that
    /// is older.
    /// </summary>
    public ValueTask<IReadOnlyList<string>> ForgottenRevocationsAsync(CancellationToken cancellation) =>
        ReadAsync(Consents.ForgottenAsync, cancellation);

    /// <summary>Whether there is any record: what was never sealed needs no key.</summary>
    public async ValueTask<bool> HasRecordsAsync(CancellationToken cancellation) =>
        await ReadAsync((session, stop) => session.NumberAsync("SELECT 1 FROM versions LIMIT 1", stop), cancellation) is not null;

    /// <summary>The wrapped key of one subject or another; null: there is none. What opens it is the keyring of this data.</summary>
    public ValueTask<KeptSubjectKey?> AnySubjectKeyAsync(CancellationToken cancellation) => ReadAsync(
        (session, stop) => session.FirstAsync(
            "SELECT subject, wrapped FROM subject_keys LIMIT 1", static r => new KeptSubjectKey(r.GetString(0), r.Bytes(1)), stop),
        cancellation);

    /// <summary>
    /// What several processes must not do at once on a new database is done under this; disposed of, the next one has it.
    /// </summary>
    public ValueTask<IAsyncDisposable?> LockStartAsync(CancellationToken cancellation) => Engine.LockStartAsync(cancellation);

    /// <summary>Tells every process on this database, this one included.</summary>
    public async Task TellAsync(string topic, CancellationToken cancellation)
    {
        Heard?.Invoke(topic);
        if (Engine.Notify is { } notify)
            await ReadAsync(async (session, stop) => await session.QueryAsync(notify, static _ => true, stop, topic), cancellation);
    }

    internal ValueTask<T> ReadAsync<T>(Func<Session, CancellationToken, ValueTask<T>> read, CancellationToken cancellation) =>
        _readers.RunAsync(read, cancellation);

    internal Task<T> ChangeAsync<T>(Func<Change, ValueTask<T>> change) => _writer.RunAsync(change, default);

    internal async ValueTask EndAsync(Session session, bool isBroken)
    {
        try
        {
            if (!isBroken)
            {
                await session.ExecuteAsync("COMMIT", default);
                await _readers.ReturnAsync(session);
                return;
            }
        }
        catch (DbException)
        {
            // Nothing was changed in it; the connection goes.
        }
        await session.DisposeAsync();
    }

    /// <summary>Finishes the changes that are queued and closes.</summary>
    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _listening;
        await _writer.DisposeAsync();
        await _readers.DisposeAsync();
        await Engine.DisposeAsync();
        _closing.Dispose();
    }
}

/// <summary>A subject's key as the database keeps it.</summary>
/// <param name="Subject">Whose it is.</param>
/// <param name="Wrapped">The key, wrapped by the master key.</param>
public sealed record KeptSubjectKey(string Subject, byte[] Wrapped);

/// <summary>A record that is to be indexed anew.</summary>
/// <param name="Rid">Its number in the database.</param>
/// <param name="Type">Resource type.</param>
/// <param name="Id">Logical id.</param>
/// <param name="Version">Its current version.</param>
/// <param name="Author">As whom that was written.</param>
/// <param name="Patient">The first of its patients; null: it has none.</param>
public sealed record UnindexedRecord(long Rid, string Type, string Id, long Version, string Author, string? Patient);
