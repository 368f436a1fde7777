using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Security;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Interactions;

/// <summary>FHIR transaction and batch. https://hl7.org/fhir/R4/http.html#transaction</summary>
public sealed class BundleInteraction(WriteFlow flow, Denials denials, WriteInteractions writes, BaseUrl baseUrl)
{
    private const int MaxEntries = 10_000;

    private sealed record Entry(int Index, string? FullUrl, string Method, string Url, string? IfNoneExist, string? IfMatch, ElementNode? Resource)
    {
        public string Path => $"Bundle.entry[{Index}]";
    }

    /// <summary>Runs a Bundle: a transaction all or none, a batch entry by entry.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="request">The request with the Bundle.</param>
    /// <param name="dispatch">Runs one entry as a request of its own.</param>
    /// <param name="cancellation">Stops between entries.</param>
    public async Task<FhirResponse> RunAsync(Caller caller, FhirRequest request, Func<FhirRequest, Task<FhirResponse>> dispatch, CancellationToken cancellation)
    {
        var body = await request.ReadBody(cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        var bundle = body.Value;
        var type = bundle.Root.StringAt("type");
        if (bundle.ResourceType != "Bundle" || type is not ("transaction" or "batch"))
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, "the base takes a Bundle of type transaction or batch; a document goes to /Bundle", "Bundle.type"));
        var entries = Entries(bundle);
        if (entries.Failure is { } malformed) return FhirResponse.From(malformed);
        return type == "batch" ? await BatchAsync(entries.Value, dispatch) : await TransactionAsync(caller, entries.Value, dispatch, cancellation);
    }

    private static Result<List<Entry>> Entries(ResourceDocument bundle)
    {
        var entries = new List<Entry>();
        foreach (var node in bundle.Root.ItemsAt("entry"))
        {
            if (node["request"] is not { } request || request.StringAt("method") is not { } method || request.StringAt("url") is not { } url)
                return Outcome.Of(OutcomeCategory.Malformed, "an entry needs request.method and request.url", $"Bundle.entry[{entries.Count}].request");
            if (node["resource"] is { Kind: not System.Text.Json.JsonTokenType.StartObject })
                return Outcome.Of(OutcomeCategory.Malformed, "a resource is an object", $"Bundle.entry[{entries.Count}].resource");
            entries.Add(new Entry(entries.Count, node.StringAt("fullUrl"), method, url, request.StringAt("ifNoneExist"), request.StringAt("ifMatch"), node["resource"]));
            if (entries.Count > MaxEntries) return Outcome.Of(OutcomeCategory.TooLarge, $"a Bundle has at most {MaxEntries} entries", "Bundle.entry");
        }
        return entries;
    }

    private async Task<FhirResponse> BatchAsync(List<Entry> entries, Func<FhirRequest, Task<FhirResponse>> dispatch)
    {
        var answer = new BundleWriter("batch-response", null);
        foreach (var entry in entries)
        {
            var request = FhirRequest.OfEntry(entry.Method, entry.Url, entry.Resource is { } r ? Own(r) : null) with { IfNoneExist = entry.IfNoneExist, IfMatch = entry.IfMatch };
            answer.ResponseEntry(await dispatch(request), baseUrl.Fhir);
        }
        return new FhirResponse(200, answer.ToJson());
    }

    private async Task<FhirResponse> TransactionAsync(Caller caller, List<Entry> entries, Func<FhirRequest, Task<FhirResponse>> dispatch, CancellationToken cancellation)
    {
        // Each entry gets its id first, so that the others can point to it.
        var plan = new (string Type, string Id, StoredVersion? Current, bool Exists)[entries.Count];
        var links = new Dictionary<string, string>(StringComparer.Ordinal);
        var newPatients = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            var planned = await PlanAsync(caller, entry, cancellation);
            if (planned.Failure is { } failure) return await RefuseAsync(caller, failure, entry);
            plan[entry.Index] = planned.Value;
            var (type, id, current, exists) = planned.Value;
            if (entry.FullUrl is { } url && entry.Method != "GET" && !links.TryAdd(url, $"{type}/{id}"))
                return Failed(Outcome.Of(OutcomeCategory.Malformed, "two entries have the same fullUrl"), entry);
            if (type == "Patient" && current is null && !exists) newPatients.Add(id);
        }

        var prepared = new Dictionary<int, PreparedWrite>();
        foreach (var entry in entries)
        {
            var (type, id, current, exists) = plan[entry.Index];
            if (entry.Method == "GET" || exists) continue;
            WriteRequest request;
            if (entry.Method == "DELETE")
            {
                request = new WriteRequest(null, type, id, current);
            }
            else
            {
                var rewritten = await RewriteAsync(caller, entry, links, cancellation);
                if (rewritten.Failure is { } failure) return await RefuseAsync(caller, failure, entry);
                request = WriteInteractions.RequestFor(rewritten.Value, type, id, current);
            }
            var write = await flow.PrepareAsync(caller, request, newPatients, cancellation);
            if (write.Failure is { } refused) return await RefuseAsync(caller, refused, entry);
            prepared[entry.Index] = write.Value;
        }
        if (await flow.CommitAsync(caller, [.. prepared.Values], cancellation) is { } broken) return FhirResponse.From(broken);

        var answer = new BundleWriter("transaction-response", null);
        foreach (var entry in entries)
        {
            var response = prepared.TryGetValue(entry.Index, out var done) ? WriteInteractions.Written(done)
                : entry.Method == "GET" ? await dispatch(FhirRequest.OfEntry("GET", entry.Url, null))
                : WriteInteractions.Existing(plan[entry.Index].Current!);
            answer.ResponseEntry(response with { Body = entry.Method == "GET" || response.Status >= 400 ? response.Body : default }, baseUrl.Fhir);
        }
        return new FhirResponse(200, answer.ToJson());
    }

    private async Task<Result<(string Type, string Id, StoredVersion? Current, bool Exists)>> PlanAsync(Caller caller, Entry entry, CancellationToken cancellation)
    {
        var path = entry.Url.Split('?')[0].Split('/');
        var type = path[0];
        if (!FhirSchema.R4.IsResourceType(type)) return Outcome.Of(OutcomeCategory.Malformed, "request.url begins with no resource type");
        switch (entry.Method)
        {
            case "GET":
                return (type, "", null, false);
            case "POST" when path.Length == 1 && entry.Resource is { } resource:
                if (resource.StringAt("resourceType") != type) return Outcome.Of(OutcomeCategory.Malformed, $"the resource is not the {type} that request.url says");
                if (type == "Bundle") return Outcome.Of(OutcomeCategory.NotSupported, "a document is posted to /Bundle on its own");
                if (caller.Refuse(type, ScopeAction.Create) is { } noCreate) return noCreate;
                if (entry.IfNoneExist is null) return (type, ResourceId.New(), null, false);
                var existing = await writes.ExistingAsync(caller, type, entry.IfNoneExist, cancellation);
                if (existing.Failure is { } failure) return failure;
                return existing.Value is { } found ? (type, found.Facts.Id, found, true) : (type, ResourceId.New(), null, false);
            case "PUT" or "DELETE" when caller.Refuse(type, entry.Method == "PUT" ? ScopeAction.Update : ScopeAction.Delete) is { } refusal:
                return refusal;
            case "PUT" or "DELETE" when path.Length == 2 && FhirReference.TryParse(string.Join('/', path), out _):
                var current = await writes.CurrentAsync(caller, type, path[1], entry.IfMatch, cancellation);
                if (current.Failure is { } missing) return missing;
                if (entry.Method == "PUT" && entry.Resource?.StringAt("id") != path[1]) return Outcome.Of(OutcomeCategory.Malformed, "the resource's id is not the one in request.url");
                return (type, path[1], current.Value, entry.Method == "DELETE" && current.Value.IsDeleted);
            default:
                return Outcome.Of(OutcomeCategory.NotSupported, "an entry of a transaction is a POST to a type, a PUT or DELETE of an instance, or a GET");
        }
    }

    // References to other entries, and conditional references, become references to resources here (R4 http.html, "transaction").
    private async Task<Result<ResourceDocument>> RewriteAsync(Caller caller, Entry entry, Dictionary<string, string> links, CancellationToken cancellation)
    {
        if (entry.Resource is not { } resource) return Outcome.Of(OutcomeCategory.Malformed, "the entry has no resource");
        var document = Own(resource);
        var edits = new JsonEdits(document);
        var conditional = new List<ElementNode>();
        Walk(document.Root);
        foreach (var node in conditional)
        {
            var (type, query) = (node.Text.Split('?')[0], node.Text[(node.Text.IndexOf('?') + 1)..]);
            if (!links.TryGetValue(node.Text, out var target))
            {
                var found = await writes.ExistingAsync(caller, type, query, cancellation);
                if (found.Failure is { } failure) return failure;
                if (found.Value is null) return Outcome.Of(OutcomeCategory.PreconditionFailed, $"a conditional reference to {type} matches nothing");
                links[node.Text] = target = $"{type}/{found.Value.Facts.Id}";
            }
            edits.ReplaceString(node, target);
        }
        return edits.IsEmpty ? document : RequestBody.Parse(edits.Apply());

        void Walk(ElementNode node)
        {
            foreach (var child in node)
            {
                if (child.Kind is System.Text.Json.JsonTokenType.StartObject or System.Text.Json.JsonTokenType.StartArray) Walk(child);
                else if (child is { Name: "reference" or "url", Kind: System.Text.Json.JsonTokenType.String })
                {
                    var text = child.Text;
                    if (links.TryGetValue(text, out var target) && !text.Contains('?')) edits.ReplaceString(child, target);
                    else if (child.Name == "reference" && text.IndexOf('?') is var q and > 0 && FhirSchema.R4.IsResourceType(text[..q])) conditional.Add(child);
                }
            }
        }
    }

    private async Task<FhirResponse> RefuseAsync(Caller caller, Outcome outcome, Entry entry)
    {
        await denials.AnswerAsync(caller, "transaction", entry.Url.Split('?')[0], outcome);
        return Failed(outcome, entry);
    }

    private static FhirResponse Failed(Outcome outcome, Entry entry) => FhirResponse.From(outcome with
    {
        Issues = [.. outcome.Issues.Select(i => i with { Expression = i.Expression.Length == 0 ? entry.Path : $"{entry.Path}.resource.{i.Expression}" })],
    });

    private static ResourceDocument Own(ElementNode resource) =>
        ResourceDocument.TryParse(resource.RawBytes.ToArray(), out var document, out _) ? document! : throw new InvalidOperationException("an object inside a document is a document");
}
