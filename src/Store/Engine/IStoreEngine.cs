using System.Data.Common;

namespace PmrGateway.Store;

/// <summary>
/// What differs between the databases: how to open one, a handful of words of SQL, and which failures mean "not now". Everything else is
/// one SQL for both. Parameters are written $1, $2, ... in both.
/// </summary>
internal interface IStoreEngine : IAsyncDisposable
{
    /// <summary>Brings the tables to the current version; resumable, each step in a transaction of its own.</summary>
    /// <param name="isAskedAlone">Whether nothing is changed: a database of an earlier version is refused.</param>
    /// <exception cref="StoreStartException">The database is not one of ours, is corrupt, or cannot be reached.</exception>
    void Migrate(bool isAskedAlone);

    /// <summary>Statements by which what was dropped is no longer in the database's files; none: it is not anyway.</summary>
    IReadOnlyList<string> Forget { get; }

    /// <summary>Waits until no other process on this database starts, and keeps the others waiting until disposed of.</summary>
    ValueTask<IAsyncDisposable?> LockStartAsync(CancellationToken cancellation);

    /// <summary>A connection of its own, configured; the caller disposes of it.</summary>
    ValueTask<DbConnection> OpenAsync(CancellationToken cancellation);

    /// <summary>A command on a connection with so many parameters, ready to be given values and run again and again.</summary>
    DbCommand CreateCommand(DbConnection connection, string sql, int parameters);

    /// <summary>Begins a snapshot that only reads.</summary>
    string BeginSnapshot { get; }

    /// <summary>Begins a change that has the database to itself: one writer at a time, over all processes.</summary>
    IReadOnlyList<string> BeginChange { get; }

    /// <summary>Lets the planner keep the order in which tables are written, where it would not know better.</summary>
    string OrderedJoin { get; }

    /// <summary>"Is one of the values of this list parameter", e.g. <c>IN (SELECT value FROM json_each($1))</c>.</summary>
    string IsOneOf(string parameter);

    /// <summary>Two list parameters of numbers side by side, as a table of the columns <c>a</c> and <c>b</c>, under a name.</summary>
    string Pairs(string first, string second, string name);

    /// <summary>The words of a column that holds a JSON array of strings, as a table of the column <c>value</c>, under a name.</summary>
    string Words(string column, string name);

    /// <summary>Whether a text has another in it.</summary>
    string Contains(string text, string part);

    /// <summary>The value of a list parameter.</summary>
    object List(IReadOnlyCollection<long> values);

    /// <summary>The value of a list parameter.</summary>
    object List(IReadOnlyCollection<string> values);

    /// <summary>Whether a failure says that the database cannot do it now, as against a statement of ours that is wrong.</summary>
    bool IsUnavailable(DbException failure);

    /// <summary>What a reader is told of a failure: that the database is away; null: it is a fault, to be seen as what it is.</summary>
    StoreUnavailableException? Unavailable(Exception failure) =>
        failure is DbException e && IsUnavailable(e) ? new StoreUnavailableException("the database cannot be read", e) : null;

    /// <summary>The present instant in Unix milliseconds by the clock that all processes on this database share, as SQL.</summary>
    string ClockNow { get; }

    /// <summary>Stops what a connection is doing, because nobody waits for it any more.</summary>
    void Interrupt(DbConnection connection);

    /// <summary>Tells the other processes on this database something, in a change; null where there are none.</summary>
    string? Notify { get; }

    /// <summary>Listens to what other processes tell until cancelled; ends at once where there are none.</summary>
    Task ListenAsync(Action<string> heard, CancellationToken cancellation);
}

/// <summary>The database cannot be used at all; the message says what to do.</summary>
public sealed class StoreStartException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>The database cannot be written or read now; nothing of the request was kept.</summary>
public class StoreUnavailableException(string message, Exception? cause = null) : Exception(message, cause);
