using PmrGateway.Fhir;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// Whose rules a Binary shares by its own word. R4 lets that be any resource; here it is a Patient, since a record closes a Binary by
/// linking to it, and a context that would close nothing is not passed over. https://hl7.org/fhir/R4/binary.html#security-context
/// </summary>
internal static class SecurityContext
{
    private const string Element = "Binary.securityContext";

    /// <summary>Why a reference is refused; null: it is not.</summary>
    /// <param name="reference">Of securityContext or X-Security-Context; null: none was sent.</param>
    /// <param name="ownBase">This server's FHIR base URL.</param>
    /// <param name="current">The version there is; null: the Binary is new.</param>
    /// <param name="patient">Id of the patient; null: none is named.</param>
    public static Outcome? Refusal(string? reference, string ownBase, StoredVersion? current, out string? patient)
    {
        patient = null;
        if (reference is null) return null;
        if (!FhirReference.TryParse(FhirReference.Local(reference, ownBase), out var rules) || rules.Type != "Patient")
        {
            return Invalid(
                "a security context (securityContext, X-Security-Context) is a Patient here; under the rules of another record a Binary is "
                    + "by that record's link to it");
        }
        patient = rules.Id;
        return current is null || current.SentFor == patient
            ? null
            : Invalid("a Binary keeps the security context that it was created with");
    }

    private static Outcome Invalid(string text) =>
        new(OutcomeCategory.Invalid, [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, Element, text)]);
}
