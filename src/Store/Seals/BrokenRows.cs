using System.Collections.Concurrent;

namespace PmrGateway.Store;

/// <summary>A row that is not what was sealed.</summary>
/// <param name="Table">Its table.</param>
/// <param name="Key">Its key; nothing else of it.</param>
public readonly record struct BrokenRow(string Table, string Key);

/// <summary>A row that decides access is not what was sealed: nothing that rests on it is given out.</summary>
public sealed class RowBrokenException(BrokenRow row)
    : StoreUnavailableException($"the row {row.Key} of {row.Table} is not what was sealed")
{
    /// <summary>Which.</summary>
    public BrokenRow Row => row;
}

/// <summary>The rows that were found broken and were not found whole since.</summary>
public sealed class BrokenRows
{
    // Whoever can write the database can break any number; the first ones tell enough.
    private const int Capacity = 10_000;
    private readonly ConcurrentDictionary<BrokenRow, bool> _rows = new();
    private volatile bool _any;

    /// <summary>Raised once for a row that is found broken, and again if it was whole in between.</summary>
    public event Action<BrokenRow>? Found;

    /// <summary>They.</summary>
    public IReadOnlyCollection<BrokenRow> Now => _any ? [.. _rows.Keys] : [];

    /// <summary>Whether there are any.</summary>
    internal bool Any => _any;

    /// <summary>Notes a row that is broken.</summary>
    internal RowBrokenException Add(string table, string key)
    {
        var row = new BrokenRow(table, key);
        if (_rows.Count < Capacity && _rows.TryAdd(row, true))
        {
            _any = true;
            Found?.Invoke(row);
        }
        return new RowBrokenException(row);
    }

    /// <summary>Notes a row that is whole. Called for every row that is read: next to nothing while none is broken.</summary>
    internal void Remove(string table, string key)
    {
        if (_any && _rows.TryRemove(new BrokenRow(table, key), out _)) _any = !_rows.IsEmpty;
    }
}
