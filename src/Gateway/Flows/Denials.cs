using PmrGateway.Fhir;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// The one way to say no to a known requester: what is refused for who asks is in the audit log before the answer leaves.
/// </summary>
/// <remarks>
/// A request without a valid token (401) is nobody's and is not written down: anybody on the network could fill the log with them.
/// </remarks>
public sealed class Denials(AuditLog audit, RecordDatabase database, TimeProvider time)
{
    /// <summary>
    /// Answers with an outcome; one that withholds (forbidden, not found, gone, or that conceals a patient) is told to the audit log first.
    /// </summary>
    /// <param name="caller">Who.</param>
    /// <param name="interaction">FHIR interaction code.</param>
    /// <param name="asked">What it was about: <c>Type</c>, <c>Type/id</c> or a path.</param>
    /// <param name="outcome">Why not.</param>
    /// <param name="patient">Id of the patient asked about, where that is not in <paramref name="asked"/>.</param>
    /// <param name="block">Block at which it was decided; -1 where the chain was not asked.</param>
    /// <exception cref="StoreUnavailableException">The log cannot be written.</exception>
    public Task<FhirResponse> AnswerAsync(
        Caller caller, string interaction, string asked, Outcome outcome, string? patient = null, long block = -1) =>
        AnswerAsync(caller, interaction, asked, outcome, patient, block, []);

    /// <summary>The same of a write: what its conditions have told goes to the log with it.</summary>
    public async Task<FhirResponse> AnswerAsync(WriteContext context, string interaction, string asked, Outcome outcome)
    {
        var answer = await AnswerAsync(context.Caller, interaction, asked, outcome, null, -1, context.Told);
        context.IsLogged();
        return answer;
    }

    /// <summary>Lets the answer to a write go, once the log has what its conditions have told, whatever came of it.</summary>
    /// <exception cref="StoreUnavailableException">The log cannot be written.</exception>
    public async Task<FhirResponse> EndAsync(WriteContext context, FhirResponse answer)
    {
        if (context.Told.Count > 0) await audit.AppendAsync([.. context.Told], CancellationToken.None);
        context.IsLogged();
        return context.HasMissed ? answer with { IsWithheld = true } : answer;
    }

    private async Task<FhirResponse> AnswerAsync(
        Caller caller, string interaction, string asked, Outcome outcome, string? patient, long block, IReadOnlyList<AuditEntry> told)
    {
        var isWithheld = outcome.Concealed is not null
            || outcome.Category is OutcomeCategory.Forbidden or OutcomeCategory.NotFound or OutcomeCategory.Gone;
        if (isWithheld)
        {
            var patients = outcome.Concealed is { } concealed
                ? [.. concealed.SelectMany(CallerAudit.Patients).Distinct()]
                : CallerAudit.Patients(patient ?? (asked.StartsWith("Patient/", StringComparison.Ordinal) ? asked[8..] : null));
            // A patient is told who tried a record of theirs, too; who tried is told nothing.
            IReadOnlyList<string> others = [];
            if (patients.Count == 0 && FhirReference.TryParse(asked, out var record))
                (patients, others) = await database.ToldOfAsync(record.Type, record.Id, CancellationToken.None);
            // Written even where the requester has left meanwhile.
            var now = time.GetUtcNow();
            told =
            [
                .. told, .. caller.Entries(now, interaction, AuditOutcome.Deny, [asked], patients, block: block),
                // Of whom it holds a copy: whose the record is, is not for that patient.
                .. others.Select(o => caller.Entry(now, interaction, AuditOutcome.Deny, ["Patient/" + o], [o], block: block)),
            ];
        }
        if (told.Count > 0) await audit.AppendAsync([.. told], CancellationToken.None);
        return FhirResponse.From(outcome) with { IsWithheld = isWithheld };
    }
}
