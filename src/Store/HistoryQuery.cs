namespace PmrGateway.Store;

/// <summary>A history: versions of records, newest first; of those of one instant, the one first that was written last.</summary>
/// <param name="Types">The resource types.</param>
/// <param name="Id">Logical id of the one record; null: all records of these types.</param>
/// <param name="Count">Versions a page; 0: the total only.</param>
/// <param name="Cursor">Where the page begins, as the page before said; 0 for the first.</param>
public sealed record HistoryQuery(IReadOnlyCollection<string> Types, string? Id, int Count, long Cursor)
{
    /// <summary>Those made from this millisecond on; null: all.</summary>
    public long? Since { get; init; }

    /// <summary>Those that were current at some time from this millisecond on, up to before the second; null: all.</summary>
    public (long From, long To)? At { get; init; }

    /// <summary>The one type; null: there are several.</summary>
    public string? Type => Types.Count == 1 ? Types.First() : null;
}

/// <summary>Which of the versions that a viewer sees, told newest first, were current at a time.</summary>
/// <param name="at">The time; null: any.</param>
internal sealed class CurrentAt((long From, long To)? at)
{
    // Records of which a version was made before that time: what it followed had ended by then.
    private readonly HashSet<long> _ended = [];

    /// <summary>Whether a version was.</summary>
    /// <param name="record">Number of its record.</param>
    /// <param name="made">The millisecond of its making.</param>
    public bool Takes(long record, long made)
    {
        if (at is not var (from, to)) return true;
        var takes = made < to && !_ended.Contains(record);
        if (made <= from) _ended.Add(record);
        return takes;
    }
}
