using Microsoft.AspNetCore.WebUtilities;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>What the interactions that write have in common: what there is already, the write itself, the answer.</summary>
internal sealed class Writes(
    WriteFlow flow, Conditions conditions, Denials denials, AuditLog audit, TimeProvider time)
{
    private const int MaxTries = 5;

    /// <summary>The current version as the writer may see it, for a change of it.</summary>
    public async Task<Result<StoredVersion>> CurrentAsync(
        Caller caller, ScopeAction action, string type, string id, Preconditions preconditions, CancellationToken cancellation)
    {
        if (await flow.VisibleAsync(caller, action, type, id, cancellation) is not { } current) return Outcome.NotFound;
        return preconditions.Broken(current) is { } broken ? broken : current;
    }

    /// <summary>Prepares and commits one write, and answers.</summary>
    /// <param name="caller">Who writes.</param>
    /// <param name="request">What.</param>
    /// <param name="body">The body that it came in; null: none.</param>
    /// <param name="ifNoneExist">The condition of a conditional create: where it matches, that is the answer.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    public Task<FhirResponse> RunAsync(
        Caller caller, WriteRequest request, StreamedBody? body, string? ifNoneExist, CancellationToken cancellation) =>
            RunAsync(
                caller,
                body,
                async context =>
                {
                    if (ifNoneExist is null) return request;
                    var criteria = QueryHelpers.ParseQuery(ifNoneExist);
                    var existing = await conditions.RequireAsync(context, request.Type, criteria, cancellation);
                    if (existing.Failure is { } refused)
                        return await denials.AnswerAsync(context, Interaction.SearchType, request.Type, refused);
                    return existing.Value is { } found ? Existing(found) : request;
                },
                cancellation);

    /// <summary>Finds what a request by criteria is about, then writes that.</summary>
    /// <param name="call">The request.</param>
    /// <param name="body">The body that it came in; null: none.</param>
    /// <param name="id">The id that the body has; null: none.</param>
    /// <param name="decide">What to make of the one match; of an update, also of null: there is none.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    public Task<FhirResponse> RunByCriteriaAsync(
        FhirCall call, StreamedBody? body, string? id, Func<StoredVersion?, Task<Attempt>> decide, CancellationToken cancellation) =>
            RunAsync(
                call.Caller,
                body,
                async context =>
                {
                    var target = await conditions.TargetAsync(context, call.Request, id, cancellation);
                    return target.Failure is { } refused
                        ? await denials.AnswerAsync(context, call.Route.Interaction, call.Target, refused)
                        : await decide(target.Value);
                },
                cancellation);

    // Again where somebody else was first: with what the condition names, or with the key of a patient.
    private async Task<FhirResponse> RunAsync(
        Caller caller, StreamedBody? body, Func<WriteContext, Task<Attempt>> attempt, CancellationToken cancellation)
    {
        for (var tries = 1; ; tries++)
        {
            var context = flow.Begin(caller, body);
            if (await TryAsync(context, await attempt(context), tries, cancellation) is { } answer)
                return await denials.EndAsync(context, answer);
        }
    }

    private async Task<FhirResponse?> TryAsync(WriteContext context, Attempt tried, int tries, CancellationToken cancellation)
    {
        if (tried.Request is not { } request) return tried.Answer!;
        var prepared = await flow.PrepareAsync(context, request, cancellation);
        var asked = request.Current is null ? request.Type : $"{request.Type}/{request.Id}";
        if (prepared.Failure is { } failure) return await denials.AnswerAsync(context, request.Interaction, asked, failure);
        var committed = await flow.CommitAsync(context, [prepared.Value], cancellation);
        if (committed.Failure is { } broken) return FhirResponse.From(broken);
        if (committed.Value is CommitResult.Committed) return Written(prepared.Value);
        return IsTriedAgain(context, committed.Value, tries)
            ? null
            : await denials.AnswerAsync(context, request.Interaction, asked, Conflict(committed.Value, [prepared.Value]));
    }

    /// <summary>
    /// Whether a request that was not committed is begun anew. Of a condition it is asked what it names now; who named a version, or an
    /// id, is told that it is another version.
    /// </summary>
    public static bool IsTriedAgain(WriteContext context, CommitResult result, int tries) =>
        tries < MaxTries && result is not (CommitResult.NotHeld { Failed: Precondition.AtMost } or CommitResult.Encloses)
        && (result is not CommitResult.Conflict || context.Preconditions.Count > 0);

    /// <summary>Why a plan was not carried out. That there are as many as there may be their patients find in the log.</summary>
    public static Outcome Conflict(CommitResult result, IEnumerable<PreparedWrite> prepared) => result switch
    {
        CommitResult.Conflict c => Outcome.Of(OutcomeCategory.Conflict, $"{c.Type}/{c.Id} is at another version"),
        CommitResult.NotHeld { Failed: Precondition.AtMost limit } => Outcome.Of(OutcomeCategory.TooMany, limit.Otherwise) with
        {
            Concealed = [.. prepared.SelectMany(p => p.Version.Facts.Patients).Distinct()],
        },
        CommitResult.Encloses { Type: "Consent" } => new Outcome(
            OutcomeCategory.Invalid,
            [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, "Consent.sourceAttachment.url", ConsentWrites.HoldsOthers)]),
        CommitResult.Encloses e => new Outcome(
            OutcomeCategory.Invalid,
            [
                new ValidationIssue(
                    IssueSeverity.Error, IssueCode.Value, e.Type, $"Binary/{e.Binary} is a FHIR resource: {DirectoryTypes.ForAll}"),
            ]),
        _ => Outcome.Of(OutcomeCategory.Conflict, "others are writing the same: try again"),
    };

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

/// <summary>What one try of a write comes to.</summary>
/// <param name="Request">What is to be written; null: nothing.</param>
/// <param name="Answer">The answer, where nothing is to be written.</param>
internal readonly record struct Attempt(WriteRequest? Request, FhirResponse? Answer)
{
    /// <summary>Something is to be written.</summary>
    public static implicit operator Attempt(WriteRequest request) => new(request, null);

    /// <summary>Nothing is.</summary>
    public static implicit operator Attempt(FhirResponse answer) => new(null, answer);
}
