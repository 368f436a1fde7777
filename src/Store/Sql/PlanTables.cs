using System.Data.Common;

namespace PmrGateway.Store;

/// <summary>Carries out a plan inside a change, in the order that <see cref="CommitPlan"/> gives.</summary>
internal sealed class PlanTables(
    VersionTable versions, ConsentTable consents, DirectoryTable directory, SearchReader search, ActorCache actors)
{
    /// <summary>All of it; what it returns other than <see cref="CommitResult.Committed"/> has done nothing.</summary>
    /// <exception cref="PlanRefusedException">Found on the way: the change is to be taken back.</exception>
    public async ValueTask ApplyAsync(Change change, CommitPlan plan)
    {
        foreach (var condition in plan.If)
            if (condition is Precondition.Matches it && !await MatchesAsync(change.Session, it))
                throw new PlanRefusedException(new CommitResult.NotHeld(condition));
        foreach (var alike in plan.If.OfType<Precondition.AtMost>().GroupBy(c => c.Of))
        {
            var (it, room) = (alike.First(), alike.First().Most - alike.Count());
            if (room < 0 || await search.FoundAsync(change.Session, it.Who, it.Query, room + 1) > room)
                throw new PlanRefusedException(new CommitResult.NotHeld(it));
        }
        foreach (var key in plan.SubjectKeys) await KeepKeyAsync(change, key);
        await versions.WriteAsync(change, plan.Versions);
        foreach (var entry in plan.Directory) await ApplyAsync(change, entry);
        if (plan.Directory.Count > 0) change.OnCommitted(actors.Forget);
        foreach (var consent in plan.Consents) await ApplyAsync(change, consent);
        foreach (var command in plan.Outbox) await OutboxTable.EnqueueAsync(change, command);
        foreach (var entry in plan.Audit) await AuditTable.AppendAsync(change, entry);
    }

    private async ValueTask<bool> MatchesAsync(Session session, Precondition.Matches it)
    {
        using var clock = new CancellationTokenSource(it.Longest);
        await using var interrupt = clock.Token.Register(session.Interrupt);
        try
        {
            return await search.MatchesAsync(session, it.Who, it.Query, it.Only, clock.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or DbException && clock.IsCancellationRequested)
        {
            throw new PlanRefusedException(new CommitResult.TooLong(it.Longest));
        }
    }

    private static async ValueTask KeepKeyAsync(Change change, WrappedSubjectKey key)
    {
        if (await change.ExecuteAsync(
            "INSERT INTO subject_keys (subject, wrapped) VALUES ($1, $2) ON CONFLICT (subject) DO NOTHING", key.Subject, key.Wrapped) == 1)
            return;
        var kept = await change.FirstAsync("SELECT wrapped FROM subject_keys WHERE subject = $1", static r => r.Bytes(0), key.Subject);
        if (!key.Wrapped.AsSpan().SequenceEqual(kept)) throw new PlanRefusedException(new CommitResult.KeyTaken(key.Subject));
    }

    private async ValueTask ApplyAsync(Change change, DirectoryChange entry)
    {
        switch (entry)
        {
            case DirectoryChange.AddActor a:
                await directory.AddActorAsync(change, a);
                break;
            case DirectoryChange.SetSuspended s:
                await directory.SetSuspendedAsync(change, s.Suspended, s.Reference);
                break;
            case DirectoryChange.SetGlassPolicy p:
                await directory.SetGlassPolicyAsync(change, p);
                break;
            case DirectoryChange.SetContract c:
                await directory.SetContractAsync(change, c);
                break;
            case DirectoryChange.AddPatient p:
                await directory.AddPatientAsync(change, p);
                break;
            default:
                throw new InvalidOperationException($"no such change: {entry.GetType().Name}");
        }
    }

    private async ValueTask ApplyAsync(Change change, ConsentChange consent)
    {
        if (consent is ConsentChange.Withdraw withdraw) await consents.WithdrawAsync(change, withdraw.ConsentId);
        else if (consent is ConsentChange.Give given && !await consents.AddAsync(change, given))
            throw new PlanRefusedException(new CommitResult.Conflict("Consent", given.ConsentId));
    }
}

/// <summary>A plan cannot be carried out; the change that began it is taken back.</summary>
internal sealed class PlanRefusedException(CommitResult result) : Exception("a plan was refused: " + result)
{
    public CommitResult Result { get; } = result;
}
