using System.Data;
using Dapper;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Store;

/// <content>The consent view.</content>
public sealed partial class SqliteLedgerJournal
{
    private const string UndoActor = "actor";
    private const string UndoBinding = "binding";
    private const string UndoController = "controller";

    // The contract keeps grants by patient and commitment, and commitments are public: one patient's event must not touch another's
    // consent.
    private const string OfPatient = "patient_id IN (SELECT id FROM patients WHERE patient_key = @Patient)";

    /// <inheritdoc/>
    public Task<ViewCheckpoint> CheckpointAsync(CancellationToken cancellation) => ReadAsync(c => Checkpoint(c, time.GetUtcNow()));

    /// <summary>How far the consent view has come, inside a snapshot.</summary>
    public static ViewCheckpoint Checkpoint(IDbConnection connection, DateTimeOffset now)
    {
        var found = connection.QueryFirstOrDefault<(long Block, string Hash, long Observed)?>(
            "SELECT block, hash, observed FROM chain_view WHERE one = 1");
        if (found is not { } row) return ViewCheckpoint.None;
        var age = row.Observed == 0
            ? TimeSpan.MaxValue
            : TimeSpan.FromMilliseconds(Math.Max(0, now.ToUnixTimeMilliseconds() - row.Observed));
        return new ViewCheckpoint(row.Block, row.Hash, age);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<BlockReference>> RecentBlocksAsync(CancellationToken cancellation) =>
        ReadAsync<IReadOnlyList<BlockReference>>(c =>
        [.. c.Query<(long Number, string Hash)>("SELECT number, hash FROM chain_blocks ORDER BY number DESC").Select(b => new BlockReference(b.Number, b.Hash))]);

    /// <inheritdoc/>
    public Task ApplyAsync(ViewUpdate update, CancellationToken cancellation) => WriteAsync(c =>
    {
        if (update.RollBackTo is { } block) RollBack(c, block);
        foreach (var b in update.Blocks)
            c.Execute(
                "INSERT INTO chain_blocks VALUES (@Number, @Hash) ON CONFLICT (number) DO UPDATE SET hash = @Hash",
                new { b.Number, b.Hash });
        c.Execute(
            "DELETE FROM chain_blocks WHERE number < (SELECT MIN(number) FROM (SELECT number FROM chain_blocks ORDER BY number DESC LIMIT @kept) newest)",
            new { kept = ViewUpdate.BlocksKept });
        var oldest = c.ExecuteScalar<long>("SELECT MIN(number) FROM chain_blocks");
        c.Execute("DELETE FROM chain_undo WHERE block <= @oldest", new { oldest });
        foreach (var chainEvent in update.Events)
        {
            if (chainEvent.Block > oldest) RememberForUndo(c, chainEvent);
            Apply(c, chainEvent);
        }
        var head = update.Blocks[^1];
        c.Execute(
            """
            INSERT INTO chain_view (one, block, hash, observed) VALUES (1, @Number, @Hash, @observed)
            ON CONFLICT (one) DO UPDATE SET block = @Number, hash = @Hash, observed = @observed
            """,
            new { head.Number, head.Hash, observed = Instant(update.Observed) });
    });

    /// <inheritdoc/>
    public Task ObservedAsync(TimeSpan age, CancellationToken cancellation) =>
        WriteAsync(c => c.Execute("UPDATE chain_view SET observed = @observed WHERE one = 1", new { observed = Instant(age) }));

    private long Instant(TimeSpan age) => age == TimeSpan.MaxValue ? 0 : (time.GetUtcNow() - age).ToUnixTimeMilliseconds();

    // Revocations stay: a reorganisation can take access away, never give it.
    private static void RollBack(IDbConnection c, long block)
    {
        if (block < 0)
        {
            c.Execute("UPDATE actors SET chain_active = 0; DELETE FROM bindings; UPDATE patients SET controller = NULL");
            c.Execute("DELETE FROM chain_undo");
        }
        foreach (var undo in c.Query<(string Kind, string Key, string? Value)>(
            "SELECT kind, key, value FROM chain_undo WHERE block > @block ORDER BY id DESC", new { block }).AsList())
        {
            c.Execute(
                undo.Kind switch
                {
                    UndoActor => "UPDATE actors SET chain_active = CAST(@Value AS INTEGER) WHERE actor_id = @Key",
                    UndoController => "UPDATE patients SET controller = @Value WHERE patient_key = @Key",
                    _ when undo.Value is null => "DELETE FROM bindings WHERE client = @Key",
                    _ => "INSERT INTO bindings VALUES (@Key, @Value) ON CONFLICT (client) DO UPDATE SET actor_id = @Value",
                },
                new { undo.Key, undo.Value });
        }
        c.Execute("DELETE FROM chain_undo WHERE block > @block", new { block });
        c.Execute("DELETE FROM chain_blocks WHERE number > @block", new { block });
        c.Execute("UPDATE consents SET granted_block = NULL WHERE granted_block > @block", new { block });
        c.Execute("UPDATE batches SET block = NULL, tx = NULL WHERE block > @block", new { block });
    }

    // Grants and anchors carry their block and need no entry here; revocations are never undone.
    private static void RememberForUndo(IDbConnection c, ChainEvent chainEvent)
    {
        var (kind, key, query) = chainEvent switch
        {
            ActorRegisteredEvent e => (UndoActor, e.Actor, "SELECT CAST(chain_active AS TEXT) FROM actors WHERE actor_id = @key"),
            ActorStatusEvent e => (UndoActor, e.Actor, "SELECT CAST(chain_active AS TEXT) FROM actors WHERE actor_id = @key"),
            ClientBindingEvent e => (UndoBinding, e.Client, "SELECT actor_id FROM bindings WHERE client = @key"),
            PatientRegisteredEvent e => (UndoController, e.Patient, "SELECT controller FROM patients WHERE patient_key = @key"),
            ControllerChangedEvent e => (UndoController, e.Patient, "SELECT controller FROM patients WHERE patient_key = @key"),
            _ => ("", "", ""),
        };
        if (kind.Length == 0) return;
        var value = c.ExecuteScalar<string?>(query, new { key });
        c.Execute(
            "INSERT INTO chain_undo (block, kind, key, value) VALUES (@Block, @kind, @key, @value)",
            new { chainEvent.Block, kind, key, value });
    }

    private static void Apply(IDbConnection c, ChainEvent chainEvent)
    {
        switch (chainEvent)
        {
            case ActorRegisteredEvent e:
                c.Execute("UPDATE actors SET chain_active = 1 WHERE actor_id = @Actor", e);
                break;
            case ActorStatusEvent e:
                c.Execute("UPDATE actors SET chain_active = @active WHERE actor_id = @Actor", new { e.Actor, active = e.IsActive ? 1 : 0 });
                break;
            case ClientBindingEvent { Actor: null } e:
                c.Execute("DELETE FROM bindings WHERE client = @Client", e);
                break;
            case ClientBindingEvent e:
                c.Execute("INSERT INTO bindings VALUES (@Client, @Actor) ON CONFLICT (client) DO UPDATE SET actor_id = @Actor", e);
                break;
            case PatientRegisteredEvent e:
                c.Execute("UPDATE patients SET controller = @Controller WHERE patient_key = @Patient", e);
                break;
            case ControllerChangedEvent e:
                c.Execute("UPDATE patients SET controller = @Controller WHERE patient_key = @Patient", e);
                break;
            case ConsentGrantedEvent e:
                c.Execute($"UPDATE consents SET granted_block = @Block WHERE commitment = @Commitment AND {OfPatient}", e);
                break;
            case ConsentRevokedEvent e:
                c.Execute($"UPDATE consents SET revoked = 1 WHERE commitment = @Commitment AND {OfPatient}", e);
                break;
            case AllConsentsRevokedEvent e:
                c.Execute(
                    $"UPDATE consents SET revoked = 1 WHERE granted_block IS NOT NULL AND granted_block <= @Block AND {OfPatient}", e);
                break;
            case BatchAnchoredEvent e:
                c.Execute(
                    """
                    UPDATE batches SET block = @Block, tx = @Transaction
                    WHERE sequence = @Sequence AND root = @Root AND custodian IN (SELECT reference FROM actors WHERE actor_id = @Custodian)
                    """,
                    e);
                break;
        }
    }
}
