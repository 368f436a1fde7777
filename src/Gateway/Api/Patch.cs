using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR patch: JSON Patch (application/json-patch+json; in a Bundle a Binary of that type) or FHIRPath Patch (a Parameters resource),
/// applied to what there is, and then an update like any other. https://hl7.org/fhir/R4/http.html#patch
/// </summary>
internal sealed class Patch(Writes writes, ReadFlow readFlow, Denials denials, LimitOptions limits)
{
    public const string JsonPatchType = "application/json-patch+json";

    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        if (Refusal(call.Caller, call.Type) is { } refusal)
            return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, refusal);
        var patch = await ReadAsync(call.Request, cancellation);
        if (patch.Failure is { } unreadable) return FhirResponse.From(unreadable);
        var current = await writes.CurrentAsync(call.Caller, call.Type, call.Id, call.Request.IfMatch, cancellation);
        if (current.Failure is { } failure) return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, failure);
        var patched = await ApplyAsync(call.Caller, current.Value, patch.Value, cancellation);
        return patched.Failure is { } refused
            ? FhirResponse.From(refused)
            : await writes.RunAsync(call.Caller, Writes.RequestFor(patched.Value, call.Type, call.Id, current.Value), null, cancellation);
    }

    /// <summary>Why the token's scopes do not allow a patch; null: they do.</summary>
    /// <remarks>The answer shows what was patched, and a test operation asks about it: it takes the scope for a read as well.</remarks>
    public static Outcome? Refusal(Caller caller, string type) =>
        caller.Refuse(type, ScopeAction.Update) ?? caller.Refuse(type, ScopeAction.Read);

    /// <summary>What a patch makes of the version that there is.</summary>
    public async Task<Result<ResourceDocument>> ApplyAsync(
        Caller caller, StoredVersion current, PatchBody patch, CancellationToken cancellation)
    {
        var (type, id) = (current.Facts.Type, current.Facts.Id);
        OpenedRecord? opened = null;
        var answer = await readFlow.RunAsync(
            caller,
            new ReadRequest(Interaction.Patch, type, ScopeAction.Read, $"{type}/{id}", type == "Patient" ? id : null),
            async snapshot => Found.Of(await snapshot.ReadAsync(type, id, current.Version, cancellation)),
            released =>
            {
                opened = released[0];
                return FhirResponse.NoContent;
            },
            cancellation);
        if (opened is null) return answer.Failure!;
        var before = RequestBody.Parse(Read.AsResource(opened)).Value;
        var result = ResourcePatch.Apply(before, patch.Format, patch.Content, new ResourceLimits(limits.MaxDepth, limits.MaxValues));
        return result.Document is { } after ? after : new Outcome(OutcomeCategory.Invalid, result.Issues);
    }

    /// <summary>The patch that an entry of a Bundle carries.</summary>
    public static Result<PatchBody> Of(ResourceDocument resource)
    {
        if (resource.ResourceType == "Parameters") return new PatchBody(PatchFormat.FhirPathPatch, resource.Bytes);
        if (resource.ResourceType != "Binary" || resource.Root.StringAt("contentType") is not JsonPatchType)
            return Outcome.Of(OutcomeCategory.UnsupportedMediaType, $"a patch is a Parameters, or a Binary with {JsonPatchType}");
        try
        {
            return new PatchBody(PatchFormat.JsonPatch, Convert.FromBase64String(resource.Root.StringAt("data") ?? ""));
        }
        catch (FormatException)
        {
            return Outcome.Of(OutcomeCategory.Malformed, "the patch is not base64", "Binary.data");
        }
    }

    private async Task<Result<PatchBody>> ReadAsync(FhirRequest request, CancellationToken cancellation)
    {
        if (request.Http is { } http && IsJsonPatch(http.ContentType))
        {
            var bytes = await RequestBody.ReadAsync(http, limits.MaxBodyBytes, cancellation);
            return bytes.Failure is { } tooLarge ? tooLarge : new PatchBody(PatchFormat.JsonPatch, bytes.Value);
        }
        var body = await request.ReadBody(cancellation);
        return body.Failure is { } unreadable ? unreadable : Of(body.Value);
    }

    private static bool IsJsonPatch(string? contentType) =>
        string.Equals(contentType?.Split(';')[0].Trim(), JsonPatchType, StringComparison.OrdinalIgnoreCase);
}

/// <summary>A patch as it came.</summary>
/// <param name="Format">Its language.</param>
/// <param name="Content">JSON, UTF-8.</param>
internal sealed record PatchBody(PatchFormat Format, ReadOnlyMemory<byte> Content);
