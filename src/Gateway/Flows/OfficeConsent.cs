using Hl7.Fhir.Model;

namespace PmrGateway.Gateway.Flows;

/// <summary>A Consent that the gateway itself files in the name of the office of the hospital that keeps the patient.</summary>
internal static class OfficeConsent
{
    /// <summary>One that permits everybody to read, for some purposes.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="patient">Id of the patient.</param>
    /// <param name="custodian">Reference of the hospital.</param>
    /// <param name="policy">Where the policy is published by which it is filed.</param>
    /// <param name="at">When, to the second.</param>
    /// <param name="purposes">Purpose-of-use codes.</param>
    public static Consent New(
        string id, string patient, string custodian, string policy, DateTimeOffset at, IEnumerable<string> purposes) => new()
        {
            Id = id,
            Status = Consent.ConsentState.Active,
            Scope = new CodeableConcept("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
            Category = [new CodeableConcept("http://loinc.org", "59284-0")],
            Patient = new ResourceReference($"Patient/{patient}"),
            DateTimeElement = new FhirDateTime(at),
            Organization = [new ResourceReference(custodian)],
            Policy = [new Consent.PolicyComponent { Uri = policy }],
            Provision = new Consent.provisionComponent
            {
                Type = Consent.ConsentProvisionType.Permit,
                // To be read: what is written about the patient takes a consent of its own.
                Action = [new CodeableConcept("http://terminology.hl7.org/CodeSystem/consentaction", "access")],
                Purpose = [.. purposes.Select(p => new Coding("http://terminology.hl7.org/CodeSystem/v3-ActReason", p))],
            },
        };
}
