namespace PmrGateway.Tests.Client;

/// <summary>A Consent of the profile of IHE PCF that the gateway takes, as JSON.</summary>
public static class ConsentText
{
    /// <summary>Grants one recipient the records of a patient.</summary>
    /// <param name="patient">Reference of the patient.</param>
    /// <param name="actor">Reference of the recipient.</param>
    /// <param name="purpose">Code of ActReason.</param>
    /// <param name="more">Further members of the provision, each with its leading comma; "": none.</param>
    /// <param name="status">The Consent's status.</param>
    /// <param name="id">Its logical id, for an update; null for a create.</param>
    public static string Permit(
        string patient, string actor, string purpose = "HPAYMT", string more = "", string status = "active", string? id = null) =>
        $$$"""
            {"resourceType":"Consent",{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"status":"{{{status}}}",
            "scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
            "category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"{{{patient}}}"},
            "dateTime":"2026-01-01",
            "sourceAttachment":{"contentType":"application/pdf","title":"signed form","data":"JVBERi0xLjQ="},
            "policy":[{"uri":"https://profiles.ihe.net/ITI/PCF/Policy-deny"}],
            "provision":{"type":"permit",
            "actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},
            "reference":{"reference":"{{{actor}}}"}}],
            "purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"{{{purpose}}}"}]{{{more}}} }}
            """;
}
