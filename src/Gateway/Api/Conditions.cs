using Microsoft.Extensions.Primitives;
using PmrGateway.Gateway.Flows;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// What the condition of a write names: If-None-Exist, the criteria in its URL, or a conditional reference. It is a search in the eyes of
/// the caller alone: a match that the caller may not see is none, and changes no answer. https://hl7.org/fhir/R4/http.html#cond-update
/// </summary>
/// <remarks>
/// Whatever it finds, it leaves one thing in the context: what the log is told, which is committed with the write or with its refusal. So
/// neither its time nor what it commits tells whether there is what it names.
/// </remarks>
internal sealed class Conditions(
    RecordDatabase database, Viewers viewers, SearchParser parser, SearchClock clock, TimeProvider time)
{
    /// <summary>The one resource that a condition names now; null: none. It asks nothing of the commit.</summary>
    /// <param name="context">The writes that it belongs to: under the eyes of who writes.</param>
    /// <param name="type">Resource type.</param>
    /// <param name="criteria">The criteria.</param>
    /// <param name="cancellation">Stops the search.</param>
    /// <returns>A failure where the scopes or the criteria do not allow it, or where several match.</returns>
    public async Task<Result<StoredVersion?>> FindAsync(
        WriteContext context, string type, IEnumerable<KeyValuePair<string, StringValues>> criteria, CancellationToken cancellation)
    {
        var asked = await AskAsync(context.Caller, type, criteria, cancellation);
        return asked.Failure is { } refused ? refused : Tell(context, asked.Value);
    }

    /// <summary>The same, and when the request is committed it must name that one still, or nothing still.</summary>
    public async Task<Result<StoredVersion?>> RequireAsync(
        WriteContext context, string type, IEnumerable<KeyValuePair<string, StringValues>> criteria, CancellationToken cancellation)
    {
        var asked = await AskAsync(context.Caller, type, criteria, cancellation);
        return asked.Failure is { } refused ? refused : Require(context, asked.Value);
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
        var asked = await AskAsync(context.Caller, type, request.Query, cancellation);
        if (asked.Failure is { } refused) return refused;
        var isUpdate = request.Method == HttpMethods.Put;
        // R4 leaves a deletion of nothing to the server, 404 or 204: it is a 404, as that of an id which nobody knows, or may know of. Whom
        // the criteria name reads of the refusal.
        if (asked.Value.Found is { Versions: [], Told: var named } && !isUpdate)
            return Outcome.Of(OutcomeCategory.NotFound, $"no {type} matches the criteria") with { Concealed = named };
        var found = Require(context, asked.Value);
        if (found.Failure is { } several) return several;
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

    private readonly record struct Asked(SearchQuery Query, Found Found);

    private async Task<Result<Asked>> AskAsync(
        Caller caller, string type, IEnumerable<KeyValuePair<string, StringValues>> criteria, CancellationToken cancellation)
    {
        // A condition takes the scope for a search.
        if ((caller.Refuse(type, ScopeAction.Search) ?? WriteRules.RefusalOfGlass(caller)) is { } refusal) return refusal;
        var parsed = parser.ParseCondition(type, criteria, caller.Reach(ScopeAction.Search));
        if (parsed.Failure is { } malformed) return malformed;
        var query = parsed.Value;
        var page = await clock.RunAsync(
            async stop =>
            {
                await using var snapshot = await database.SnapshotAsync(viewers.Of(caller), searches: true, stop);
                return await snapshot.SearchAsync(query, stop);
            },
            cancellation);
        if (page.Failure is { } tooLong) return tooLong;
        return new Asked(query, await new Found(page.Value.Versions).OfNamedAsync(database, query.Named, cancellation));
    }

    // The requester learns what matches, also where that are several: it is a release. That nothing of a patient does is told too.
    private Result<StoredVersion?> Tell(WriteContext context, Asked asked)
    {
        var (query, found) = asked;
        var search = new ReadRequest(Interaction.SearchType, query.Type, ScopeAction.Search, query.Type) { Query = AuditedQuery.Of(query) };
        context.Tell(found, context.Caller.Entries(time.GetUtcNow(), search, found, block: -1));
        return found.Versions.Count > 1
            ? Outcome.Of(OutcomeCategory.PreconditionFailed, "the condition matches several resources")
            : found.Versions is [var match] ? match.Version : (StoredVersion?)null;
    }

    private Result<StoredVersion?> Require(WriteContext context, Asked asked)
    {
        var only = Tell(context, asked);
        if (only.Failure is null) context.Require(asked.Query, only.Value?.Facts.Id, clock.LongestInWriter);
        return only;
    }
}
