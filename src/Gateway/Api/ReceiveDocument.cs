using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// A FHIR document (Bundle of type document) as the gateway keeps it: its bytes unchanged, since they may be signed, as the attachment of
/// a DocumentReference with the type, date and patient of its Composition. https://hl7.org/fhir/R4/documents.html
/// </summary>
internal sealed class ReceiveDocument(Validator validator, RecordDatabase database, Viewers viewers, Writes writes, Denials denials)
{
    private const string Kept = "DocumentReference";

    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var (caller, request) = (call.Caller, call.Request);
        if (caller.Refuse(Kept, call.Route.Action) is { } refusal)
            return await denials.AnswerAsync(caller, call.Route.Interaction, call.Type, refusal);
        var body = await request.ReadBody(cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        if (Writes.Mismatch(body.Value, call.Type) is { } mismatch) return FhirResponse.From(mismatch);
        var received = await ReceiveAsync(caller, body.Value, cancellation);
        if (received.Failure is { } refused) return await denials.AnswerAsync(caller, call.Route.Interaction, call.Type, refused);
        return await writes.RunAsync(
            caller, Writes.RequestFor(received.Value, Kept, ResourceId.New(), null), request.IfNoneExist, cancellation);
    }

    // The DocumentReference that carries the document, or why it is refused.
    private async Task<Result<ResourceDocument>> ReceiveAsync(Caller caller, ResourceDocument bundle, CancellationToken cancellation)
    {
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
        if (await PatientAsync(caller, bundle, subject, cancellation) is not { } patient)
        {
            return Refuse(
                "Bundle.entry[0].resource.subject",
                "the document's patient is not known here: register the Patient first, with the same identifier");
        }
        return RequestBody.Parse(DocumentReference(bundle, composition, patient));
    }

    private static Outcome Refuse(string path, string text) =>
        new(OutcomeCategory.Invalid, [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, path, text)]);

    // By its id here, or by an identifier that the document's own copy of the patient shares with one patient here.
    private async Task<string?> PatientAsync(Caller caller, ResourceDocument bundle, string? subject, CancellationToken cancellation)
    {
        await using var snapshot = await database.SnapshotAsync(viewers.Of(caller.Requester), searches: true, cancellation);
        if (FhirReference.TryParse(subject, out var local)
            && local.Type == "Patient"
            && await snapshot.ReadAsync("Patient", local.Id, null, cancellation) is { Version.IsDeleted: false })
        {
            return local.Id;
        }
        foreach (var entry in bundle.Root.ItemsAt("entry"))
        {
            if (entry["resource"] is not { } resource || resource.StringAt("resourceType") != "Patient") continue;
            if (entry.StringAt("fullUrl") is not { } url || subject is null) continue;
            if (url != subject && !url.EndsWith("/" + subject, StringComparison.Ordinal)) continue;
            foreach (var identifier in resource.ItemsAt("identifier"))
            {
                if (identifier.StringAt("value") is not { } value) continue;
                var sought = new SearchValue(identifier.StringAt("system") ?? "", value);
                var query = new SearchQuery("Patient", [new SearchCriterion("identifier", "token", [sought])], 2, 0);
                if ((await snapshot.SearchAsync(query, cancellation)).Versions is [var only]) return only.Version.Facts.Id;
            }
        }
        return null;
    }

    private static byte[] DocumentReference(ResourceDocument bundle, ElementNode composition, string patient)
    {
        var json = new StringBuilder("{\"resourceType\":\"DocumentReference\",\"status\":\"current\"");
        void Copy(string name, ElementNode? node)
        {
            if (node is { } n) json.Append($",\"{name}\":").Append(Encoding.UTF8.GetString(n.RawBytes));
        }
        Copy("masterIdentifier", bundle.Root["identifier"]);
        Copy("type", composition["type"]);
        if (composition["category"] is not null) Copy("category", composition["category"]);
        json.Append($",\"subject\":{{\"reference\":\"Patient/{patient}\"}}");
        // DocumentReference.date is an instant; Composition.date may be a day only.
        if (composition.StringAt("date") is { } date && date.Contains('T')) json.Append($",\"date\":{JsonSerializer.Serialize(date)}");
        json.Append(",\"content\":[{\"attachment\":{\"contentType\":\"application/fhir+json\"");
        Copy("title", composition["title"]);
        json.Append($",\"data\":\"{Convert.ToBase64String(bundle.Bytes.Span)}\"}}}}]}}");
        return Encoding.UTF8.GetBytes(json.ToString());
    }
}
