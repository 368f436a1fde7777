using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// The legal holds that stand: Tasks before the office of the hospital that keeps the patient, which only the gateway writes. They are
/// looked up as that office, whom no consent concerns: a Task that anybody else wrote is none.
/// </summary>
public sealed class LegalHolds(RecordDatabase database, DirectoryStore directory, TimeProvider time)
{
    /// <summary>References of the holds that stand on a patient.</summary>
    /// <param name="patient">Id of the patient.</param>
    /// <param name="cancellation">Stops the search.</param>
    public async ValueTask<IReadOnlyList<string>> StandingAsync(string patient, CancellationToken cancellation) =>
        await directory.PatientAsync(patient, cancellation) is { Custodian: { } hospital }
            ? await StandingAsync(Asked(patient, hospital), cancellation)
            : [];

    /// <summary>Those of some holds that are told by their references: whose Task the scopes for reading reach.</summary>
    /// <param name="caller">Who is told.</param>
    /// <param name="standing">References of holds.</param>
    /// <param name="cancellation">Stops the reads.</param>
    public async ValueTask<IReadOnlyList<string>> NamedAsync(
        Caller caller, IReadOnlyList<string> standing, CancellationToken cancellation)
    {
        if (standing.Count == 0 || caller.Refuse("Task", ScopeAction.Read) is not null) return [];
        var viewer = Viewers.WithoutGrants(caller.Requester, time.GetUtcNow()) with { Reads = caller.Reach(ScopeAction.Read) };
        await using var eyes = await database.SnapshotAsync(viewer, searches: false, cancellation);
        var named = new List<string>(standing.Count);
        foreach (var hold in standing)
            if (await eyes.ReachesAsync("Task", hold["Task/".Length..], cancellation)) named.Add(hold);
        return named;
    }

    /// <summary>
    /// What must hold when a record is deleted: that no hold stands on a patient of it. A failure where one does. It is named to a system
    /// of the hospital that keeps the patient; to anybody else the record is one that is not theirs to change. A Consent is not held: its
    /// deletion is how what it permits is ended.
    /// </summary>
    /// <param name="caller">Who deletes.</param>
    /// <param name="record">What.</param>
    /// <param name="cancellation">Stops the searches.</param>
    public async Task<Result<IReadOnlyList<Precondition>>> UnheldAsync(Caller caller, RecordFacts record, CancellationToken cancellation)
    {
        // A deletion is how a consent is revoked.
        if (record.Type == "Consent") return Array.Empty<Precondition>();
        var (unheld, standing) = (new List<Precondition>(), new List<(string Patient, string Hospital, string Hold)>());
        // A correction that names somebody else does not take a record out of a hold.
        var former = await database.FormerAsync(record.Type, record.Id, cancellation);
        foreach (var patient in record.Patients.Union(former))
        {
            if (await directory.PatientAsync(patient, cancellation) is not { Custodian: { } hospital }) continue;
            var asked = Asked(patient, hospital);
            standing.AddRange((await StandingAsync(asked, cancellation)).Select(hold => (patient, hospital, hold)));
            // Of a deletion and a hold that come at once, one is first.
            unheld.Add(asked);
        }
        if (standing.Count == 0) return unheld;
        var told = standing.Where(s => caller.Kind == CallerKind.System && s.Hospital == caller.Requester.Organization)
            .Select(s => s.Hold).Distinct().ToList();
        if (told.Count == 0) return WriteRules.NotTheirs;
        var named = await NamedAsync(caller, told, cancellation);
        return Outcome.Of(
            OutcomeCategory.Conflict,
            $"{record.Type}/{record.Id} is not deleted while a legal hold stands"
                + (named.Count == 0 ? "" : $": {string.Join(", ", named)}")) with
        {
            // It was refused: each patient finds that in the log.
            Concealed = [.. standing.Select(s => s.Patient).Distinct()],
        };
    }

    /// <summary>The operator with the office of the hospital that keeps the patient of a hold: whoever files one can lift it.</summary>
    /// <param name="caller">The operator.</param>
    /// <param name="task">Id of the hold.</param>
    /// <param name="cancellation">Stops the reads.</param>
    public async ValueTask<Caller> AsOfficeAsync(Caller caller, string task, CancellationToken cancellation)
    {
        return await database.ConcernedAsync("Task", task, cancellation) is [var patient]
            && await directory.PatientAsync(patient, cancellation) is { Custodian: { } hospital }
                ? caller with { Requester = caller.Requester with { Office = Requester.OfficeOf(hospital) } }
                : caller;
    }

    private Precondition.Matches Asked(string patient, string hospital) => new(
        Viewers.OfOffice(hospital, time.GetUtcNow()),
        new SearchQuery("Task", OfficeTasks.HoldsOn(patient), OfficeTasks.MaxOpen, 0), null);

    private async ValueTask<IReadOnlyList<string>> StandingAsync(Precondition.Matches asked, CancellationToken cancellation)
    {
        await using var eyes = await database.SnapshotAsync(asked.Who, searches: true, cancellation);
        var found = await eyes.SearchAsync(asked.Query, cancellation);
        return [.. found.Versions.Select(v => $"Task/{v.Version.Facts.Id}")];
    }
}
