namespace PmrGateway.Gateway.Smart;

/// <summary>Names of claims and of client properties that are ours or SMART's, not OpenID Connect's.</summary>
internal static class SmartClaims
{
    /// <summary>Claim: who logged in, <c>Practitioner/id</c> or <c>Patient/id</c> (SMART App Launch 2.2).</summary>
    public const string FhirUser = "fhirUser";

    /// <summary>Claim: the patient of the launch (SMART App Launch 2.2).</summary>
    public const string Patient = "patient";

    /// <summary>Claim and request parameter: the purposes of use.</summary>
    public const string PurposeOfUse = "purpose_of_use";

    /// <summary>Claim and request parameter: why the glass is broken.</summary>
    public const string Reason = "purpose_of_use_reason";

    /// <summary>Purpose of use that breaks the glass. https://terminology.hl7.org/CodeSystem-v3-ActReason.html</summary>
    public const string BreakGlass = "BTG";

    /// <summary>Property of a client: the scopes it may ask for.</summary>
    public const string ScopesProperty = "pmr_scopes";

    /// <summary>Property of a client: reference of the actor that it acts for.</summary>
    public const string ActorProperty = "pmr_actor";

    /// <summary>Property of a client: the purposes of use it may act for.</summary>
    public const string PurposesProperty = "pmr_purposes";
}
