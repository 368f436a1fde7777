using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Flows;

/// <summary>Who may write what at all, before anything is looked at.</summary>
internal static class WriteRules
{
    private static readonly HashSet<string> NotWritable =
        ["AuditEvent", "OperationOutcome", "Parameters", "CapabilityStatement", "Subscription", "SearchParameter", "OperationDefinition"];

    /// <summary>What is answered to who may write such records, and not this one.</summary>
    public static readonly Outcome NotTheirs =
        Outcome.Of(OutcomeCategory.Forbidden, "this record is not this requester's to change");

    /// <summary>Why who breaks the glass writes nothing, and asks no condition of a write; null: it does not break it.</summary>
    public static Outcome? RefusalOfGlass(Caller caller) => caller.Reason is null
        ? null
        : Outcome.Of(OutcomeCategory.Forbidden, "who breaks the glass reads: a record is written with a login of another purpose");

    /// <summary>Why a requester may not make this write; null: it may.</summary>
    public static Outcome? Refusal(Caller caller, WriteRequest request)
    {
        if (caller.Refuse(request.Type, request.Action) is { } refusal) return refusal;
        if (NotWritable.Contains(request.Type)) return Outcome.Of(OutcomeCategory.NotSupported, $"{request.Type} cannot be written here");
        var mayWriteType = caller.Kind switch
        {
            CallerKind.Operator => DirectoryTypes.Contains(request.Type) || AskedTasks.IsOne(caller, request),
            // What a patient asks of the hospital is put before its office.
            CallerKind.Patient => request.Type == "Consent" || request is { Type: "Task", Interaction: Interaction.Create },
            // Whom a consent would name may propose it, and take that back.
            _ => caller.IsHospital || ConsentWrites.IsProposal(caller, request)
                || request is { Type: "Consent", Interaction: Interaction.Delete },
        };
        if (!mayWriteType) return Outcome.Of(OutcomeCategory.Forbidden, $"this requester may not write {request.Type}");
        if (RefusalOfGlass(caller) is { } reads) return reads;
        if (request.Current is not { } current) return null;
        var isOwn = caller.Kind switch
        {
            CallerKind.Operator => current.Facts.Custodian == WriteFlow.OperatorCustodian,
            CallerKind.Patient => current.Facts.Patients.Count == 1 && current.Facts.Patients[0] == caller.Requester.Patient,
            _ => current.Facts.Custodian == caller.Requester.Organization,
        };
        return isOwn ? null : NotTheirs;
    }
}
