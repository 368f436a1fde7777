using PmrGateway.LedgerAdapter;

namespace PmrGateway.Store;

/// <summary>What the tables of the ledger hold, in numbers: for the operator.</summary>
public sealed class LedgerFigures(RecordDatabase database)
{
    /// <summary>How many entries of the outbox stand where; what is not named has none.</summary>
    public async ValueTask<IReadOnlyDictionary<OutboxStatus, long>> OutboxAsync(CancellationToken cancellation) =>
        (await database.ReadAsync(
            (session, stop) => session.QueryAsync(
                "SELECT status, COUNT(*) FROM outbox GROUP BY status",
                static r => (Status: (OutboxStatus)r.GetInt64(0), Count: r.GetInt64(1)), stop),
            cancellation)).ToDictionary(r => r.Status, r => r.Count);

    /// <summary>The batches of each custodian that has any.</summary>
    public async ValueTask<IReadOnlyList<BatchFigures>> BatchesAsync(CancellationToken cancellation) => await database.ReadAsync(
        (session, stop) => session.QueryAsync(
            "SELECT custodian, COUNT(block), COUNT(*) - COUNT(block) FROM batches GROUP BY custodian ORDER BY custodian",
            static r => new BatchFigures(r.GetString(0), r.GetInt64(1), r.GetInt64(2)), stop),
        cancellation);

    /// <summary>What the view has from the chain.</summary>
    public async ValueTask<ViewFigures> ViewAsync(CancellationToken cancellation) => (await database.ReadAsync(
        (session, stop) => session.FirstAsync(
            """
            SELECT (SELECT COUNT(*) FROM consents WHERE revoked = 0 AND granted_block IS NOT NULL),
              (SELECT COUNT(*) FROM consents WHERE revoked <> 0),
              (SELECT COUNT(*) FROM actors WHERE chain_active = 1),
              (SELECT COUNT(*) FROM patients WHERE controller IS NOT NULL),
              (SELECT COUNT(*) FROM bindings)
            """,
            static r => new ViewFigures(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4)), stop),
        cancellation))!;
}

/// <summary>The batches of a custodian.</summary>
/// <param name="Custodian">Its reference.</param>
/// <param name="Anchored">How many the view has seen on the chain.</param>
/// <param name="Waiting">How many it has not.</param>
public sealed record BatchFigures(string Custodian, long Anchored, long Waiting);

/// <summary>What the view has from the chain.</summary>
/// <param name="Grants">Consents that stand and that the chain has.</param>
/// <param name="Revoked">Consents that are revoked, here or there.</param>
/// <param name="Actors">Actors that the chain has active.</param>
/// <param name="Patients">Patients that the chain has.</param>
/// <param name="Clients">Clients that the chain has bound.</param>
public sealed record ViewFigures(long Grants, long Revoked, long Actors, long Patients, long Clients);
