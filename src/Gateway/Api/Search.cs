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
    SearchParser parser, ReadFlow flow, Denials denials, PageCursor cursors, SearchClock clock, BaseUrl baseUrl)
{
    private const int MaxReferring = 1000;
    private const int MaxIncluded = 5000;

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
        var form = await RequestForm.ReadAsync(call, cancellation);
        return form.Failure is { } unreadable
            ? FhirResponse.From(unreadable)
            : await RunAsync(call, call.Type, call.Type, [], [.. call.Request.Query, .. form.Value], cancellation);
    }

    private async Task<FhirResponse> RunAsync(
        FhirCall call, string path, string type, IEnumerable<SearchCriterion> within,
        IEnumerable<KeyValuePair<string, StringValues>> parameters, CancellationToken cancellation)
    {
        var parsed = parser.Parse(type, parameters, call.Caller.Reach(ScopeAction.Search), IsLenient(call.Request));
        if (parsed.Failure is { } failure) return FhirResponse.From(failure);
        if (call.Caller.RefuseLinks(parsed.Value.Query) is { } notAsked)
            return await denials.AnswerAsync(call.Caller, call.Route.Interaction, path, notAsked, parsed.Value.Query.Patient);
        var search = parsed.Value with { Query = parsed.Value.Query with { Criteria = [.. within, .. parsed.Value.Query.Criteria] } };
        var self = path + (search.Self.Length > 0 ? "?" + search.Self : "");
        var position = cursors.Open(call.Caller, self, search.Cursor);
        if (position.Failure is { } notOurs) return FhirResponse.From(notOurs);
        // Whom a mere number was about, or what a link found, nobody could be told.
        if (call.Caller.Reason is not null && (search.Query.Count == 0 || search.Query.Criteria.Any(c => c.Link is not null)))
        {
            return await denials.AnswerAsync(
                call.Caller, call.Route.Interaction, path,
                Outcome.Of(OutcomeCategory.Forbidden, "who breaks the glass reads records: no numbers of them, and none by chains"),
                search.Query.Patient);
        }
        var answer = await clock.RunAsync(stop => FindAsync(call, path, type, search, self, position.Value, stop), cancellation);
        return answer.Failure is { } tooLong ? FhirResponse.From(tooLong) : answer.Value;
    }

    private static bool IsLenient(FhirRequest request) =>
        request.Http?.Headers["Prefer"].ToString().Contains("handling=lenient", StringComparison.Ordinal) == true;

    private async Task<FhirResponse> FindAsync(
        FhirCall call, string path, string type, ParsedSearch search, string self, long position, CancellationToken cancellation)
    {
        SnapshotPage page = new([], 0, null);
        return await flow.RunAsync(
            call.Caller,
            new ReadRequest(call.Route.Interaction, type, call.Route.Action, path, search.Query.Patient)
            {
                Searches = true,
                Query = AuditedQuery.Of(type, search.Self),
                Named = search.Query.Named,
            },
            async snapshot =>
            {
                page = await snapshot.SearchAsync(search.Query with { Cursor = position }, cancellation);
                if (search.Query.Count == 0 && page.Total > 0)
                    return Found.Number(await snapshot.SearchAsync(search.Query with { Count = Found.MaxCounted }, cancellation));
                var included = await IncludedAsync(call.Caller, snapshot, page.Versions, search.Includes, cancellation);
                return included.Failure is { } tooMuch ? new Found([], tooMuch) : new Found([.. page.Versions, .. included.Value]);
            },
            opened => Respond(call.Caller, self, search, opened, page),
            cancellation);
    }

    // An include is a read or a search of its own: it needs the scope for its type and is decided like any other.
    private static async Task<Result<List<PermittedVersion>>> IncludedAsync(
        Caller caller, ReadSnapshot snapshot, IReadOnlyList<PermittedVersion> page, IReadOnlyList<Inclusion> includes,
        CancellationToken cancellation)
    {
        var included = new List<PermittedVersion>();
        if (includes.Count == 0) return included;
        var seen = page.Select(p => (p.Version.Facts.Type, p.Version.Facts.Id)).ToHashSet();
        var left = MaxReferring;
        // The matches first, and then, for what iterates, what came along in the round before.
        for (var round = page; round.Count > 0;)
        {
            var next = new List<PermittedVersion>();
            foreach (var inclusion in includes.Distinct().Where(i => i.Iterates || ReferenceEquals(round, page)))
            {
                var found = inclusion.IsReverse
                    ? await ReferringAsync(caller, snapshot, round, inclusion, left, cancellation)
                    : await ReferredAsync(caller, snapshot, round, inclusion, seen, cancellation);
                if (found.Failure is { } tooMany) return tooMany;
                if (inclusion.IsReverse) left -= found.Value.Count;
                next.AddRange(found.Value.Where(v => seen.Add((v.Version.Facts.Type, v.Version.Facts.Id))));
                if (included.Count + next.Count > MaxIncluded) return TooMany(MaxIncluded, inclusion);
            }
            included.AddRange(next);
            round = next;
        }
        return included;
    }

    private static async Task<Result<List<PermittedVersion>>> ReferredAsync(
        Caller caller, ReadSnapshot snapshot, IReadOnlyList<PermittedVersion> from, Inclusion inclusion,
        HashSet<(string Type, string Id)> seen, CancellationToken cancellation)
    {
        var found = new List<PermittedVersion>();
        var of = from.Where(p => p.Version.Facts.Type == inclusion.Type).ToList();
        // Of what many refer to one copy is read.
        foreach (var (type, id) in (await snapshot.ReferencesOfAsync(of, inclusion.Parameter, cancellation)).Distinct())
        {
            if (found.Count > MaxIncluded) break;
            if ((inclusion.Target ?? type) != type || seen.Contains((type, id)) || caller.Refuse(type, ScopeAction.Read) is not null)
                continue;
            if (await snapshot.ReadAsync(type, id, null, cancellation) is { Version.IsDeleted: false } target) found.Add(target);
        }
        return found;
    }

    private static async Task<Result<List<PermittedVersion>>> ReferringAsync(
        Caller caller, ReadSnapshot snapshot, IReadOnlyList<PermittedVersion> to, Inclusion inclusion, int most,
        CancellationToken cancellation)
    {
        if (caller.Refuse(inclusion.Type, ScopeAction.Search) is not null) return new List<PermittedVersion>();
        var matches = to.Select(p => p.Version.Facts).Where(f => (inclusion.Target ?? f.Type) == f.Type)
            .Select(f => new SearchValue(f.Type, f.Id)).ToList();
        var found = new List<PermittedVersion>();
        // As many as a search may name at once.
        foreach (var some in matches.Chunk(CriterionParser.MaxValues))
        {
            var toThem = new SearchCriterion(inclusion.Parameter!, "reference", some);
            var page = await snapshot.SearchAsync(new SearchQuery(inclusion.Type, [toThem], most + 1, 0), cancellation);
            found.AddRange(page.Versions);
            if (found.Count > most) return TooMany(MaxReferring, inclusion);
        }
        return found;
    }

    private static Outcome TooMany(int most, Inclusion inclusion) => Outcome.Of(
        OutcomeCategory.TooLarge,
        $"more than {most} come along by {(inclusion.IsReverse ? "_revinclude" : "_include")}, at {inclusion.Type}:"
            + $"{inclusion.Parameter ?? "*"}: ask for fewer matches at a time (_count), or search them");

    private FhirResponse Respond(
        Caller caller, string self, ParsedSearch search, IReadOnlyList<OpenedRecord> opened, SnapshotPage page)
    {
        var bundle = new BundleWriter("searchset", BundleWriter.Total(caller, page));
        bundle.Link("self", $"{baseUrl.Fhir}/{self}");
        if (page.Next is { } next) bundle.Link("next", $"{baseUrl.Fhir}/{cursors.Next(caller, self, next)}");
        for (var i = 0; i < opened.Count; i++)
        {
            var (facts, isMatch) = (opened[i].Version.Facts, i < page.Versions.Count);
            var record = search.Subset.Of(opened[i], isMatch);
            bundle.SearchEntry($"{baseUrl.Fhir}/{facts.Type}/{facts.Id}", record, isMatch ? "match" : "include");
        }
        if (search.Ignored.Count > 0) bundle.OutcomeEntry(Outcome.Ignored(search.Ignored));
        return bundle.ToResponse();
    }
}
