using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>An entry of a transaction or batch, before anything is done about it.</summary>
/// <param name="Index">Its place.</param>
/// <param name="FullUrl">How other entries point to it; null: not at all.</param>
/// <param name="Method">HTTP method.</param>
/// <param name="Url">Path and query below the FHIR base.</param>
/// <param name="IfNoneExist">Condition of a create, or null.</param>
/// <param name="Preconditions">Which version a change is made of.</param>
/// <param name="Resource">Its resource, or null.</param>
/// <param name="Bundle">What it is an entry of.</param>
internal sealed record BundleEntry(
    int Index, string? FullUrl, string Method, string Url, string? IfNoneExist, Preconditions Preconditions, ElementNode? Resource,
    ReceivedBody Bundle)
{
    /// <summary>Its path in the Bundle, for issues.</summary>
    public string Path => $"Bundle.entry[{Index}]";

    /// <summary>What the patches of the Bundle may take together.</summary>
    public required PatchBudget Patching { get; init; }

    /// <summary>Whether it reads: HEAD, which R4's http-verb has too, is a GET without its body.</summary>
    public bool IsRead => Method is "GET" or "HEAD";

    /// <summary>What it asks for, without a query.</summary>
    public string Target => Url.Split('?')[0];

    /// <summary>Its condition: ifNoneExist of a create, the criteria in the URL of another write; null: none.</summary>
    public IReadOnlyList<KeyValuePair<string, StringValues>>? Condition =>
        IfNoneExist is { } condition ? [.. QueryHelpers.ParseQuery(condition)]
        : Method == "POST" || Target.Contains('/') ? null
        : AsRequest().Query;

    /// <summary>The entries of a Bundle.</summary>
    /// <param name="bundle">The Bundle.</param>
    /// <param name="most">How many it may have (Limits:MaxBundleEntries).</param>
    public static Result<List<BundleEntry>> Of(ReceivedBody bundle, int most)
    {
        if (bundle.Document.Root["entry"] is { Kind: not JsonTokenType.StartArray })
            return Outcome.Of(OutcomeCategory.Malformed, "the entries of a Bundle are an array", "Bundle.entry");
        var entries = new List<BundleEntry>();
        var patching = new PatchBudget();
        foreach (var node in bundle.Document.Root.ItemsAt("entry"))
        {
            var at = $"Bundle.entry[{entries.Count}]";
            if (node["request"] is not { } request
                || request.StringAt("method") is not { } method
                || request.StringAt("url") is not { } url)
            {
                return Outcome.Of(OutcomeCategory.Malformed, "an entry needs request.method and request.url", at + ".request");
            }
            if (method != "POST" && request["ifNoneExist"] is not null)
            {
                return Outcome.Of(
                    OutcomeCategory.Malformed, "ifNoneExist is of a POST: another write has its criteria in request.url",
                    at + ".request.ifNoneExist");
            }
            if (node["resource"] is { Kind: not JsonTokenType.StartObject })
                return Outcome.Of(OutcomeCategory.Malformed, "a resource is an object", at + ".resource");
            entries.Add(new BundleEntry(
                entries.Count, node.StringAt("fullUrl"), method, url,
                request.StringAt("ifNoneExist"), new Preconditions(request.StringAt("ifMatch"), request.StringAt("ifNoneMatch")),
                node["resource"], bundle)
            {
                Patching = patching,
            });
            if (entries.Count > most)
            {
                return Outcome.Of(
                    OutcomeCategory.TooLarge, $"a Bundle has at most {most} entries (Limits:MaxBundleEntries)", "Bundle.entry");
            }
        }
        return entries;
    }

    /// <summary>Its resource as a document of its own; null: it has none.</summary>
    public ReceivedBody? Document() => Resource is { } resource ? Bundle with { Document = Bundle.Document.Part(resource) } : null;

    /// <summary>The entry as a request of its own.</summary>
    public FhirRequest AsRequest() => FhirRequest.OfEntry(IsRead ? HttpMethods.Get : Method, Url, Document()) with
    {
        IsHead = Method == "HEAD",
        IfNoneExist = IfNoneExist,
        Preconditions = Preconditions,
        Patching = Patching,
    };
}
