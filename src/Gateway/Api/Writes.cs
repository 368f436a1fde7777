using Microsoft.AspNetCore.WebUtilities;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>What the interactions that write have in common: what there is already, the write itself, the answer.</summary>
internal sealed class Writes(
    WriteFlow flow, Denials denials, RecordDatabase database, Viewers viewers, GlassFlow glass, AuditLog audit, SearchParser parser,
    TimeProvider time)
{
    private const int MaxTries = 5;

    /// <summary>The one resource that a condition names, null for none.</summary>
    /// <param name="caller">Who writes.</param>
    /// <param name="type">Resource type.</param>
    /// <param name="query">The condition, parsed.</param>
    /// <param name="cancellation">Stops the search.</param>
    public async Task<Result<StoredVersion?>> ExistingAsync(Caller caller, string type, SearchQuery query, CancellationToken cancellation)
    {
        SnapshotPage page;
        await using (var snapshot = await database.SnapshotAsync(viewers.Of(caller.Requester), searches: true, cancellation))
            page = await snapshot.SearchAsync(query, cancellation);
        if (page.Versions is not [var match]) return (StoredVersion?)null;
        // The requester learns of the match, also where there are more: that is a release.
        var facts = match.Version.Facts;
        var entries = caller.Entries(
            time.GetUtcNow(), Interaction.SearchType, AuditOutcome.Permit, [$"{facts.Type}/{facts.Id}"], facts.Patients,
            match.Permit, query: AuditedQuery.Of(query));
        if (await glass.ReleaseAsync(caller, [match.Permit], [.. entries], cancellation) is { } notTold) return notTold;
        return page.Total > 1
            ? Outcome.Of(OutcomeCategory.PreconditionFailed, "the condition matches several resources")
            : match.Version;
    }

    /// <summary>A condition as a search: it takes the scope for one.</summary>
    public Result<SearchQuery> Condition(Caller caller, string type, string condition)
    {
        if (caller.Refuse(type, ScopeAction.Search) is { } refusal) return refusal;
        var parsed = parser.Parse(type, QueryHelpers.ParseQuery(condition));
        if (parsed.Failure is { } failure) return failure;
        if (parsed.Value.Refuse(caller) is { } notAsked) return notAsked;
        return parsed.Value.Query.Criteria.Count == 0
            ? Outcome.Of(OutcomeCategory.PreconditionFailed, "the condition names nothing to look for")
            : parsed.Value.Query with { Count = 1 };
    }

    /// <summary>The current version as the writer may see it, for a change of it.</summary>
    public async Task<Result<StoredVersion>> CurrentAsync(
        Caller caller, string type, string id, Preconditions preconditions, CancellationToken cancellation)
    {
        if (await flow.VisibleAsync(caller, type, id, cancellation) is not { } current) return Outcome.NotFound;
        if (preconditions.Broken(current) is { } broken)
            return Outcome.Of(OutcomeCategory.PreconditionFailed, $"{broken} does not hold for the version that the resource is at");
        return current;
    }

    /// <summary>Prepares and commits one write, and answers.</summary>
    /// <param name="caller">Who writes.</param>
    /// <param name="request">What.</param>
    /// <param name="body">The body that it came in; null: none.</param>
    /// <param name="ifNoneExist">The condition of a conditional create: where it matches, that is the answer.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    public async Task<FhirResponse> RunAsync(
        Caller caller, WriteRequest request, StreamedBody? body, string? ifNoneExist, CancellationToken cancellation)
    {
        // Again where somebody else was first: with what the condition names, or with the key of a patient.
        for (var tries = 1; ; tries++)
        {
            var context = flow.Begin(caller, body);
            if (ifNoneExist is not null)
            {
                var existing = await RequireNoneAsync(context, request.Type, ifNoneExist, cancellation);
                if (existing.Failure is { } refused)
                    return await denials.AnswerAsync(caller, Interaction.SearchType, request.Type, refused);
                if (existing.Value is { } found) return Existing(found);
            }
            var prepared = await flow.PrepareAsync(context, request, cancellation);
            if (prepared.Failure is { } failure)
            {
                var asked = request.Current is null ? request.Type : $"{request.Type}/{request.Id}";
                return await denials.AnswerAsync(caller, request.Interaction, asked, failure);
            }
            var committed = await flow.CommitAsync(context, [prepared.Value], cancellation);
            if (committed.Failure is { } broken) return FhirResponse.From(broken);
            if (committed.Value is CommitResult.Committed) return Written(prepared.Value);
            if (committed.Value is CommitResult.Conflict || tries == MaxTries) return FhirResponse.From(Conflict(committed.Value));
        }
    }

    /// <summary>Asks for a condition that nothing matches, now and when the request is committed.</summary>
    /// <returns>What matches it now; null: nothing.</returns>
    public async Task<Result<StoredVersion?>> RequireNoneAsync(
        WriteContext context, string type, string condition, CancellationToken cancellation)
    {
        var query = Condition(context.Caller, type, condition);
        if (query.Failure is { } refused) return refused;
        context.Require(query.Value);
        return await ExistingAsync(context.Caller, type, query.Value, cancellation);
    }

    /// <summary>Why a plan was not carried out.</summary>
    public static Outcome Conflict(CommitResult result) => Outcome.Of(
        OutcomeCategory.Conflict,
        result is CommitResult.Conflict c ? $"{c.Type}/{c.Id} is at another version" : "others are writing the same: try again");

    /// <summary>The write that a document means: a Binary in JSON is its content.</summary>
    public static WriteRequest RequestFor(ReceivedBody received, string type, string id, StoredVersion? current)
    {
        var document = received.Document;
        if (type != "Binary") return new WriteRequest(document, type, id, current);
        var contentType = document.Root.StringAt("contentType") ?? "application/octet-stream";
        var binary = new BinaryContent(contentType, document.Root["securityContext"]?.StringAt("reference"));
        if (CutOf(document.Root, received.Body) is not { } cut)
        {
            var bytes = document.Root.StringAt("data") is { } data ? TryBase64(data) : null;
            binary = binary with { Bytes = bytes, Text = bytes };
        }
        else if (cut.Problem is not null) binary = binary with { Problem = cut.Problem };
        else if (cut.BinaryId == id) binary = binary with { Streamed = received.Body!.ContentOf(id), Text = cut.Text };
        else binary = binary with { Problem = "large content of a Binary that there is already is sent to its own URL, not in a Bundle" };
        return new WriteRequest(document, type, id, current, binary);
    }

    /// <summary>The id of a resource to be: of a Binary whose content is sealed already the one that it was sealed under.</summary>
    public static string NewId(ElementNode resource, StreamedBody? body) =>
        resource.StringAt("resourceType") == "Binary" && CutOf(resource, body) is { } cut ? cut.BinaryId : ResourceId.New();

    private static CutData? CutOf(ElementNode binary, StreamedBody? body) =>
        body is { HasCuts: true } && binary.StringAt("data") is { } data ? body.Find(data) : null;

    /// <summary>What a deletion that has nothing left to do is answered: who asks for it is in the log all the same.</summary>
    public async Task<FhirResponse> DoneAsync(Caller caller, StoredVersion deleted, CancellationToken cancellation)
    {
        var facts = deleted.Facts;
        var entries = caller.Entries(
            time.GetUtcNow(), Interaction.Delete, AuditOutcome.Permit, [$"{facts.Type}/{facts.Id}"], facts.Patients);
        await audit.AppendAsync([.. entries], cancellation);
        return Existing(deleted);
    }

    /// <summary>Whether a deletion has nothing left to do. To who may not make it, a deleted record is as any other.</summary>
    public static bool IsDone(Caller caller, WriteRequest deletion) =>
        deletion.Current is { IsDeleted: true } && WriteRules.Refusal(caller, deletion) is null;

    /// <summary>What to answer to a write that was committed.</summary>
    public static FhirResponse Written(PreparedWrite prepared)
    {
        var version = prepared.Version;
        if (version.IsDeleted) return FhirResponse.NoContent with { Version = version.Version };
        return new FhirResponse(prepared.Request.Current is null ? 201 : 200, prepared.Json)
        {
            Version = version.Version,
            LastModified = version.LastUpdated,
            Location = Versioned(version.Facts, version.Version),
        };
    }

    /// <summary>What to answer where nothing had to be written.</summary>
    public static FhirResponse Existing(StoredVersion found) => new(found.IsDeleted ? 204 : 200, default)
    {
        Version = found.Version,
        LastModified = found.LastUpdated,
        Location = Versioned(found.Facts, found.Version),
    };

    /// <summary>Why a body is not what its URL says; null: it is.</summary>
    public static Outcome? Mismatch(ResourceDocument body, string type, string? id = null)
    {
        if (body.ResourceType != type)
        {
            var shown = FhirSchema.R4.IsResourceType(body.ResourceType) ? body.ResourceType : "resource of no known type";
            return Outcome.Of(OutcomeCategory.Malformed, $"the body is a {shown}, the URL says {type}", "resourceType");
        }
        return id is null || body.Id == id ? null : Outcome.Of(OutcomeCategory.Malformed, "the body's id is not the URL's", $"{type}.id");
    }

    private static string Versioned(RecordFacts facts, long version) => $"{facts.Type}/{facts.Id}/_history/{version}";

    private static byte[]? TryBase64(string text)
    {
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException)
        {
            // The validator says so, with the element's name.
            return null;
        }
    }
}
