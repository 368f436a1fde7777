using PmrGateway.Gateway.Flows;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// If-Match and If-None-Match of a change: lists of versions, or <c>*</c> for any that there is.
/// https://www.rfc-editor.org/rfc/rfc9110#section-13.1, https://hl7.org/fhir/R4/http.html#concurrency
/// </summary>
/// <param name="IfMatch">As it came; null: not at all.</param>
/// <param name="IfNoneMatch">As it came; null: not at all.</param>
internal readonly record struct Preconditions(string? IfMatch, string? IfNoneMatch)
{
    /// <summary>Why a change is not made of what there is; null: it is.</summary>
    /// <param name="current">The version that there is; null: none, and there is none that If-Match could name.</param>
    public Outcome? Broken(StoredVersion? current)
    {
        var broken = IfMatch is not null && !(current is not null && Names(IfMatch, current)) ? "If-Match"
            : IfNoneMatch is not null && current is not null && Names(IfNoneMatch, current) ? "If-None-Match"
            : null;
        if (broken is null) return null;
        return Outcome.Of(
            OutcomeCategory.PreconditionFailed,
            current is null ? $"{broken} does not hold: there is no such resource"
                : $"{broken} does not hold for the version that the resource is at");
    }

    // Any that there is: what is deleted has none. Our tags are weak, and R4 compares them all the same.
    private static bool Names(string list, StoredVersion current)
    {
        foreach (var each in list.Split(','))
        {
            var tag = each.Trim();
            if (tag.StartsWith("W/", StringComparison.Ordinal)) tag = tag[2..];
            if (tag == "*" ? !current.IsDeleted : tag == $"\"{current.Version}\"") return true;
        }
        return false;
    }
}
