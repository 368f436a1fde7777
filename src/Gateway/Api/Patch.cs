using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR patch: JSON Patch (application/json-patch+json; in a Bundle a Binary of that type) or FHIRPath Patch (a Parameters resource),
/// applied to what there is, and then an update like any other. https://hl7.org/fhir/R4/http.html#patch
/// </summary>
internal sealed class Patch(
    Writes writes, ReadFlow readFlow, Denials denials, LimitOptions limits, ResourceLimits resourceLimits)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        if (Refusal(call.Caller, call.Type) is { } refusal)
            return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, refusal);
        var patch = await ReadAsync(call.Request, cancellation);
        if (patch.Failure is { } unreadable) return Unreadable(unreadable);
        var current = await writes.CurrentAsync(
            call.Caller, call.Route.Action, call.Type, call.Id, call.Request.Preconditions, cancellation);
        if (current.Failure is { } failure) return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, failure);
        var write = await WriteAsync(call, current.Value, patch.Value, cancellation);
        return write.Failure is { } refused
            ? FhirResponse.From(refused)
            : await writes.RunAsync(call.Caller, write.Value, patch.Value.Body, null, cancellation);
    }

    /// <summary>Of the one resource that the criteria match. https://hl7.org/fhir/R4/http.html#patch</summary>
    public async Task<FhirResponse> RunByCriteriaAsync(FhirCall call, CancellationToken cancellation)
    {
        if (Refusal(call.Caller, call.Type) is { } refusal)
            return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, refusal);
        var patch = await ReadAsync(call.Request, cancellation);
        if (patch.Failure is { } unreadable) return Unreadable(unreadable);
        var before = new PatchBudget();
        before.GoOnFrom(call.Request.Patching);
        return await writes.RunByCriteriaAsync(call, patch.Value.Body, null, TryAsync, cancellation);

        async Task<Attempt> TryAsync(StoredVersion? current)
        {
            call.Request.Patching.GoOnFrom(before);
            var write = await WriteAsync(call, current!, patch.Value, cancellation);
            return write.Failure is { } refused ? FhirResponse.From(refused) : write.Value;
        }
    }

    private async Task<Result<WriteRequest>> WriteAsync(
        FhirCall call, StoredVersion current, PatchBody patch, CancellationToken cancellation)
    {
        var patched = await ApplyAsync(call.Caller, current, patch, call.Request.Patching, cancellation);
        if (patched.Failure is { } refused) return refused;
        // An attachment that the patch brings may have been cut out of the Bundle that the patch is in.
        var received = new ReceivedBody(patched.Value, patch.Body);
        return Writes.RequestFor(received, call.Type, current.Facts.Id, current) with { IsPatch = true };
    }

    /// <summary>Why the token's scopes do not allow a patch; null: they do.</summary>
    /// <remarks>The answer shows what was patched, and a test operation asks about it: it takes the scope for a read as well.</remarks>
    public static Outcome? Refusal(Caller caller, string type) =>
        caller.Refuse(type, ScopeAction.Update) ?? caller.Refuse(type, ScopeAction.Read);

    /// <summary>What a patch makes of the version that there is.</summary>
    public async Task<Result<ResourceDocument>> ApplyAsync(
        Caller caller, StoredVersion current, PatchBody patch, PatchBudget budget, CancellationToken cancellation)
    {
        var (type, id) = (current.Facts.Type, current.Facts.Id);
        Result<ResourceDocument>? before = null;
        var answer = await readFlow.RunAsync(
            caller,
            // A read of its own: a patch that fails, or tests alone, has told of what there is.
            new ReadRequest(Interaction.Read, type, ScopeAction.Read, $"{type}/{id}", type == "Patient" ? id : null),
            async snapshot => Found.Of(await snapshot.ReadAsync(type, id, current.Version, cancellation)),
            async released =>
            {
                before = await ParseAsync(released[0], cancellation);
                return FhirResponse.NoContent;
            },
            cancellation);
        if (before is not { } read) return answer.Failure!;
        if (read.Failure is { } unreadable) return unreadable;
        var result = ResourcePatch.Apply(read.Value, patch.Format, patch.Content, resourceLimits, budget, cancellation);
        return result.Document is { } after
            ? after
            : new Outcome(Category(result), result.Issues);
    }

    /// <summary>The patch that an entry of a Bundle carries.</summary>
    public static Result<PatchBody> Of(ReceivedBody received)
    {
        var resource = received.Document;
        if (resource.ResourceType == "Parameters") return new PatchBody(PatchFormat.FhirPathPatch, resource.Bytes, received.Body);
        if (resource.ResourceType != "Binary" || !MediaType.Is(resource.Root.StringAt("contentType"), MediaType.JsonPatch))
            return Outcome.Of(OutcomeCategory.UnsupportedMediaType, $"a patch is a Parameters, or a Binary with {MediaType.JsonPatch}");
        if (received.IsCut) return Outcome.Of(OutcomeCategory.TooLarge, "a JSON Patch this long is sent on its own, not in a Bundle");
        try
        {
            return new PatchBody(PatchFormat.JsonPatch, Convert.FromBase64String(resource.Root.StringAt("data") ?? ""));
        }
        catch (FormatException)
        {
            return Outcome.Of(OutcomeCategory.Malformed, "the patch is not base64", "Binary.data");
        }
    }

    private static OutcomeCategory Category(PatchResult result) => result switch
    {
        { IsMalformed: true } => OutcomeCategory.Malformed,
        { Issues: [{ Code: IssueCode.TooLong }] } => OutcomeCategory.TooLarge,
        _ => OutcomeCategory.Invalid,
    };

    // A Binary is patched in memory, like any resource: it can be no longer than one that comes as JSON.
    private async Task<Result<ResourceDocument>> ParseAsync(OpenedRecord opened, CancellationToken cancellation) =>
        opened.Binary?.Size > limits.MaxBodyBytes
            ? Outcome.Of(OutcomeCategory.TooLarge, "a Binary this long is replaced, not patched")
            : RequestBody.Parse(await BinaryJson.ReadAsync(opened, cancellation), resourceLimits);

    // RFC 5789, 2.2: who sends another kind is told which there are.
    private static FhirResponse Unreadable(Outcome outcome) => FhirResponse.From(outcome) with
    {
        AcceptPatch = outcome.Category == OutcomeCategory.UnsupportedMediaType
            ? string.Join(", ", MediaType.Patches)
            : null,
    };

    private async Task<Result<PatchBody>> ReadAsync(FhirRequest request, CancellationToken cancellation)
    {
        if (request.Http is { } http && MediaType.Is(http.ContentType, MediaType.JsonPatch))
        {
            if (MediaType.Refusal(http.ContentType) is { } refusal) return refusal;
            var bytes = await RequestBody.ReadAsync(http, limits.MaxBodyBytes, cancellation);
            return bytes.Failure is { } tooLarge ? tooLarge : new PatchBody(PatchFormat.JsonPatch, bytes.Value);
        }
        var body = await request.ReadBody(cuts: false, cancellation);
        return body.Failure is { } unreadable ? unreadable : Of(body.Value);
    }
}

/// <summary>A patch as it came.</summary>
/// <param name="Format">Its language.</param>
/// <param name="Content">JSON, UTF-8.</param>
/// <param name="Body">The body that it came in, with what was cut out of it; null: nothing was.</param>
internal sealed record PatchBody(PatchFormat Format, ReadOnlyMemory<byte> Content, StreamedBody? Body = null);
