namespace PmrGateway.Gateway.Flows;

/// <summary>What the audit log says became of a request.</summary>
internal static class AuditOutcome
{
    /// <summary>Done: data was released or written.</summary>
    public const string Permit = "permit";

    /// <summary>Refused.</summary>
    public const string Deny = "deny";
}
