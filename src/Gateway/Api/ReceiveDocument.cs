using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// A FHIR document (Bundle of type document) as the gateway keeps it: its bytes unchanged, since they may be signed, as the attachment of
/// a DocumentReference with the type, date and patient of its Composition. https://hl7.org/fhir/R4/documents.html
/// </summary>
internal sealed class ReceiveDocument(
    Validator validator, RecordDatabase database, Viewers viewers, IContent content, ResourceLimits limits, Writes writes, Denials denials)
{
    private const string Kept = "DocumentReference";

    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var (caller, request) = (call.Caller, call.Request);
        if (caller.Refuse(Kept, call.Route.Action) is { } refusal)
            return await denials.AnswerAsync(caller, call.Route.Interaction, call.Type, refusal);
        var body = await request.ReadBody(cuts: false, cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        if (Writes.Mismatch(body.Value.Document, call.Type) is { } mismatch) return FhirResponse.From(mismatch);
        var received = await ReceiveAsync(caller, body.Value, cancellation);
        if (received.Failure is { } refused) return await denials.AnswerAsync(caller, call.Route.Interaction, call.Type, refused);
        var write = Writes.RequestFor(received.Value, Kept, ResourceId.New(), null);
        return await writes.RunAsync(caller, write, received.Value.Body, request.IfNoneExist, cancellation);
    }

    // The DocumentReference that carries the document, or why it is refused.
    private async Task<Result<ReceivedBody>> ReceiveAsync(Caller caller, ReceivedBody received, CancellationToken cancellation)
    {
        if (received.IsCut)
            return Outcome.Of(OutcomeCategory.TooLarge, "a document with large attachments is sent on its own, not in a Bundle");
        var bundle = received.Document;
        if (Subsetted.Refusal(bundle) is { } part) return part;
        var report = validator.Validate(bundle);
        if (!report.IsValid) return new Outcome(OutcomeCategory.Invalid, report.Errors);
        if (bundle.Root.StringAt("type") != "document")
            return Refuse("Bundle.type", "only a Bundle of type document is kept at /Bundle; send a transaction or batch to the base");
        if (bundle.Root.ItemsAt("entry").Select(e => e["resource"]).FirstOrDefault() is not { } composition
            || composition.StringAt("resourceType") != "Composition")
        {
            return Refuse("Bundle.entry[0].resource", "the first entry of a document is its Composition");
        }
        var subject = composition["subject"]?.StringAt("reference");
        var concealed = new List<string>();
        if (await PatientAsync(caller, bundle, subject, concealed, cancellation) is not { } patient)
        {
            return Refuse(
                "Bundle.entry[0].resource.subject",
                "the document's patient is not known here: register the Patient first, with the same identifier") with
            { Concealed = concealed };
        }
        var body = received.Body ?? new StreamedBody([], content.Begin());
        var token = await KeepAsync(bundle.Bytes, body, cancellation);
        var kept = RequestBody.Parse(DocumentReference(bundle, composition, patient, token), limits);
        return kept.Failure is { } failure ? failure : new ReceivedBody(kept.Value, body);
    }

    private static Outcome Refuse(string path, string text) =>
        new(OutcomeCategory.Invalid, [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, path, text)]);

    // By its id here, or by an identifier that the document's own copy of the patient shares with one patient here.
    private async Task<string?> PatientAsync(
        Caller caller, ResourceDocument bundle, string? subject, List<string> concealed, CancellationToken cancellation)
    {
        await using var snapshot = await database.SnapshotAsync(viewers.Of(caller), searches: false, cancellation);
        if (FhirReference.TryParse(subject, out var local) && local.Type == "Patient" && await IsKnownAsync(local.Id, isNamed: true))
            return local.Id;
        // Who says an identifier and is told whose it is has searched for it.
        if (caller.Refuse("Patient", ScopeAction.Search) is not null) return null;
        foreach (var entry in bundle.Root.ItemsAt("entry"))
        {
            if (entry["resource"] is not { } resource || resource.StringAt("resourceType") != "Patient") continue;
            if (entry.StringAt("fullUrl") is not { } url || subject is null) continue;
            if (url != subject && !url.EndsWith("/" + subject, StringComparison.Ordinal)) continue;
            foreach (var identifier in resource.ItemsAt("identifier"))
            {
                if (identifier.StringAt("value") is not { } value) continue;
                var known = new List<string>();
                var named = new PatientMention(null, identifier.StringAt("system") ?? "", value);
                foreach (var patient in (await snapshot.PatientsAsync([named], cancellation))[0])
                    if (await IsKnownAsync(patient, isNamed: false)) known.Add(patient);
                if (known is [var only]) return only;
            }
        }
        return null;

        // Kept by this hospital, or shown to it by the patient: whether it may write is asked of the whole record later. What the hospital
        // keeps is found by its systems, and known by its id to all who work there.
        async ValueTask<bool> IsKnownAsync(string id, bool isNamed)
        {
            var isKnown = ((isNamed || caller.Kind == CallerKind.System)
                    && await snapshot.KeptAsync("Patient", id, cancellation) is { IsDeleted: false }
                    && await snapshot.ReachesAsync("Patient", id, cancellation))
                || await snapshot.ReadAsync("Patient", id, null, cancellation) is { Version.IsDeleted: false };
            if (!isKnown) concealed.Add(id);
            return isKnown;
        }
    }

    // Sealed as it is, like an attachment that was cut out: as base64 in a resource it would be here several times over.
    private static async Task<string> KeepAsync(ReadOnlyMemory<byte> document, StreamedBody body, CancellationToken cancellation)
    {
        var id = ResourceId.New();
        var content = await body.Upload.SealAsync(document, new SealContext("Binary", id, 1), cancellation);
        return body.Add(new CutData(id, document.Length, SHA1.HashData(document.Span), null) { Text = document }, content);
    }

    private static byte[] DocumentReference(ResourceDocument bundle, ElementNode composition, string patient, string token)
    {
        var json = new StringBuilder("{\"resourceType\":\"DocumentReference\",\"status\":\"current\"");
        void Copy(string name, ElementNode? node)
        {
            if (node is { } n) json.Append($",\"{name}\":").Append(Encoding.UTF8.GetString(n.RawBytes));
        }
        Copy("masterIdentifier", bundle.Root["identifier"]);
        Copy("type", composition["type"]);
        Copy("category", composition["category"]);
        // Those that are known by the same name here: an entry of the document is not.
        var authors = composition.ItemsAt("author").Where(a => FhirReference.TryParse(a.StringAt("reference"), out _)).ToList();
        if (authors.Count > 0) json.Append($",\"author\":[{string.Join(',', authors.Select(a => Encoding.UTF8.GetString(a.RawBytes)))}]");
        json.Append($",\"subject\":{{\"reference\":\"Patient/{patient}\"}}");
        // DocumentReference.date is an instant; Composition.date may be a day only.
        if (composition.StringAt("date") is { } date && date.Contains('T')) json.Append($",\"date\":{JsonSerializer.Serialize(date)}");
        var labels = Labels(bundle, composition).Distinct().ToList();
        if (labels.Count > 0) json.Append($",\"securityLabel\":[{string.Join(',', labels)}]");
        json.Append(",\"content\":[{\"attachment\":{\"contentType\":\"application/fhir+json\"");
        Copy("title", composition["title"]);
        json.Append($",\"data\":\"{token}\"}}}}]}}");
        return Encoding.UTF8.GetBytes(json.ToString());
    }

    // What is said of the document itself; what is said of its parts closes it too, and is not shown.
    private static IEnumerable<string> Labels(ResourceDocument bundle, ElementNode composition)
    {
        foreach (var resource in new[] { bundle.Root, composition })
        {
            if (resource["meta"] is { } meta)
            {
                foreach (var coding in meta.ItemsAt("security"))
                    yield return $"{{\"coding\":[{Encoding.UTF8.GetString(coding.RawBytes)}]}}";
            }
            foreach (var concept in resource.ItemsAt("securityLabel")) yield return Encoding.UTF8.GetString(concept.RawBytes);
        }
        if (composition.StringAt("confidentiality") is { } code)
        {
            yield return "{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-Confidentiality\",\"code\":"
                + JsonSerializer.Serialize(code) + "}]}";
        }
    }
}
