using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

/// <summary>A database of one engine, new for each use, with what a test does to it again and again.</summary>
public abstract class Engine : IAsyncLifetime
{
    private readonly List<RecordDatabase> _open = [];
    private readonly Dictionary<int, RecordDatabase> _shared = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("pmr-store-").FullName;
    private int _count;

    internal StoreOptions Options { get; private set; } = new();

    internal string File { get; private set; } = "";

    public virtual async Task InitializeAsync() => (Options, File) = await NewAsync();

    public virtual async Task DisposeAsync()
    {
        foreach (var database in _open) await database.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>A file for a database, or for what lies beside one that is no file.</summary>
    protected string NewFile() => Path.Combine(_folder, $"{_count++}.db");

    internal abstract Task<(StoreOptions Options, string File)> NewAsync();

    /// <summary>The database as it is open for all tests of a class: each session of each is a connection of the server's.</summary>
    /// <param name="smallReach">Setting <c>Store:SmallReach</c>.</param>
    internal RecordDatabase Shared(int smallReach = 500)
    {
        if (!_shared.TryGetValue(smallReach, out var database)) _shared[smallReach] = database = Open(smallReach);
        return database;
    }

    /// <summary>Opens the database once more, as another process would.</summary>
    /// <param name="smallReach">Setting <c>Store:SmallReach</c>.</param>
    internal RecordDatabase Open(int smallReach = 500)
    {
        var options = new StoreOptions
        {
            Provider = Options.Provider,
            ConnectionString = Options.ConnectionString,
            SmallReach = smallReach,
        };
        var database = OpenAsync(options, File).GetAwaiter().GetResult();
        _open.Add(database);
        return database;
    }

    /// <summary>Opens a database whose rows are sealed under the key of the tests.</summary>
    internal static async Task<RecordDatabase> OpenAsync(StoreOptions options, string file)
    {
        var database = RecordDatabase.Open(options, file);
        await database.SealAsync(new RowSeal(Enumerable.Repeat((byte)7, 32).ToArray()), new byte[32], areSealed: false, default);
        return database;
    }
}

public sealed class Sqlite : Engine
{
    internal override Task<(StoreOptions, string)> NewAsync() => Task.FromResult((new StoreOptions(), NewFile()));
}

public sealed class Postgres : Engine
{
    private static readonly SemaphoreSlim Starting = new(1, 1);
    private static PostgresServer? _server;

    internal override async Task<(StoreOptions, string)> NewAsync() =>
        (new StoreOptions { Provider = "postgres", ConnectionString = await (await ServerAsync()).NewDatabaseAsync() }, NewFile());

    /// <summary>One server for all tests of the run.</summary>
    internal static async Task<PostgresServer> ServerAsync()
    {
        await Starting.WaitAsync();
        try
        {
            if (_server is not null) return _server;
            _server = await PostgresServer.StartAsync();
            AppDomain.CurrentDomain.ProcessExit += (_, _) => _server.DisposeAsync().AsTask().GetAwaiter().GetResult();
            return _server;
        }
        finally
        {
            Starting.Release();
        }
    }
}

/// <summary>What the tests put into a database.</summary>
internal static class Make
{
    public static readonly DateTimeOffset Epoch = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static RecordFacts Facts(string type, string id, string custodian = "Organization/a", string? patients = null,
        params RecordLabel[] labels) =>
        new(type, id, custodian, patients is null ? [] : patients.Split(' '), labels) { Author = "client:" + custodian };

    public static VersionWrite Version(RecordFacts facts, long version = 1,
        IReadOnlyList<Fhir.IndexEntry>? index = null, params string[] links) =>
        new(
            new StoredVersion(facts, version, Epoch, false, "Patient/" + (facts.Patients.Count > 0 ? facts.Patients[0] : ""), [1, 2, 3],
                Cid, [4], [5], [6], [7], null),
            index ?? [], links);

    public static VersionWrite Deletion(RecordFacts facts, long version) => new(StoredVersion.Deletion(facts, version, Epoch), [], []);

    public static Fhir.IndexEntry Token(string parameter, string? system, string code) =>
        new(parameter, "token", system, code, default, default);

    public static Fhir.IndexEntry Reference(string parameter, string type, string id) =>
        new(parameter, "reference", type, id, default, default);

    public static Fhir.IndexEntry Date(string parameter, DateTimeOffset from, DateTimeOffset to) =>
        new(parameter, "date", null, null, from, to);

    public static Viewer Hospital(string organization = "Organization/a") =>
        new(new Requester(organization, organization, null, null, true, ["TREAT"]) { Author = "client:" + organization }, Epoch, 0);

    public static Viewer Insurer(DateTimeOffset? now = null) =>
        new(new Requester("Organization/i", "Organization/i", null, null, true, ["HPAYMT"]), now ?? Epoch, 0);

    public static ConsentTerms Permit(string patient, string actor = "Organization/i", bool permits = true) => new(
        patient, permits, new Provision(Epoch.AddYears(-1), Epoch.AddYears(1), [actor], [], [], [], []), []);

    /// <summary>A consent that is given, under the commitment of its terms.</summary>
    /// <param name="consentId">Its Consent resource; the salt too, so that the same terms may be given twice.</param>
    /// <param name="terms">The terms.</param>
    public static ConsentChange.Give Give(string consentId, ConsentTerms terms)
    {
        var salt = System.Text.Encoding.UTF8.GetBytes(consentId);
        return new ConsentChange.Give(Convert.ToHexStringLower(terms.Commit(salt)), consentId, salt, terms);
    }

    public static AuditEntry Audit(string id, params string[] patients) =>
        new(id, Epoch, "R", "read", "permit", "Organization/x", "c", null, ["TREAT"], ["Patient/p"], patients, [], 1);

    // A CID of 32 zero bytes: what the store reads of it is the digest.
    public const string Cid = "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
}
