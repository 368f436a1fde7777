using Microsoft.AspNetCore.WebUtilities;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>What the interactions that write have in common: what there is already, the write itself, the answer.</summary>
internal sealed class Writes(WriteFlow flow, Denials denials, ReadFlow readFlow, RecordStore records, SearchParser parser)
{
    private static readonly HashSet<string> NoPatients = [];

    /// <summary>The one resource that a condition names, null for none.</summary>
    public async Task<Result<StoredVersion?>> ExistingAsync(Caller caller, string type, string condition, CancellationToken cancellation)
    {
        // A condition is a search: it takes the scope for one, and a match is told to the audit log.
        if (caller.Refuse(type, ScopeAction.Search) is { } refusal) return refusal;
        var parsed = parser.Parse(type, QueryHelpers.ParseQuery(condition));
        if (parsed.Failure is { } failure) return failure;
        if (parsed.Value.Query.Criteria.Count == 0)
            return Outcome.Of(OutcomeCategory.PreconditionFailed, "the condition names nothing to look for");
        var eyes = await readFlow.EyesOfAsync(caller.Requester, cancellation);
        var (page, total, _) = records.Search(eyes, parsed.Value.Query with { Count = 1 });
        if (total > 1) return Outcome.Of(OutcomeCategory.PreconditionFailed, "the condition matches several resources");
        if (page.FirstOrDefault() is not { } match) return (StoredVersion?)null;
        await flow.ReportMatchAsync(caller, match.Facts);
        return match;
    }

    /// <summary>The current version as the writer may see it, for a change of it.</summary>
    public async Task<Result<StoredVersion>> CurrentAsync(
        Caller caller, string type, string id, string? ifMatch, CancellationToken cancellation)
    {
        var eyes = await readFlow.EyesOfAsync(caller.Requester, cancellation);
        if (records.Read(eyes, type, id, null) is not { } current) return Outcome.NotFound;
        if (ifMatch is not null && ifMatch != $"W/\"{current.Version}\"")
            return Outcome.Of(OutcomeCategory.PreconditionFailed, "the resource is at another version than If-Match says");
        return current;
    }

    /// <summary>Prepares and commits one write, and answers.</summary>
    public async Task<FhirResponse> RunAsync(Caller caller, WriteRequest request, CancellationToken cancellation)
    {
        var prepared = await flow.PrepareAsync(caller, request, NoPatients, cancellation);
        if (prepared.Failure is { } failure)
        {
            var asked = request.Current is null ? request.Type : $"{request.Type}/{request.Id}";
            return await denials.AnswerAsync(caller, request.Interaction, asked, failure);
        }
        return await flow.CommitAsync(caller, [prepared.Value], cancellation) is { } broken
            ? FhirResponse.From(broken)
            : Written(prepared.Value);
    }

    /// <summary>The write that a document means: a Binary in JSON is its content.</summary>
    public static WriteRequest RequestFor(ResourceDocument document, string type, string id, StoredVersion? current)
    {
        if (type != "Binary") return new WriteRequest(document, type, id, current);
        var content = document.Root.StringAt("data") is { } data && TryBase64(data) is { } bytes ? bytes : [];
        var contentType = document.Root.StringAt("contentType") ?? "application/octet-stream";
        var context = document.Root["securityContext"]?.StringAt("reference");
        return new WriteRequest(document, type, id, current, new BinaryContent(contentType, content, context));
    }

    /// <summary>What to answer to a write that was committed.</summary>
    public static FhirResponse Written(PreparedWrite prepared)
    {
        var version = prepared.Writes[^1].Version;
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
