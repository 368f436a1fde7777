using PmrGateway.LedgerAdapter;

namespace PmrGateway.Store;

/// <content>The consent view.</content>
public sealed partial class LedgerJournal
{
    private const string UndoActor = "actor";
    private const string UndoBinding = "binding";
    private const string UndoController = "controller";

    private const string Genesis = "chain genesis";

    /// <inheritdoc/>
    public async Task<string> FollowedChainAsync(string found) =>
        await FollowedChainAsync() ?? await database.KeepDeploymentFactAsync(Genesis, found);

    /// <summary>The first block of the chain that is followed, hex; null where none was followed yet.</summary>
    public async Task<string?> FollowedChainAsync() => await database.DeploymentFactAsync(Genesis, default);

    /// <inheritdoc/>
    public Task<ViewCheckpoint> CheckpointAsync(CancellationToken cancellation) => ReadAsync(
        async (session, stop) => await session.FirstAsync<ViewCheckpoint?>(
            $"SELECT block, hash, observed, {session.Engine.ClockNow}, block_time FROM chain_view WHERE one = 1",
            static r => new ViewCheckpoint(
                r.GetInt64(0), r.GetString(1),
                r.GetInt64(2) == 0 ? TimeSpan.MaxValue : TimeSpan.FromMilliseconds(Math.Max(0, r.GetInt64(3) - r.GetInt64(2))))
            {
                Time = r.GetInt64(4),
            },
            stop) ?? ViewCheckpoint.None,
        cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<BlockReference>> RecentBlocksAsync(CancellationToken cancellation) =>
        ReadAsync<IReadOnlyList<BlockReference>>(
            async (session, stop) => await session.QueryAsync(
                "SELECT number, hash FROM chain_blocks ORDER BY number DESC",
                static r => new BlockReference(r.GetInt64(0), r.GetString(1)), stop),
            cancellation);

    /// <inheritdoc/>
    public Task ApplyAsync(ViewUpdate update, CancellationToken cancellation) => HeldAsync(Leases.View, async change =>
    {
        if (update.RollBackTo is { } block) await RollBackAsync(change, block);
        foreach (var b in update.Blocks)
            await change.ExecuteAsync(
                "INSERT INTO chain_blocks (number, hash) VALUES ($1, $2) ON CONFLICT (number) DO UPDATE SET hash = $2", b.Number, b.Hash);
        await change.ExecuteAsync(
            "DELETE FROM chain_blocks WHERE number < (SELECT MIN(number) FROM (SELECT number FROM chain_blocks "
                + "ORDER BY number DESC LIMIT $1) newest)",
            (long)ViewUpdate.BlocksKept);
        var oldest = await change.NumberAsync("SELECT MIN(number) FROM chain_blocks") ?? 0;
        await change.ExecuteAsync("DELETE FROM chain_undo WHERE block <= $1", oldest);
        foreach (var chainEvent in update.Events)
        {
            if (chainEvent.Block > oldest) await RememberForUndoAsync(change, chainEvent);
            await database.ChainEvents.ApplyAsync(change, chainEvent);
        }
        if (update.RollBackTo is not null || update.Events.Any(e => e is ActorRegisteredEvent or ActorStatusEvent or ClientBindingEvent))
            change.OnCommitted(database.Actors.Forget);
        var head = update.Blocks.Count > 0 ? update.Blocks[^1] : new BlockReference(-1, "");
        await change.ExecuteAsync(
            $"""
            INSERT INTO chain_view (one, block, hash, block_time, observed) VALUES (1, $1, $2, $3, {Instant(update.Observed)})
            ON CONFLICT (one) DO UPDATE SET block = $1, hash = $2, block_time = $3, observed = {Instant(update.Observed)}
            """,
            head.Number, head.Hash, update.BlockTime);
        return true;
    });

    /// <inheritdoc/>
    public Task ObservedAsync(TimeSpan age, CancellationToken cancellation) => HeldAsync(Leases.View, async change =>
        await change.ExecuteAsync($"UPDATE chain_view SET observed = {Instant(age)} WHERE one = 1"));

    private string Instant(TimeSpan age) => age == TimeSpan.MaxValue
        ? "0"
        : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{database.Engine.ClockNow} - {(long)age.TotalMilliseconds}");

    // Revocations stay: a reorganisation can take access away, never give it.
    private async ValueTask RollBackAsync(Change change, long block)
    {
        var directory = database.Directory;
        if (block < 0)
        {
            await directory.ForgetChainAsync(change);
            await change.ExecuteAsync("DELETE FROM chain_undo");
        }
        foreach (var (at, kind, key, value, seal) in await change.QueryAsync(
            "SELECT block, kind, key, value, seal FROM chain_undo WHERE block > $1 ORDER BY id DESC",
            static r => (r.GetInt64(0), r.GetString(1), r.GetString(2), r.TextOrNull(3), r.BytesOrNull(4)), block))
        {
            // What stands here becomes a row that is believed. The view goes no further, and grows stale, until it can be: nobody knows
            // what the chain says now.
            database.Seals.Must(RowSeals.Undo(at, kind, key, value), seal, "chain_undo", key);
            await (kind switch
            {
                UndoActor => directory.SetActiveAsync(change, value == "1", key),
                UndoController => directory.SetControllerAsync(change, value, key),
                _ => directory.BindAsync(change, key, value),
            });
        }
        await change.ExecuteAsync("DELETE FROM chain_undo WHERE block > $1", block);
        await change.ExecuteAsync("DELETE FROM chain_blocks WHERE number > $1", block);
        await database.Consents.GrantAsync(change, null, "k.granted_block > $1", block);
        await change.ExecuteAsync("UPDATE batches SET block = NULL, tx = NULL WHERE block > $1", block);
    }

    // Grants and anchors carry their block and need no entry here; revocations are never undone.
    private async ValueTask RememberForUndoAsync(Change change, ChainEvent chainEvent)
    {
        var (kind, key, query) = chainEvent switch
        {
            ActorRegisteredEvent e => (UndoActor, e.Actor, "SELECT CAST(chain_active AS TEXT) FROM actors WHERE actor_id = $1"),
            ActorStatusEvent e => (UndoActor, e.Actor, "SELECT CAST(chain_active AS TEXT) FROM actors WHERE actor_id = $1"),
            ClientBindingEvent e => (UndoBinding, e.Client, "SELECT actor_id FROM bindings WHERE client = $1"),
            PatientRegisteredEvent e => (UndoController, e.Patient, "SELECT controller FROM patients WHERE patient_key = $1"),
            ControllerChangedEvent e => (UndoController, e.Patient, "SELECT controller FROM patients WHERE patient_key = $1"),
            _ => ("", "", ""),
        };
        if (kind.Length == 0) return;
        var value = await change.FirstAsync(query, static r => r.TextOrNull(0), key);
        await change.ExecuteAsync(
            "INSERT INTO chain_undo (block, kind, key, value, seal) VALUES ($1, $2, $3, $4, $5)", chainEvent.Block, kind, key, value,
            database.Seals.Of(RowSeals.Undo(chainEvent.Block, kind, key, value)));
    }
}
