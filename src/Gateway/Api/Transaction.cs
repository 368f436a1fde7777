using Microsoft.AspNetCore.WebUtilities;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>FHIR transaction: all entries or none. https://hl7.org/fhir/R4/http.html#transaction</summary>
internal sealed class Transaction(
    WriteFlow flow, Conditions conditions, Denials denials, Writes writes, Patch patch, BaseUrl baseUrl)
{
    // What an entry is about. Exists: nothing has to be written, Current is the answer.
    private readonly record struct Planned(string Type, string Id, StoredVersion? Current, bool Exists);

    /// <summary>Runs a transaction, again where somebody else was first with what a condition names or with the key of a patient.</summary>
    public async Task<FhirResponse> RunAsync(
        FhirCall call, ReceivedBody bundle, List<BundleEntry> entries, CancellationToken cancellation)
    {
        for (var tries = 1; ; tries++)
        {
            var context = flow.Begin(call.Caller, bundle.Body);
            if (await TryAsync(call, context, entries, tries, cancellation) is { } answer) return await denials.EndAsync(context, answer);
        }
    }

    // (1) each entry gets its id, (2) is prepared or asked, (3) all are committed, (4) reads see what was written. Null: to be tried again.
    private async Task<FhirResponse?> TryAsync(
        FhirCall call, WriteContext context, List<BundleEntry> entries, int tries, CancellationToken cancellation)
    {
        // (1) Ids first, so that the others can point to it.
        var plan = new Planned[entries.Count];
        var links = new Dictionary<string, string>(StringComparer.Ordinal);
        var written = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            var planned = await PlanAsync(context, entry, cancellation);
            if (planned.Failure is { } failure) return await RefuseAsync(context, failure, entry);
            var (type, id, current, exists) = plan[entry.Index] = planned.Value;
            if (entry.FullUrl is { } url && !entry.IsRead && !links.TryAdd(url, $"{type}/{id}"))
                return Failed(Outcome.Of(OutcomeCategory.Malformed, "two entries have the same fullUrl"), entry);
            // R4 http.html#trules: where two entries are about one resource, what comes out would depend on their order.
            if (!entry.IsRead && !exists && !written.Add(IdentityOf(entry, planned.Value)))
                return Failed(Outcome.Of(OutcomeCategory.Malformed, "two entries write the same resource"), entry);
            if (type == "Patient" && current is null && !exists) context.AddPatient(id);
        }

        // (2)
        var prepared = new Dictionary<int, PreparedWrite>();
        var patching = new PatchBudget();
        foreach (var entry in entries)
        {
            if (entry.IsRead || plan[entry.Index].Exists) continue;
            var request = await WriteAsync(context, entry, plan[entry.Index], links, patching, cancellation);
            if (request.Failure is { } failure) return await RefuseAsync(context, failure, entry);
            var write = await flow.PrepareAsync(context, request.Value, cancellation);
            if (write.Failure is { } refused) return await RefuseAsync(context, refused, entry);
            prepared[entry.Index] = write.Value;
        }

        if (await FailedReadAsync(call, entries, written, cancellation) is { } failed) return failed;

        // (3)
        var committed = await flow.CommitAsync(context, [.. prepared.Values], cancellation);
        if (committed.Failure is { } broken) return FhirResponse.From(broken);
        if (committed.Value is not CommitResult.Committed)
        {
            return Writes.IsTriedAgain(context, committed.Value, tries) ? null : await denials.AnswerAsync(
                context, Interaction.Transaction, "Bundle", Writes.Conflict(committed.Value, prepared.Values));
        }

        // (4)
        return new FhirResponse(200, default) { Stream = (to, stop) => AnswerAsync(call, entries, plan, prepared, to, stop) };
    }

    // R4 http.html#transaction: all entries or none, those that read too. They are answered after the commit, when it is too late to go
    // back: so each is asked before, and what fails then fails the whole. Of what the transaction itself writes nothing can be told yet.
    private static async Task<FhirResponse?> FailedReadAsync(
        FhirCall call, List<BundleEntry> entries, HashSet<string> written, CancellationToken cancellation)
    {
        foreach (var entry in entries.Where(e => e.IsRead))
        {
            var request = entry.AsRequest() with { IsHead = true };
            if (written.Contains(string.Join('/', request.Segments.Take(2)))) continue;
            if ((await call.Api.RunEntryAsync(call.Caller, request, cancellation)).Failure is { } failure) return Failed(failure, entry);
        }
        return null;
    }

    private async Task AnswerAsync(
        FhirCall call,
        List<BundleEntry> entries,
        Planned[] plan,
        Dictionary<int, PreparedWrite> prepared,
        Stream to,
        CancellationToken cancellation)
    {
        var answer = new ResponseStream("transaction-response", to, baseUrl);
        foreach (var entry in entries)
        {
            var response = prepared.TryGetValue(entry.Index, out var done) ? Writes.Written(done)
                : entry.IsRead ? await call.Api.RunEntryAsync(call.Caller, entry.AsRequest(), cancellation)
                : entry.Method == "DELETE" ? await writes.DoneAsync(call.Caller, plan[entry.Index].Current!, cancellation)
                : Writes.Existing(plan[entry.Index].Current!);
            var isAsked = entry.IsRead || response.Status >= 400;
            await answer.AddAsync(isAsked ? response : response with { Body = default }, cancellation);
        }
        await answer.EndAsync(cancellation);
    }

    private async Task<Result<Planned>> PlanAsync(WriteContext context, BundleEntry entry, CancellationToken cancellation)
    {
        var caller = context.Caller;
        var path = entry.Target.Split('/');
        var type = path[0];
        if (!FhirSchema.R4.IsResourceType(type))
            return Outcome.Of(OutcomeCategory.Malformed, "request.url begins with no resource type");
        switch (entry.Method)
        {
            case "GET" or "HEAD":
                return new Planned(type, "", null, false);
            case "POST" when path.Length == 1 && entry.Resource is { } resource:
                return await PlanCreateAsync(context, entry, type, resource, cancellation);
            case "PUT" or "PATCH" or "DELETE" when RefusalOf(caller, entry.Method, type) is { } refusal:
                return refusal;
            case "PUT" or "PATCH" or "DELETE" when path.Length == 2 && ResourceId.IsId(path[1]):
                return await PlanChangeAsync(caller, entry, type, path[1], cancellation);
            case "PUT" or "PATCH" or "DELETE" when path.Length == 1 && FhirTypes.IsRecord(type):
                return await PlanByCriteriaAsync(context, entry, type, cancellation);
            default:
                return Outcome.Of(
                    OutcomeCategory.NotSupported,
                    "an entry of a transaction is a POST to a type, a PUT, PATCH or DELETE of an instance or by criteria, a GET or a HEAD");
        }
    }

    // Of what a condition makes the condition: each of two would find nothing, and both would be made.
    private static string IdentityOf(BundleEntry entry, Planned planned) => planned.Current is null && entry.Condition is { } condition
        ? $"{planned.Type}?{string.Join('&', condition.SelectMany(p => p.Value.Select(v => $"{p.Key}={v}")).Order(StringComparer.Ordinal))}"
        : $"{planned.Type}/{planned.Id}";

    private static Outcome? RefusalOf(Caller caller, string method, string type) => method switch
    {
        "PUT" => caller.Refuse(type, ScopeAction.Update),
        "PATCH" => Patch.Refusal(caller, type),
        _ => caller.Refuse(type, ScopeAction.Delete),
    };

    private async Task<Result<Planned>> PlanCreateAsync(
        WriteContext context, BundleEntry entry, string type, ElementNode resource, CancellationToken cancellation)
    {
        if (resource.StringAt("resourceType") != type)
            return Outcome.Of(OutcomeCategory.Malformed, $"the resource is not the {type} that request.url says");
        if (type == "Bundle") return Outcome.Of(OutcomeCategory.NotSupported, "a document is posted to /Bundle on its own");
        if (context.Caller.Refuse(type, ScopeAction.Create) is { } refusal) return refusal;
        var planned = new Planned(type, Writes.NewId(resource, context.Body), null, false);
        if (entry.Condition is not { } condition) return planned;
        var existing = await conditions.RequireAsync(context, type, condition, cancellation);
        if (existing.Failure is { } failure) return failure;
        return existing.Value is { } found ? new Planned(type, found.Facts.Id, found, true) : planned;
    }

    private async Task<Result<Planned>> PlanChangeAsync(
        Caller caller, BundleEntry entry, string type, string id, CancellationToken cancellation)
    {
        var action = entry.Method == "DELETE" ? ScopeAction.Delete : ScopeAction.Update;
        var current = await writes.CurrentAsync(caller, action, type, id, entry.Preconditions, cancellation);
        if (current.Failure is { } missing) return missing;
        if (entry.Method == "PUT" && entry.Resource?.StringAt("id") != id)
            return Outcome.Of(OutcomeCategory.Malformed, "the resource's id is not the one in request.url");
        var isDone = entry.Method == "DELETE" && Writes.IsDone(caller, new WriteRequest(null, type, id, current.Value));
        return new Planned(type, id, current.Value, isDone);
    }

    private async Task<Result<Planned>> PlanByCriteriaAsync(
        WriteContext context, BundleEntry entry, string type, CancellationToken cancellation)
    {
        var target = await conditions.TargetAsync(context, entry.AsRequest(), entry.Resource?.StringAt("id"), cancellation);
        if (target.Failure is { } failure) return failure;
        if (target.Value is { } current) return new Planned(type, current.Facts.Id, current, false);
        return entry.Resource is { } resource
            ? new Planned(type, Writes.NewId(resource, context.Body), null, false)
            : Outcome.Of(OutcomeCategory.Malformed, "the entry has no resource");
    }

    private async Task<Result<WriteRequest>> WriteAsync(
        WriteContext context, BundleEntry entry, Planned planned, Dictionary<string, string> links, PatchBudget patching,
        CancellationToken cancellation)
    {
        var (type, id, current, _) = planned;
        if (entry.Method == "DELETE") return new WriteRequest(null, type, id, current);
        if (entry.Document() is not { } document) return Outcome.Of(OutcomeCategory.Malformed, "the entry has no resource");
        if (entry.Method == "PUT" && Writes.Mismatch(document.Document, type) is { } mismatch) return mismatch;
        if (entry.Method == "PATCH")
        {
            var body = Patch.Of(document);
            if (body.Failure is { } unreadable) return unreadable;
            var patched = await patch.ApplyAsync(context.Caller, current!, body.Value, patching, cancellation);
            if (patched.Failure is { } refused) return refused;
            document = document with { Document = patched.Value };
        }
        var rewritten = await RewriteAsync(context, document.Document, links, cancellation);
        return rewritten.Failure is { } failure
            ? failure
            : Writes.RequestFor(document with { Document = rewritten.Value }, type, id, current) with { IsPatch = entry.Method == "PATCH" };
    }

    // References to other entries, and conditional references, become references to resources here (R4 http.html, "transaction").
    private async Task<Result<ResourceDocument>> RewriteAsync(
        WriteContext context, ResourceDocument document, Dictionary<string, string> links, CancellationToken cancellation)
    {
        var texts = new List<(ElementNode Node, string Text)>();
        foreach (var node in EntryLinks.In(document, links, texts))
        {
            var (type, query) = (node.Text.Split('?')[0], node.Text[(node.Text.IndexOf('?') + 1)..]);
            if (!links.TryGetValue(node.Text, out var target))
            {
                var found = await conditions.FindAsync(context, type, QueryHelpers.ParseQuery(query), cancellation);
                if (found.Failure is { } failure) return failure;
                if (found.Value is null)
                    return Outcome.Of(OutcomeCategory.PreconditionFailed, $"a conditional reference to {type} matches nothing");
                links[node.Text] = target = $"{type}/{found.Value.Facts.Id}";
            }
            texts.Add((node, target));
        }
        return texts.Count == 0 ? document : document.With(texts);
    }

    private async Task<FhirResponse> RefuseAsync(WriteContext context, Outcome outcome, BundleEntry entry)
    {
        var answer = await denials.AnswerAsync(context, Interaction.Transaction, entry.Target, outcome);
        return Failed(outcome, entry) with { IsWithheld = answer.IsWithheld };
    }

    private static FhirResponse Failed(Outcome outcome, BundleEntry entry) => FhirResponse.From(outcome with
    {
        Issues =
        [
            .. outcome.Issues.Select(i => i with
            {
                Expression = i.Expression.Length == 0 ? entry.Path : $"{entry.Path}.resource.{i.Expression}",
            }),
        ],
    });
}
