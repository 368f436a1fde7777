using Hl7.Fhir.Model;
using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Api;

/// <summary>Where something stands on its way to the chain, as Parameters.</summary>
internal static class LedgerStatus
{
    /// <summary>Waits for its batch.</summary>
    public const string Pending = "pending";

    /// <summary>Kept here; the chain was asked for nothing.</summary>
    public const string Recorded = "recorded";

    /// <summary>Waits in the outbox, or was sent.</summary>
    public const string Submitted = "submitted";

    /// <summary>In a block.</summary>
    public const string Granted = "granted";

    /// <summary>So deep that it counts.</summary>
    public const string Confirmed = "confirmed";

    /// <summary>Revoked here; on the chain as soon as it can be.</summary>
    public const string Revoked = "revoked";

    /// <summary>Revoked here, while the chain waits for the signature of the wallet that controls the record.</summary>
    public const string RevokedUnsigned = "revoked-unsigned";

    /// <summary>Refused by the chain.</summary>
    public const string Failed = "failed";

    /// <summary>The Parameters, JSON.</summary>
    public static byte[] ToJson(string status, string? transaction = null, long? block = null)
    {
        var parameters = new Parameters();
        parameters.Add("status", new Code(status));
        if (transaction is not null) parameters.Add("transaction", new FhirString(transaction));
        if (block is { } number) parameters.Add("block", new Integer((int)number));
        return FhirTyped.ToJson(parameters);
    }
}
