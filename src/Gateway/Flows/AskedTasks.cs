using PmrGateway.Fhir;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// Tasks that come to be put before the office of a hospital (<see cref="OfficeTasks"/>): what a patient asks of it, and legal holds, which
/// a system of the hospital that keeps the patient files, or the operator. The gateway writes them, so nobody changes them but by
/// Task/$dispose.
/// </summary>
public sealed class AskedTasks(RecordDatabase database, DirectoryStore directory, Viewers viewers, TimeProvider time)
{
    /// <summary>Whether a write is one of these.</summary>
    /// <param name="caller">Who writes.</param>
    /// <param name="request">What.</param>
    public static bool IsOne(Caller caller, WriteRequest request) => request is { Type: "Task", Document: { } sent }
        && (caller.Kind == CallerKind.Patient || OfficeTasks.IsHold(sent));

    /// <summary>The Task that is written, the hospital before whose office it is put, and how many of them there may be.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="request">A valid Task.</param>
    /// <param name="cancellation">Stops the reads.</param>
    internal async Task<Result<AskedTask>> MakeAsync(
        Caller caller, WriteRequest request, CancellationToken cancellation)
    {
        if (caller.Kind != CallerKind.Patient) return await HoldAsync(caller, request, cancellation);
        var patient = caller.Requester.Patient!;
        if (await directory.PatientAsync(patient, cancellation) is not { Custodian: { } hospital }) return Outcome.NotFound;
        var asked = OfficeTasks.Asked(request.Document!, request.Id, patient, hospital, time.GetUtcNow(), out var issue);
        if (asked is null) return new Outcome(OutcomeCategory.Invalid, [issue!]);
        if (asked.Focus is { Reference: { } focus } && !await IsOwnAsync(caller, focus, cancellation))
            return Invalid("Task.focus", "a record of the patient's own");
        return new AskedTask(request with { Document = FhirTyped.ToDocument(asked) }, hospital, AtMost(
            $"requests of Patient/{patient}", hospital, OfficeTasks.AskedBy(patient),
            $"{OfficeTasks.MaxOpen} requests are open: take one back, or wait for an answer"));
    }

    private async Task<Result<AskedTask>> HoldAsync(
        Caller caller, WriteRequest request, CancellationToken cancellation)
    {
        if (caller.Kind is not (CallerKind.System or CallerKind.Operator))
        {
            return Outcome.Of(
                OutcomeCategory.Forbidden, "a legal hold is filed by a system of the hospital that keeps the patient, or by the operator");
        }
        if (request.Current is not null)
            return Invalid("Task.code", $"{OfficeTasks.LegalHold} is a Task of its own from its beginning");
        var by = caller.Requester.Organization;
        var hold = OfficeTasks.Hold(request.Document!, request.Id, by, time.GetUtcNow(), out var issue);
        if (hold is null) return new Outcome(OutcomeCategory.Invalid, [issue!]);
        var patient = hold.For!.Reference!["Patient/".Length..];
        // The patient may have been deleted: the records are kept all the same. Of another hospital's patient the answer is as of nobody.
        if (await directory.PatientAsync(patient, cancellation) is not { Custodian: { } hospital } || (by is not null && by != hospital))
            return Invalid("Task", "it refers to a Patient that is not known here");
        if (hold.Owner is not null && hold.Owner.Reference != hospital)
            return Invalid("Task.owner", $"the record is kept by {hospital}");
        hold.Owner = new Hl7.Fhir.Model.ResourceReference(hospital);
        return new AskedTask(request with { Document = FhirTyped.ToDocument(hold) }, hospital, AtMost(
            $"holds on Patient/{patient}", hospital, OfficeTasks.HoldsOn(patient),
            $"{OfficeTasks.MaxOpen} holds stand on this patient: lift one"));
    }

    // Looked up as the office to which the gateway writes: a Task that anybody else wrote does not count.
    private Precondition.AtMost AtMost(string of, string hospital, IReadOnlyList<SearchCriterion> criteria, string otherwise) => new(
        of, Viewers.OfOffice(hospital, time.GetUtcNow()), new SearchQuery("Task", criteria, OfficeTasks.MaxOpen, 0), OfficeTasks.MaxOpen,
        otherwise);

    private async Task<bool> IsOwnAsync(Caller caller, string reference, CancellationToken cancellation)
    {
        if (!FhirReference.TryParse(reference, out var named) || caller.Refuse(named.Type, ScopeAction.Read) is not null) return false;
        await using var eyes = await database.SnapshotAsync(viewers.Of(caller), searches: false, cancellation);
        return await eyes.ReadAsync(named.Type, named.Id, null, cancellation) is
        {
            Version.IsDeleted: false, Permit.Basis: PermitBasis.OwnRecord
        };
    }

    private static Outcome Invalid(string path, string text) =>
        new(OutcomeCategory.Invalid, [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, path, text)]);
}

/// <summary>A Task that is put before an office.</summary>
/// <param name="Made">The write of it.</param>
/// <param name="Hospital">Reference of the hospital.</param>
/// <param name="Limit">How many of them there may be.</param>
internal sealed record AskedTask(WriteRequest Made, string Hospital, Precondition Limit);
