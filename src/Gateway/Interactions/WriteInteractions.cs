using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Security;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Interactions;

/// <summary>FHIR create, update and delete. https://hl7.org/fhir/R4/http.html#create</summary>
public sealed class WriteInteractions(WriteFlow flow, Denials denials, ReadFlow readFlow, RecordStore records, SearchParser parser, DocumentReceiver documents, Hosting.GatewayOptions options)
{
    private static readonly HashSet<string> NoPatients = [];

    /// <summary>Creates a resource under an id of the gateway's choice.</summary>
    public async Task<FhirResponse> CreateAsync(Caller caller, FhirRequest request, string type, CancellationToken cancellation)
    {
        if (type == "Binary" && request.Http is { } http && !RequestBody.IsFhirJson(http.ContentType)) return await CreateBinaryAsync(caller, http, cancellation);
        if (caller.Refuse(type == "Bundle" ? "DocumentReference" : type, ScopeAction.Create) is { } refusal) return await denials.AnswerAsync(caller, "create", type, refusal);
        var body = await request.ReadBody(cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        var document = body.Value;
        if (document.ResourceType != type) return Mismatch($"the body is a {Shown(document.ResourceType)}, the URL says {type}", "resourceType");
        if (type == "Bundle")
        {
            var received = await documents.ReceiveAsync(caller, document, cancellation);
            if (received.Failure is { } refused) return await denials.AnswerAsync(caller, "create", type, refused);
            (document, type) = (received.Value, "DocumentReference");
        }
        if (request.IfNoneExist is { } condition)
        {
            var existing = await ExistingAsync(caller, type, condition, cancellation);
            if (existing.Failure is { } failure) return await denials.AnswerAsync(caller, "search-type", type, failure);
            if (existing.Value is { } found) return Existing(found);
        }
        return await RunAsync(caller, RequestFor(document, type, ResourceId.New(), null), cancellation);
    }

    /// <summary>Makes a new version of a resource that there is. An unknown id is not created (CapabilityStatement: updateCreate false).</summary>
    public async Task<FhirResponse> UpdateAsync(Caller caller, FhirRequest request, string type, string id, CancellationToken cancellation)
    {
        if (caller.Refuse(type, ScopeAction.Update) is { } refusal) return await denials.AnswerAsync(caller, "update", $"{type}/{id}", refusal);
        var body = await request.ReadBody(cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        if (body.Value.ResourceType != type) return Mismatch($"the body is a {Shown(body.Value.ResourceType)}, the URL says {type}", "resourceType");
        if (body.Value.Id != id) return Mismatch("the body's id is not the URL's", $"{type}.id");
        var current = await CurrentAsync(caller, type, id, request.IfMatch, cancellation);
        return current.Failure is { } failure
            ? await denials.AnswerAsync(caller, "update", $"{type}/{id}", failure)
            : await RunAsync(caller, RequestFor(body.Value, type, id, current.Value), cancellation);
    }

    /// <summary>Ends a resource; its versions stay for who may see them.</summary>
    public async Task<FhirResponse> DeleteAsync(Caller caller, string type, string id, string? ifMatch, CancellationToken cancellation)
    {
        if (caller.Refuse(type, ScopeAction.Delete) is { } refusal) return await denials.AnswerAsync(caller, "delete", $"{type}/{id}", refusal);
        var current = await CurrentAsync(caller, type, id, ifMatch, cancellation);
        if (current.Failure is { } failure) return await denials.AnswerAsync(caller, "delete", $"{type}/{id}", failure);
        if (current.Value.IsDeleted) return new FhirResponse(204, Array.Empty<byte>());
        return await RunAsync(caller, new WriteRequest(null, type, id, current.Value), cancellation);
    }

    /// <summary>The one resource that a condition names, null for none.</summary>
    internal async Task<Result<StoredVersion?>> ExistingAsync(Caller caller, string type, string condition, CancellationToken cancellation)
    {
        // A condition is a search: it takes the scope for one, and a match is told to the audit log.
        if (caller.Refuse(type, ScopeAction.Search) is { } refusal) return refusal;
        var parsed = parser.Parse(type, Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(condition));
        if (parsed.Failure is { } failure) return failure;
        if (parsed.Value.Query.Criteria.Count == 0) return Outcome.Of(OutcomeCategory.PreconditionFailed, "the condition names nothing to look for");
        var (page, total, _) = records.Search(await readFlow.EyesOfAsync(caller.Requester, cancellation), parsed.Value.Query with { Count = 1 });
        if (total > 1) return Outcome.Of(OutcomeCategory.PreconditionFailed, "the condition matches several resources");
        if (page.FirstOrDefault() is not { } match) return (StoredVersion?)null;
        await flow.ReportMatchAsync(caller, match.Facts);
        return match;
    }

    /// <summary>The current version under the writer's eyes, for a change of it.</summary>
    internal async Task<Result<StoredVersion>> CurrentAsync(Caller caller, string type, string id, string? ifMatch, CancellationToken cancellation)
    {
        if (records.Read(await readFlow.EyesOfAsync(caller.Requester, cancellation), type, id, null) is not { } current) return Outcome.NotFound;
        if (ifMatch is not null && ifMatch != $"W/\"{current.Version}\"") return Outcome.Of(OutcomeCategory.PreconditionFailed, "the resource is at another version than If-Match says");
        return current;
    }

    /// <summary>The write that a document means: a Binary in JSON is its content.</summary>
    internal static WriteRequest RequestFor(ResourceDocument document, string type, string id, StoredVersion? current)
    {
        if (type != "Binary") return new WriteRequest(document, type, id, current);
        var content = document.Root.StringAt("data") is { } data && TryBase64(data) is { } bytes ? bytes : [];
        return new WriteRequest(document, type, id, current, new BinaryContent(
            document.Root.StringAt("contentType") ?? "application/octet-stream", content, document.Root["securityContext"]?.StringAt("reference")));
    }

    /// <summary>What to answer to a write that was committed.</summary>
    internal static FhirResponse Written(PreparedWrite prepared)
    {
        var version = prepared.Writes[^1].Version;
        if (version.IsDeleted) return new FhirResponse(204, Array.Empty<byte>()) { Version = version.Version };
        return new FhirResponse(prepared.Request.Current is null ? 201 : 200, prepared.Json)
        {
            Version = version.Version,
            LastModified = version.LastUpdated,
            Location = Versioned(version.Facts, version.Version),
        };
    }

    /// <summary>What to answer where nothing had to be written.</summary>
    internal static FhirResponse Existing(StoredVersion found) => new(found.IsDeleted ? 204 : 200, default)
    {
        Version = found.Version,
        LastModified = found.LastUpdated,
        Location = Versioned(found.Facts, found.Version),
    };

    private static string Versioned(RecordFacts facts, long version) => $"{facts.Type}/{facts.Id}/_history/{version}";

    private static FhirResponse Mismatch(string text, string expression) => FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, text, expression));

