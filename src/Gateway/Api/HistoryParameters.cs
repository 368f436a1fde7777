using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>What a request for a history asks. https://hl7.org/fhir/R4/http.html#history</summary>
/// <param name="Page">Which page, and which part of each resource.</param>
/// <param name="Since">From which millisecond on versions were made; null: all.</param>
/// <param name="At">When they were current, in milliseconds, up to before the second; null: all.</param>
internal sealed record HistoryParameters(PageQuery Page, long? Since, (long From, long To)? At)
{
    private const int MaxCount = 500;
    private const string SinceName = "_since";
    private const string AtName = "_at";

    /// <summary>Reads the query.</summary>
    /// <param name="call">The request.</param>
    /// <param name="type">The type of the resources; null: of several types.</param>
    public static Result<HistoryParameters> Of(FhirCall call, string? type)
    {
        var page = PageQuery.Of(call, type, MaxCount, least: 0, SinceName, AtName);
        if (page.Failure is { } notUnderstood) return notUnderstood;
        var (since, at) = ((long?)null, ((long, long)?)null);
        foreach (var (name, value) in page.Value.Filters)
        {
            var range = FhirDate.Range(value);
            // An instant says at least the second.
            if (name == SinceName && (range is null || !value.Contains('T')))
                return Bad(name, "an instant, YYYY-MM-DDThh:mm:ss with an offset");
            if (range is not { } known) return Bad(name, "a date, YYYY, YYYY-MM or YYYY-MM-DD, or an instant with an offset");
            if (name == SinceName) since = NotBefore(known.From);
            else at = (known.From.ToUnixTimeMilliseconds(), NotBefore(known.To));
        }
        return new HistoryParameters(page.Value, since, at);
    }

    /// <summary>The question to the store.</summary>
    /// <param name="types">The types that the caller asks for.</param>
    /// <param name="id">Logical id; null: all records of these types.</param>
    /// <param name="position">Where the page begins; 0: the first.</param>
    public HistoryQuery Query(IReadOnlyCollection<string> types, string? id, long position) =>
        new(types, id, Page.Count, position) { Since = Since, At = At };

    // Versions are of whole milliseconds: the first that is not before an instant.
    private static long NotBefore(DateTimeOffset instant) =>
        instant.ToUnixTimeMilliseconds() + (instant.Ticks % TimeSpan.TicksPerMillisecond == 0 ? 0 : 1);

    private static Outcome Bad(string name, string allowed) =>
        Outcome.Of(OutcomeCategory.Malformed, $"the parameter '{name}' is not understood: {allowed}");
}
