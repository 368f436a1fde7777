using System.Collections.Concurrent;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// Keeps the rows of <c>viewers</c>, <c>readings</c> and <c>verdicts</c> complete for whoever looks: which shapes concern a viewer, and
/// what each says of each label set. The answers come from <see cref="ConsentDecision"/>; this class only asks all that has not been asked.
/// </summary>
internal sealed class VerdictRows(Interners interners)
{
    private readonly ConcurrentDictionary<string, ViewerState> _viewers = new(StringComparer.Ordinal);
    private readonly Dictionary<(long Shape, string Exceptions), Reading> _readings = [];
    private readonly SemaphoreSlim _completing = new(1, 1);

    /// <summary>Up to where a viewer's rows are complete now; null: nothing is known of it.</summary>
    public CompleteVerdicts? Of(Viewer who)
    {
        if (!_viewers.TryGetValue(who.ConsentKey, out var state)) return null;
        var labelSets = long.MaxValue;
        foreach (var reading in state.Readings) labelSets = Math.Min(labelSets, reading.LabelSetsDone);
        return new CompleteVerdicts(state.Id, state.Readings.Count, state.ShapesDone, labelSets);
    }

    /// <summary>Adds what is missing for a viewer, durably.</summary>
    public async Task CompleteAsync(RecordDatabase database, Viewer who, CancellationToken cancellation)
    {
        var key = who.ConsentKey;
        await _completing.WaitAsync(cancellation);
        try
        {
            var known = await database.ReadAsync((session, stop) => LoadAsync(session, key, stop), cancellation);
            await database.ChangeAsync(async change =>
            {
                var viewer = await AddViewerAsync(change, who, key, known);
                foreach (var reading in viewer.Readings) await AddVerdictsAsync(change, reading, known);
                change.OnCommitted(() =>
                {
                    foreach (var reading in viewer.Readings)
                    {
                        reading.LabelSetsDone = Math.Max(reading.LabelSetsDone, known.LabelSetsEnd);
                        _readings[(reading.Shape, reading.ExceptionsText)] = reading;
                    }
                    _viewers[key] = viewer;
                });
                return true;
            });
        }
        finally
        {
            _completing.Release();
        }
    }

    private async ValueTask<Known> LoadAsync(Session session, string key, CancellationToken cancellation)
    {
        _viewers.TryGetValue(key, out var viewer);
        viewer ??= await session.FirstAsync(
            "SELECT id, shapes_done FROM viewers WHERE digest = $1",
            static r => new ViewerState(r.GetInt64(0), r.GetInt64(1), []), cancellation, Interner.Digest(key));
        var readings = viewer is null ? [] : viewer.Readings;
        if (viewer is not null && readings.Count == 0)
        {
            var rows = await session.QueryAsync(
                "SELECT d.id, d.shape, d.exceptions, d.label_sets_done FROM viewer_readings w JOIN readings d ON d.id = w.reading "
                    + "WHERE w.viewer = $1",
                static r => new Reading(r.GetInt64(0), r.GetInt64(1), r.GetString(2)) { LabelSetsDone = r.GetInt64(3) },
                cancellation, viewer.Id);
            readings = [.. rows.Select(r => _readings.GetValueOrDefault((r.Shape, r.ExceptionsText)) ?? r)];
        }
        var shapes = await interners.Shapes.AfterAsync(session, viewer?.ShapesDone ?? 0, cancellation);
        var least = shapes.Count > 0 ? 0 : readings.Count == 0 ? long.MaxValue : readings.Min(r => r.LabelSetsDone);
        var labelSets = least == long.MaxValue ? [] : await interners.LabelSets.AfterAsync(session, least, cancellation);
        var end = labelSets.Count > 0 ? labelSets[^1].Id : least == long.MaxValue ? 0 : least;
        var shapeOf = new Dictionary<long, TermsShape>(shapes.Select(s => KeyValuePair.Create(s.Id, s.Value)));
        foreach (var reading in readings)
            if (!shapeOf.ContainsKey(reading.Shape))
                shapeOf[reading.Shape] = await interners.Shapes.ValueAsync(session, reading.Shape, cancellation);
        return new Known(viewer, readings, shapes, labelSets, end, shapeOf);
    }

