using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>What one consent says of a record.</summary>
/// <param name="Consent">The consent as it stands now.</param>
/// <param name="Terms">Its terms, with their dates.</param>
/// <param name="Permits">Permit, deny, or nothing (null).</param>
public sealed record ConsentSaid(StandingConsent Consent, ConsentTerms Terms, bool? Permits)
{
    /// <summary>The same in a word.</summary>
    public string Says => Permits switch { true => "permit", false => "deny", _ => "nothing" };
}

/// <summary>Why a viewer may see a record, or not.</summary>
/// <param name="Viewer">Who would see it.</param>
/// <param name="Permit">The permit; null: no.</param>
/// <param name="Consents">The standing consents of its patients that are about the viewer.</param>
/// <param name="Block">The block at which it was decided.</param>
/// <param name="Record">What was decided about.</param>
public sealed record Explanation(Requester Viewer, Permit? Permit, IReadOnlyList<ConsentSaid> Consents, long Block, RecordFacts Record)
{
    /// <summary>The reason in words.</summary>
    public string Reason
    {
        get
        {
            if (!Viewer.IsActive) return "the viewer is not active: it sees nothing";
            if (Permit is not null)
            {
                return Permit.Basis switch
                {
                    PermitBasis.Author => "the viewer wrote it",
                    PermitBasis.Directory => "the directory is open to every registered actor",
                    _ => "consent permits it, and none denies it",
                };
            }
            if (Consents.Any(c => c.Permits == false)) return "a consent denies it: a denial overrides every permit";
            if (Consents.Any(c => c is { Permits: true, Consent.IsConfirmed: false }))
                return "the consent that permits it is not confirmed on the chain";
            if (Consents.Any(c => c.Permits == true)) return "the record concerns another patient too, who has not permitted it";
            return Consents.Count == 0
                ? "no consent is about this viewer and purpose: what no consent permits is denied"
                : "the consents about this viewer and purpose do not cover this record: what no consent permits is denied";
        }
    }
}
