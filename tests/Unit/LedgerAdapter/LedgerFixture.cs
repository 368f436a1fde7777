using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

/// <summary>A chain in memory, a journal on disk, a clock that stands still, and what was logged.</summary>
internal sealed class LedgerFixture : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();

    public LedgerFixture() => Chain = new FakeChain(Time);

    public ManualTime Time { get; } = new();

    public FakeChain Chain { get; }

    public LogLines Log { get; } = new();

    public LedgerOptions Options { get; } = new() { Confirmations = 2 };

    public EthereumAccount Account { get; } = new([.. Enumerable.Repeat((byte)7, 32)]);

    public RecordDatabase Database { get; private set; } = null!;

    public LedgerJournal Journal { get; private set; } = null!;

    public static async Task<LedgerFixture> OpenAsync()
    {
        var fixture = new LedgerFixture();
        fixture.Database = RecordDatabase.Open(new StoreOptions(), fixture._folder["t.db"]);
        await fixture.Database.SealAsync(new RowSeal(Enumerable.Repeat((byte)7, 32).ToArray()), new byte[32], areSealed: false, default);
        fixture.Journal = new LedgerJournal(fixture.Database);
        return fixture;
    }

    /// <summary>Runs SQL beside the journal, as nobody does in production.</summary>
    public object? Sql(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_folder["t.db"]};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    public TransactionSender NewSender() =>
        new(Chain, Account, new ContractSet(Account.Address), Journal, Options, Time, LogOf<TransactionSender>());

    public ILogger<T> LogOf<T>() => new Logger<T>(new LoggerFactory([Log]));

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        _folder.Dispose();
    }
}

/// <summary>A clock that a test moves.</summary>
internal sealed class ManualTime : TimeProvider
{
    public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddYears(50);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => Now;

    public override long GetTimestamp() => Now.Ticks;
}

/// <summary>What was logged, a line each.</summary>
internal sealed class LogLines : ILoggerProvider, ILogger
{
    public List<string> Lines { get; } = [];

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Lines.Add($"{logLevel}: {formatter(state, exception)}");

    public void Dispose()
    {
    }
}