    private static string Shown(string type) => FhirSchema.R4.IsResourceType(type) ? type : "resource of no known type";

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

    private async Task<FhirResponse> CreateBinaryAsync(Caller caller, HttpRequest http, CancellationToken cancellation)
    {
        if (http.ContentType is null) return FhirResponse.From(Outcome.Of(OutcomeCategory.UnsupportedMediaType, "a Binary needs its Content-Type"));
        var content = await RequestBody.ReadAsync(http, options.Limits.MaxBodyBytes, cancellation);
        if (content.Failure is { } failure) return FhirResponse.From(failure);
        var context = http.Headers["X-Security-Context"].ToString();
        var binary = new BinaryContent(http.ContentType, content.Value, context.Length > 0 ? context : null);
        return await RunAsync(caller, new WriteRequest(null, "Binary", ResourceId.New(), null, binary), cancellation);
    }

    private async Task<FhirResponse> RunAsync(Caller caller, WriteRequest request, CancellationToken cancellation)
    {
        var prepared = await flow.PrepareAsync(caller, request, NoPatients, cancellation);
        if (prepared.Failure is { } failure) return await denials.AnswerAsync(caller, request.Interaction, request.Current is null ? request.Type : $"{request.Type}/{request.Id}", failure);
        return await flow.CommitAsync(caller, [prepared.Value], cancellation) is { } broken ? FhirResponse.From(broken) : Written(prepared.Value);
    }
}
