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

    /// <summary>Property of a client: the scopes it may ask for.</summary>
    public const string ScopesProperty = "pmr_scopes";

    /// <summary>Property of a client: the purposes of use it may act for.</summary>
    public const string PurposesProperty = "pmr_purposes";
}
