using Microsoft.Extensions.Primitives;
using PmrGateway.Gateway.Flows;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// What the condition of a write names: If-None-Exist, the criteria in its URL, or a conditional reference. It is a search in the eyes of
/// the caller alone: a match that the caller may not see is none, and changes no answer. https://hl7.org/fhir/R4/http.html#cond-update
/// </summary>
internal sealed class Conditions(
    RecordDatabase database, Viewers viewers, GlassFlow glass, SearchParser parser, SearchClock clock, TimeProvider time)
{
    /// <summary>The one resource that a condition names now; null: none. It asks nothing of the commit.</summary>
    /// <param name="caller">Under whose eyes.</param>
    /// <param name="type">Resource type.</param>
    /// <param name="criteria">The criteria.</param>
    /// <param name="cancellation">Stops the search.</param>
    /// <returns>A failure where the scopes or the criteria do not allow it, or where several match.</returns>
    public async Task<Result<StoredVersion?>> FindAsync(
        Caller caller, string type, IEnumerable<KeyValuePair<string, StringValues>> criteria, CancellationToken cancellation)
    {
        var query = Parse(caller, type, criteria);
        return query.Failure is { } refused ? refused : await FindAsync(caller, query.Value, cancellation);
    }

    /// <summary>The same, and when the request is committed it must name that one still, or nothing still.</summary>
    public async Task<Result<StoredVersion?>> RequireAsync(
        WriteContext context, string type, IEnumerable<KeyValuePair<string, StringValues>> criteria, CancellationToken cancellation)
    {
        var query = Parse(context.Caller, type, criteria);
        return query.Failure is { } refused ? refused : await RequireAsync(context, query.Value, cancellation);
    }

    /// <summary>
    /// What an update, patch or deletion by criteria is about, now and when it is committed. Null, of an update alone: nothing matches, and
    /// a resource is created.
    /// </summary>
    /// <param name="context">The writes that it belongs to.</param>
    /// <param name="request">The request: its query has the criteria.</param>
    /// <param name="id">The id in its body; null: none.</param>
    /// <param name="cancellation">Stops the search.</param>
    public async Task<Result<StoredVersion?>> TargetAsync(
        WriteContext context, FhirRequest request, string? id, CancellationToken cancellation)
    {
        var type = request.Segments[0];
        var query = Parse(context.Caller, type, request.Query);
        if (query.Failure is { } refused) return refused;
        var found = await RequireAsync(context, query.Value, cancellation);
        if (found.Failure is { } several) return several;
        var isUpdate = request.Method == HttpMethods.Put;
        // R4 leaves a deletion of nothing to the server, 404 or 204: it is a 404, as that of an id which nobody knows, or may know of.
        if (found.Value is null && !isUpdate)
        {
            return Outcome.Of(OutcomeCategory.NotFound, $"no {type} matches the criteria") with
            {
                // Whoever was named by them learns who tried.
                Concealed = query.Value.Named.Any() ? await database.ConcernedAsync(query.Value.Named, cancellation) : null,
            };
        }
        if (request.Preconditions.Broken(found.Value) is { } broken) return broken;
        return isUpdate && IdRefusal(type, id, found.Value) is { } otherId ? otherId : found;
    }

    private static Outcome? IdRefusal(string type, string? id, StoredVersion? current)
    {
        if (id is null || id == current?.Facts.Id) return null;
        var text = current is null
            ? "nothing matches the criteria, and what is created gets its id here: the body has none"
            : "the body's id is not that of the resource that the criteria match";
        return Outcome.Of(OutcomeCategory.Malformed, text, $"{type}.id");
    }

    private async Task<Result<StoredVersion?>> RequireAsync(WriteContext context, SearchQuery query, CancellationToken cancellation)
    {
        var found = await FindAsync(context.Caller, query, cancellation);
        if (found.Failure is null) context.Require(query, found.Value?.Facts.Id, clock.Longest);
        return found;
    }

    private async Task<Result<StoredVersion?>> FindAsync(Caller caller, SearchQuery query, CancellationToken cancellation)
    {
        var found = await clock.RunAsync(
            async stop =>
            {
                await using var snapshot = await database.SnapshotAsync(viewers.Of(caller), searches: true, stop);
                return await snapshot.SearchAsync(query, stop);
            },
            cancellation);
        if (found.Failure is { } tooLong) return tooLong;
        if (found.Value.Versions is not [var match])
        {
            // That nothing of a patient matches is told of that patient, whoever the condition is of.
            var named = await database.ConcernedAsync(query.Named, cancellation);
            if (named.Count == 0) return (StoredVersion?)null;
            IEnumerable<AuditEntry> none = caller.Entries(
                time.GetUtcNow(), Interaction.SearchType, AuditOutcome.Permit, [query.Type], named, query: AuditedQuery.Of(query));
            return await glass.ReleaseAsync(caller, [], [.. none], cancellation) is { } unsaid ? unsaid : (StoredVersion?)null;
        }
        // The requester learns of the match, also where there are more: that is a release.
        var facts = match.Version.Facts;
        var entries = caller.Entries(
            time.GetUtcNow(), Interaction.SearchType, AuditOutcome.Permit, [$"{facts.Type}/{facts.Id}"], facts.Patients,
            match.Permit, query: AuditedQuery.Of(query));
        if (await glass.ReleaseAsync(caller, [match.Permit], [.. entries], cancellation) is { } notTold) return notTold;
        return found.Value.Total > 1
            ? Outcome.Of(OutcomeCategory.PreconditionFailed, "the condition matches several resources")
            : match.Version;
    }

    // A condition takes the scope for a search.
    private Result<SearchQuery> Parse(Caller caller, string type, IEnumerable<KeyValuePair<string, StringValues>> criteria) =>
        caller.Refuse(type, ScopeAction.Search) is { } refusal ? refusal
            : parser.ParseCondition(type, criteria, caller.Reach(ScopeAction.Search));
}
