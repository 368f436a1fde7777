using Microsoft.Extensions.Primitives;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR search of a type, by URL or by form: a page of what matches and may be seen, with the exact total of that.
/// https://hl7.org/fhir/R4/search.html
/// </summary>
internal sealed class Search(SearchParser parser, RecordStore records, ReadFlow flow, BaseUrl baseUrl)
{
    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation) => RunAsync(call, call.Request.Query, cancellation);

    /// <summary>The parameters come in the body, and in the URL as well. https://hl7.org/fhir/R4/http.html#search</summary>
    public async Task<FhirResponse> RunByFormAsync(FhirCall call, CancellationToken cancellation)
    {
        var form = await RequestForm.ReadAsync(call.Request.Http, cancellation);
        return form.Failure is { } unreadable
            ? FhirResponse.From(unreadable)
            : await RunAsync(call, [.. call.Request.Query, .. form.Value], cancellation);
    }

    private async Task<FhirResponse> RunAsync(
        FhirCall call, IEnumerable<KeyValuePair<string, StringValues>> parameters, CancellationToken cancellation)
    {
        var parsed = parser.Parse(call.Type, parameters);
        if (parsed.Failure is { } failure) return FhirResponse.From(failure);
        var search = parsed.Value;
        var (total, next, matches) = (0L, (long?)null, 0);
        return await flow.RunAsync(
            call.Caller,
            new ReadRequest(call.Route.Interaction, call.Type, call.Route.Action, call.Type, PatientOf(search)),
            access =>
            {
                (var page, total, next) = records.Search(access, search.Query);
                matches = page.Count;
                return new Found([.. page, .. Included(call.Caller, access, page, search.Includes)]);
            },
            opened => new FhirResponse(200, Respond(call.Type, search, opened, matches, total, next))
            {
                Decision = ReadFlow.Receipt(opened),
            },
            cancellation);
    }

    private static string? PatientOf(ParsedSearch search) => search.Query.Criteria
        .Where(c => c.Parameter is "patient" or "subject" && c.Values is [{ System: "Patient" }])
        .Select(c => c.Values[0].Text)
        .FirstOrDefault();

    private IEnumerable<StoredVersion> Included(
        Caller caller, AccessQuery access, IReadOnlyList<StoredVersion> page, IReadOnlyList<string> includes)
    {
        var seen = page.Select(p => (p.Facts.Type, p.Facts.Id)).ToHashSet();
        foreach (var (type, id) in includes.SelectMany(i => records.ReferencesOf(page, i)))
        {
            // An include is a read of its own: it needs the scope for its type and passes the same condition.
            if (!seen.Add((type, id)) || caller.Refuse(type, ScopeAction.Read) is not null) continue;
            if (records.Read(access, type, id, null) is { IsDeleted: false } target) yield return target;
        }
    }

    private byte[] Respond(
        string type, ParsedSearch search, IReadOnlyList<OpenedRecord> opened, int matches, long total, long? next)
    {
        var bundle = new BundleWriter("searchset", total);
        var self = $"{baseUrl.Fhir}/{type}" + (search.Self.Length > 0 ? "?" + search.Self : "");
        bundle.Link("self", self);
        if (next is { } cursor) bundle.Link("next", self + (search.Self.Length > 0 ? "&" : "?") + $"_cursor={cursor}");
        for (var i = 0; i < opened.Count; i++)
        {
            var facts = opened[i].Version.Facts;
            bundle.SearchEntry($"{baseUrl.Fhir}/{facts.Type}/{facts.Id}", Read.AsResource(opened[i]), i < matches ? "match" : "include");
        }
        return bundle.ToJson();
    }
}
