using Microsoft.Extensions.Primitives;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Security;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Interactions;

/// <summary>FHIR search of a type. https://hl7.org/fhir/R4/search.html</summary>
public sealed class SearchInteraction(SearchParser parser, RecordStore records, ReadFlow flow, BaseUrl baseUrl)
{
    /// <summary>A page of what matches and may be seen, with the exact total of that.</summary>
    public async Task<FhirResponse> RunAsync(Caller caller, string type, IEnumerable<KeyValuePair<string, StringValues>> parameters, CancellationToken cancellation)
    {
        var parsed = parser.Parse(type, parameters);
        if (parsed.Failure is { } failure) return FhirResponse.From(failure);
        var search = parsed.Value;
        var (total, next, matches) = (0L, (long?)null, 0);
        return await flow.RunAsync(
            caller,
            new ReadRequest("search-type", type, ScopeAction.Search, type, PatientOf(search)),
            access =>
            {
                (var page, total, next) = records.Search(access, search.Query);
                matches = page.Count;
                return new Found([.. page, .. Included(caller, access, page, search.Includes)]);
            },
            opened => new FhirResponse(200, Respond(type, search, opened, matches, total, next)) { Decision = ReadFlow.Receipt(opened) },
            cancellation);
    }

    private static string? PatientOf(ParsedSearch search) =>
        search.Query.Criteria.Where(c => c.Parameter is "patient" or "subject" && c.Values is [{ System: "Patient" }]).Select(c => c.Values[0].Text).FirstOrDefault();

    private IEnumerable<StoredVersion> Included(Caller caller, AccessQuery access, IReadOnlyList<StoredVersion> page, IReadOnlyList<string> includes)
    {
        var seen = page.Select(p => (p.Facts.Type, p.Facts.Id)).ToHashSet();
        foreach (var (type, id) in includes.SelectMany(i => records.ReferencesOf(page, i)))
        {
            // An include is a read of its own: it needs the scope for its type and passes the same condition.
            if (!seen.Add((type, id)) || caller.Refuse(type, ScopeAction.Read) is not null) continue;
            if (records.Read(access, type, id, null) is { IsDeleted: false } target) yield return target;
        }
    }

    private byte[] Respond(string type, ParsedSearch search, IReadOnlyList<OpenedRecord> opened, int matches, long total, long? next)
    {
        var bundle = new BundleWriter("searchset", total);
        var self = $"{baseUrl.Fhir}/{type}" + (search.Self.Length > 0 ? "?" + search.Self : "");
        bundle.Link("self", self);
        if (next is { } cursor) bundle.Link("next", self + (search.Self.Length > 0 ? "&" : "?") + $"_cursor={cursor}");
        for (var i = 0; i < opened.Count; i++)
        {
            var facts = opened[i].Version.Facts;
            bundle.SearchEntry($"{baseUrl.Fhir}/{facts.Type}/{facts.Id}", ReadInteraction.AsResource(opened[i]), i < matches ? "match" : "include");
        }
        return bundle.ToJson();
    }
}