    private async ValueTask<ViewerState> AddViewerAsync(Change change, Viewer who, string key, Known known)
    {
        var id = known.Viewer?.Id;
        if (id is null)
        {
            await change.ExecuteAsync(
                "INSERT INTO viewers (digest, text) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING", Interner.Digest(key),
                // A purpose may hold what a text column cannot.
                System.Text.Json.JsonSerializer.Serialize(key));
            id = await change.NumberAsync("SELECT id FROM viewers WHERE digest = $1", Interner.Digest(key));
        }
        var readings = new List<Reading>(known.Readings);
        foreach (var (shape, terms) in known.NewShapes)
        {
            if (ConsentDecision.Concerns(terms, who.Requester, who.Action) is not { } exceptions) continue;
            var reading = await ReadingAsync(change, shape, string.Join(',', exceptions));
            await change.ExecuteAsync(
                "INSERT INTO viewer_readings (viewer, shape, reading) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", id, shape, reading.Id);
            readings.Add(reading);
        }
        var done = known.NewShapes.Count > 0 ? known.NewShapes[^1].Id : known.Viewer?.ShapesDone ?? 0;
        await change.ExecuteAsync("UPDATE viewers SET shapes_done = $1 WHERE id = $2 AND shapes_done < $1", done, id);
        return new ViewerState(id!.Value, done, readings);
    }

    private async ValueTask<Reading> ReadingAsync(Change change, long shape, string exceptions)
    {
        if (_readings.TryGetValue((shape, exceptions), out var known)) return known;
        await change.ExecuteAsync(
            "INSERT INTO readings (shape, exceptions) VALUES ($1, $2) ON CONFLICT (shape, exceptions) DO NOTHING", shape, exceptions);
        var row = await change.FirstAsync(
            "SELECT id, label_sets_done FROM readings WHERE shape = $1 AND exceptions = $2",
            static r => (Id: r.GetInt64(0), Done: r.GetInt64(1)), shape, exceptions);
        return new Reading(row.Id, shape, exceptions) { LabelSetsDone = row.Done };
    }

    private async ValueTask AddVerdictsAsync(Change change, Reading reading, Known known)
    {
        if (reading.LabelSetsDone >= known.LabelSetsEnd) return;
        var shape = known.ShapeOf[reading.Shape];
        foreach (var (labelSet, labels) in known.LabelSets)
        {
            if (labelSet <= reading.LabelSetsDone) continue;
            foreach (var verdict in ConsentDecision.Verdicts(shape, reading.Exceptions, labels.Labels))
                await change.ExecuteAsync(
                    "INSERT INTO verdicts (reading, label_set, permits, residual) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                    reading.Id, labelSet, verdict.Permits ? 1L : 0L, await ResidualAsync(change, verdict.When));
        }
        await change.ExecuteAsync(
            "UPDATE readings SET label_sets_done = $1 WHERE id = $2 AND label_sets_done < $1", known.LabelSetsEnd, reading.Id);
    }

    private async ValueTask<long> ResidualAsync(Change change, Residual residual)
    {
        if (residual.Conditions.Count == 0) return 0;
        var id = await interners.Residuals.InternAsync(change, residual.Text);
        // Rows of a residual are never changed: they are there or not.
        if (await change.NumberAsync("SELECT 1 FROM residual_conditions WHERE residual = $1 LIMIT 1", id) is not null) return id;
        foreach (var condition in residual.Conditions)
        {
            var row = (await change.NumberAsync(
                "INSERT INTO residual_conditions (residual, negated, period, lo, hi, linked) VALUES ($1, $2, $3, $4, $5, $6) "
                    + "RETURNING condition",
                id, condition.IsNegated ? 1L : 0L, (long)condition.Period, condition.From, condition.To,
                condition.AnyOf is null ? 0L : 1L))!.Value;
            foreach (var link in condition.AnyOf ?? [])
            {
                var named = link.Reference.Split('/');
                await change.ExecuteAsync(
                    "INSERT INTO residual_links (condition, kind, type, id, reference) VALUES ($1, $2, $3, $4, $5)", row,
                    (long)link.Kind, named[0], named[1], link.Reference);
            }
        }
        return id;
    }

    private sealed record ViewerState(long Id, long ShapesDone, IReadOnlyList<Reading> Readings);

    private sealed record Known(
        ViewerState? Viewer, IReadOnlyList<Reading> Readings, IReadOnlyList<(long Id, TermsShape Value)> NewShapes,
        IReadOnlyList<(long Id, LabelSet Value)> LabelSets, long LabelSetsEnd, Dictionary<long, TermsShape> ShapeOf);

    private sealed class Reading(long id, long shape, string exceptions)
    {
        public long Id => id;

        public long Shape => shape;

        public string ExceptionsText => exceptions;

        public IReadOnlyList<int> Exceptions { get; } =
            exceptions.Length == 0
                ? []
                : [.. exceptions.Split(',').Select(t => int.Parse(t, System.Globalization.CultureInfo.InvariantCulture))];

        /// <summary>Up to which label set its verdicts are durable.</summary>
        public long LabelSetsDone { get; set; }
    }
}
