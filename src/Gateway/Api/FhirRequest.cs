using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>Reads the body of a request as a resource.</summary>
/// <param name="cuts">Whether large attachments are cut out while it comes in: not where it must stay whole.</param>
/// <param name="cancellation">Stops the read.</param>
internal delegate Task<Result<ReceivedBody>> ReadBody(bool cuts, CancellationToken cancellation);

/// <summary>A FHIR request, whether it came alone or as an entry of a Bundle.</summary>
/// <param name="Method">HTTP method.</param>
/// <param name="Segments">Path below the FHIR base.</param>
/// <param name="Query">Query parameters.</param>
/// <param name="ReadBody">Reads the body as a resource.</param>
internal sealed record FhirRequest(
    string Method,
    IReadOnlyList<string> Segments,
    IReadOnlyList<KeyValuePair<string, StringValues>> Query,
    ReadBody ReadBody)
{
    /// <summary>Which version a change is made of.</summary>
    public Preconditions Preconditions { get; init; }

    /// <summary>Query of If-None-Exist, or null.</summary>
    public string? IfNoneExist { get; init; }

    /// <summary>The HTTP request, where it came alone: a Binary's bytes and the Accept header are there.</summary>
    public HttpRequest? Http { get; init; }

    /// <summary>Whether the head alone is asked for: HEAD goes where GET goes.</summary>
    public bool IsHead { get; init; }

    /// <summary>What patches may take: of an entry together with those of the others of its Bundle.</summary>
    public PatchBudget Patching { get; init; } = new();

    /// <summary>Values of <c>_format</c>; empty: none.</summary>
    public StringValues Format => Query.FirstOrDefault(p => p.Key == "_format").Value;

    /// <summary>A request of a Bundle entry.</summary>
    public static FhirRequest OfEntry(string method, string url, ReceivedBody? resource)
    {
        var question = url.IndexOf('?');
        var path = question < 0 ? url : url[..question];
        var query = question < 0 ? [] : QueryHelpers.ParseQuery(url[question..]).ToList();
        return new FhirRequest(method, path.Split('/', StringSplitOptions.RemoveEmptyEntries), query, Body);

        Task<Result<ReceivedBody>> Body(bool cuts, CancellationToken cancellation) => Task.FromResult<Result<ReceivedBody>>(
            resource is null ? Outcome.Of(OutcomeCategory.Malformed, "the entry has no resource", "Bundle.entry.resource") : resource);
    }
}
