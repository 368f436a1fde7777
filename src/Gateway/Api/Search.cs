using Microsoft.Extensions.Primitives;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR search of a type, by URL or by form: a page of what matches and may be seen, with the exact total of that.
/// https://hl7.org/fhir/R4/search.html
/// </summary>
internal sealed class Search(
    SearchParser parser, ReadFlow flow, Denials denials, PageCursor cursors, LimitOptions limits, BaseUrl baseUrl)
{
    private const int MaxReferring = 1000;

    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation) =>
        RunAsync(call, call.Type, call.Type, [], call.Request.Query, cancellation);

    /// <summary>Within a patient's compartment. https://hl7.org/fhir/R4/http.html#vsearch</summary>
    public Task<FhirResponse> RunInCompartmentAsync(FhirCall call, CancellationToken cancellation)
    {
        var (patient, type) = (call.Id, call.Request.Segments[2]);
        var inside = new SearchCriterion("patient", "compartment", [new SearchValue("Patient", patient)]);
        return RunAsync(call, $"Patient/{patient}/{type}", type, [inside], call.Request.Query, cancellation);
    }

    /// <summary>The parameters come in the body, and in the URL as well. https://hl7.org/fhir/R4/http.html#search</summary>
    public async Task<FhirResponse> RunByFormAsync(FhirCall call, CancellationToken cancellation)
    {
        var form = await RequestForm.ReadAsync(call.Request.Http, cancellation);
        return form.Failure is { } unreadable
            ? FhirResponse.From(unreadable)
            : await RunAsync(call, call.Type, call.Type, [], [.. call.Request.Query, .. form.Value], cancellation);
    }

    private async Task<FhirResponse> RunAsync(
        FhirCall call, string path, string type, IEnumerable<SearchCriterion> within,
        IEnumerable<KeyValuePair<string, StringValues>> parameters, CancellationToken cancellation)
    {
        var parsed = parser.Parse(type, parameters);
        if (parsed.Failure is { } failure) return FhirResponse.From(failure);
        var search = parsed.Value with { Query = parsed.Value.Query with { Criteria = [.. within, .. parsed.Value.Query.Criteria] } };
        var self = path + (search.Self.Length > 0 ? "?" + search.Self : "");
        var position = cursors.Open(call.Caller, self, search.Cursor);
        if (position.Failure is { } notOurs) return FhirResponse.From(notOurs);
        // Whom a mere number was about nobody could be told.
        if (call.Caller.Reason is not null && search.Query.Count == 0)
        {
            return await denials.AnswerAsync(
                call.Caller, call.Route.Interaction, path,
                Outcome.Of(OutcomeCategory.Forbidden, "who breaks the glass reads records, not numbers of them"), PatientOf(search));
        }
        using var clock = new CancellationTokenSource(limits.MaxSearchTime);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation, clock.Token);
        try
        {
            return await FindAsync(call, path, type, search, self, position.Value, patience.Token);
        }
        catch (Exception e) when (
            e is OperationCanceledException or StoreUnavailableException
            && patience.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            return FhirResponse.From(Outcome.Of(
                OutcomeCategory.Unavailable,
                $"the search takes longer than {limits.MaxSearchTime.TotalSeconds:0.#} s (Limits:MaxSearchTime): ask for less at a time"));
        }
    }

    private async Task<FhirResponse> FindAsync(
        FhirCall call, string path, string type, ParsedSearch search, string self, long position, CancellationToken cancellation)
    {
        SnapshotPage page = new([], 0, null);
        return await flow.RunAsync(
            call.Caller,
            new ReadRequest(call.Route.Interaction, type, call.Route.Action, path, PatientOf(search))
            {
                Searches = true,
                Query = AuditedQuery.Of(path, search.Self),
            },
            async snapshot =>
            {
                page = await snapshot.SearchAsync(search.Query with { Cursor = position }, cancellation);
                var included = await IncludedAsync(call.Caller, snapshot, page.Versions, search.Includes, cancellation);
                return included.Failure is { } tooMuch ? new Found([], tooMuch) : new Found([.. page.Versions, .. included.Value]);
            },
            opened => Respond(call.Caller, self, search.Subset, opened, page),
            cancellation);
    }

    private static string? PatientOf(ParsedSearch search) => search.Query.Criteria
        .Where(c => c.Parameter is "patient" or "subject" && c.Values is [{ System: "Patient" }])
        .Select(c => c.Values[0].Text)
        .FirstOrDefault();

    // An include is a read or a search of its own: it needs the scope for its type and is decided like any other.
    private static async Task<Result<List<PermittedVersion>>> IncludedAsync(
        Caller caller, ReadSnapshot snapshot, IReadOnlyList<PermittedVersion> page, IReadOnlyList<Inclusion> includes,
        CancellationToken cancellation)
    {
        var included = new List<PermittedVersion>();
        if (includes.Count == 0 || page.Count == 0) return included;
        var seen = page.Select(p => (p.Version.Facts.Type, p.Version.Facts.Id)).ToHashSet();
        var left = MaxReferring;
        foreach (var inclusion in includes.Distinct())
        {
            if (inclusion.IsReverse)
            {
                if (caller.Refuse(inclusion.Type, ScopeAction.Search) is not null) continue;
                var referring = await ReferringAsync(snapshot, page, inclusion, left, cancellation);
                if (referring.Failure is { } tooMany) return tooMany;
                left -= referring.Value.Versions.Count;
                included.AddRange(referring.Value.Versions.Where(v => seen.Add((v.Version.Facts.Type, v.Version.Facts.Id))));
                continue;
            }
            foreach (var (type, id) in await snapshot.ReferencesOfAsync(page, inclusion.Parameter, cancellation))
            {
                if (!seen.Add((type, id)) || caller.Refuse(type, ScopeAction.Read) is not null) continue;
                if (await snapshot.ReadAsync(type, id, null, cancellation) is { Version.IsDeleted: false } target) included.Add(target);
            }
        }
        return included;
    }

    private static async Task<Result<SnapshotPage>> ReferringAsync(
        ReadSnapshot snapshot, IReadOnlyList<PermittedVersion> page, Inclusion inclusion, int most,
        CancellationToken cancellation)
    {
        var matches = page.Select(p => new SearchValue(p.Version.Facts.Type, p.Version.Facts.Id)).ToList();
        var toThem = new SearchCriterion(inclusion.Parameter, "reference", matches);
        var found = await snapshot.SearchAsync(new SearchQuery(inclusion.Type, [toThem], most + 1, 0), cancellation);
        if (found.Versions.Count <= most) return found;
        return Outcome.Of(
            OutcomeCategory.TooLarge,
            $"more than {MaxReferring} of _revinclude, at {inclusion.Type}:{inclusion.Parameter}: ask for fewer matches at a time "
                + "(_count), or search them");
    }

    private FhirResponse Respond(
        Caller caller, string self, Subset subset, IReadOnlyList<OpenedRecord> opened, SnapshotPage page)
    {
        // Of those on other pages nobody has been told.
        var isWhole = page.Total == page.Versions.Count;
        var bundle = new BundleWriter("searchset", caller.Reason is null || isWhole ? page.Total : null);
        bundle.Link("self", $"{baseUrl.Fhir}/{self}");
        if (page.Next is { } next) bundle.Link("next", $"{baseUrl.Fhir}/{cursors.Next(caller, self, next)}");
        for (var i = 0; i < opened.Count; i++)
        {
            var (facts, isMatch) = (opened[i].Version.Facts, i < page.Versions.Count);
            bundle.SearchEntry($"{baseUrl.Fhir}/{facts.Type}/{facts.Id}", subset.Of(opened[i], isMatch), isMatch ? "match" : "include");
        }
        return bundle.ToResponse();
    }
}
