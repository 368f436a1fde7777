using System.Text.Json;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>Carries out a plan inside a change, in the order that <see cref="CommitPlan"/> gives.</summary>
internal sealed class PlanTables(Interners interners, SearchReader search, ActorCache actors)
{
    private readonly VersionTable _versions = new(interners);

    /// <summary>All of it; what it returns other than <see cref="CommitResult.Committed"/> has done nothing.</summary>
    /// <exception cref="PlanRefusedException">Found on the way: the change is to be taken back.</exception>
    public async ValueTask ApplyAsync(Change change, CommitPlan plan)
    {
        foreach (var condition in plan.If)
            if (condition is Precondition.MatchesNothing nothing
                && await search.AnyAsync(change.Session, nothing.Who, nothing.Query, default))
                throw new PlanRefusedException(new CommitResult.NotHeld(condition));
        foreach (var key in plan.SubjectKeys) await KeepKeyAsync(change, key);
        await _versions.WriteAsync(change, plan.Versions);
        foreach (var entry in plan.Directory) await ApplyAsync(change, entry);
        if (plan.Directory.Count > 0) change.OnCommitted(actors.Forget);
        foreach (var consent in plan.Consents) await ApplyAsync(change, consent);
        foreach (var command in plan.Outbox) await OutboxTable.EnqueueAsync(change, command);
        foreach (var entry in plan.Audit) await AuditTable.AppendAsync(change, entry);
    }

    private static async ValueTask KeepKeyAsync(Change change, WrappedSubjectKey key)
    {
        if (await change.ExecuteAsync(
            "INSERT INTO subject_keys (subject, wrapped) VALUES ($1, $2) ON CONFLICT (subject) DO NOTHING", key.Subject, key.Wrapped) == 1)
            return;
        var kept = await change.FirstAsync("SELECT wrapped FROM subject_keys WHERE subject = $1", static r => r.Bytes(0), key.Subject);
        if (!key.Wrapped.AsSpan().SequenceEqual(kept)) throw new PlanRefusedException(new CommitResult.KeyTaken(key.Subject));
    }

    private static ValueTask<int> ApplyAsync(Change change, DirectoryChange entry) => entry switch
    {
        DirectoryChange.AddActor a => change.ExecuteAsync(
            """
            INSERT INTO actors (reference, actor_id, kind, hospital, suspended, chain_active) VALUES ($1, $2, $3, $4, 0, 0)
            ON CONFLICT (reference) DO NOTHING
            """,
            a.Reference, a.ActorId, (long)a.Kind, a.Hospital),
        DirectoryChange.SetSuspended s =>
            change.ExecuteAsync("UPDATE actors SET suspended = $1 WHERE reference = $2", s.Suspended ? 1L : 0L, s.Reference),
        DirectoryChange.AddPatient p => change.ExecuteAsync(
            "INSERT INTO patients (id, patient_key, custodian, controller) VALUES ($1, $2, $3, NULL) ON CONFLICT (id) DO NOTHING",
            p.Id, p.PatientKey, p.Custodian),
        _ => throw new InvalidOperationException($"no such change: {entry.GetType().Name}"),
    };

    private async ValueTask ApplyAsync(Change change, ConsentChange consent)
    {
        if (consent is ConsentChange.Withdraw withdraw)
        {
            await change.ExecuteAsync("UPDATE consents SET revoked = 1 WHERE consent_id = $1", withdraw.ConsentId);
            return;
        }
        var given = (ConsentChange.Give)consent;
        // A wallet's signed intent comes with its salt: sent twice, it is the same commitment.
        var isNew = await change.ExecuteAsync(
            """
            INSERT INTO consents (commitment, consent_id, patient_id, salt, terms, giver, granted_block, revoked, place)
            VALUES ($1, $2, $3, $4, $5, $6, NULL, 0, (SELECT COALESCE(MAX(place), 0) + 1 FROM consents WHERE consent_id = $2))
            ON CONFLICT (commitment) DO NOTHING
            """,
            given.Commitment, given.ConsentId, given.Terms.Patient, given.Salt, JsonSerializer.Serialize(given.Terms), given.Giver);
        if (isNew == 0) throw new PlanRefusedException(new CommitResult.Conflict("Consent", given.ConsentId));
        foreach (var span in ConsentSpan.Of(given.Terms))
            await change.ExecuteAsync(
                "INSERT INTO consent_spans (patient_id, shape, commitment, valid_from, valid_to) VALUES ($1, $2, $3, $4, $5)",
                given.Terms.Patient, await interners.Shapes.InternAsync(change, span.Shape.Text), given.Commitment, span.From, span.To);
    }
}

/// <summary>A plan cannot be carried out; the change that began it is taken back.</summary>
internal sealed class PlanRefusedException(CommitResult result) : Exception("a plan was refused: " + result)
{
    public CommitResult Result { get; } = result;
}
