using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using PmrGateway.Fhir;

namespace PmrGateway.Mapping;

/// <summary>
/// What one consent leaves to be enforced on the data once actor, purpose, action and period were decided, as the extension
/// <c>ihe_pcf</c> of an access token has it. The rules are in order: a later one that matches overrides, and what none forbids may flow.
/// IHE PCF, ITI-71, 3.71.4.2.2.1.4. https://profiles.ihe.net/ITI/PCF/other.html#updates-to-iti-71
/// </summary>
public static class PcfExtension
{
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The extension as JSON, with its name.</summary>
    /// <param name="fhir">The FHIR base, under which patient, consent and data are.</param>
    /// <param name="consent">A consent about the requester, as it stands now.</param>
    /// <param name="requester">Who reads.</param>
    /// <param name="policies">What the Consent names as its policies; none: they are not known here.</param>
    /// <exception cref="InvalidOperationException">The consent is not about the requester.</exception>
    public static string Of(string fhir, StandingConsent consent, Requester requester, IReadOnlyList<string> policies)
    {
        var shape = consent.Shape;
        var exceptions = ConsentDecision.Concerns(shape, requester, DataAction.Read)
            ?? throw new InvalidOperationException("a consent that is not about the requester has no residual");
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Json))
        {
            json.WriteStartObject();
            json.WriteStartObject("ihe_pcf");
            json.WriteString("patient_id", $"{fhir}/Patient/{consent.Patient}");
            Texts(json, "doc_id", [$"{fhir}/Consent/{consent.ConsentId}"]);
            if (policies.Count > 0) Texts(json, "acp", policies);
            // A permit of all the patient's data that leaves nothing out has no rules.
            if (!shape.Permits || exceptions.Count > 0 || IsRestricted(shape.Root)) Rules(json, fhir, shape, exceptions);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    private static void Rules(Utf8JsonWriter json, string fhir, TermsShape shape, IReadOnlyList<int> exceptions)
    {
        json.WriteStartArray("residual");
        if (shape.Permits && IsRestricted(shape.Root)) Rule(json, fhir, null, permits: false);
        if (!shape.Permits || IsRestricted(shape.Root)) Rule(json, fhir, shape.Root, shape.Permits);
        foreach (var i in exceptions) Rule(json, fhir, shape.Exceptions[i], !shape.Permits);
        json.WriteEndArray();
    }

    private static bool IsRestricted(ProvisionShape p) =>
        p.Classes.Count + p.Codes.Count + p.SecurityLabels.Count > 0 || p.DataPeriod is not null || p.Data is not null;

    // Null: of all data.
    private static void Rule(Utf8JsonWriter json, string fhir, ProvisionShape? provision, bool permits)
    {
        json.WriteStartObject();
        json.WriteString("type", permits ? "permit" : "forbid");
        if (provision is not null)
        {
            // The profile's rules know neither: they are named as in Consent.provision, and who does not know them must not release.
            Codings(json, "class", provision.Classes);
            Codings(json, "code", provision.Codes);
            // Who enforces the rules may compare codes one by one: order and hierarchy are spelled out.
            Codings(
                json, "securityLabel", [.. provision.SecurityLabels.SelectMany(l => CodeHierarchy.Spelled(l, !permits)).Distinct()]);
            if (provision.DataPeriod is { } period) Period(json, period);
            if (provision.Data is { } data) Data(json, fhir, data);
        }
        json.WriteEndObject();
    }

    private static void Texts(Utf8JsonWriter json, string name, IReadOnlyList<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts) json.WriteStringValue(text);
        json.WriteEndArray();
    }

    private static void Codings(Utf8JsonWriter json, string name, IReadOnlyList<TermCode> codes)
    {
        if (codes.Count == 0) return;
        json.WriteStartArray(name);
        foreach (var code in codes)
        {
            json.WriteStartObject();
            json.WriteString("system", code.System);
            json.WriteString("code", code.Code);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    // A Period holds its end, DataPeriod does not.
    private static void Period(Utf8JsonWriter json, DataPeriod period)
    {
        json.WriteStartObject("dataPeriod");
        if (period.From != default) json.WriteString("start", FhirInstant.Format(period.From));
        if (period.To != DateTimeOffset.MaxValue) json.WriteString("end", FhirInstant.Format(period.To.AddMilliseconds(-1)));
        json.WriteEndObject();
    }

    private static void Data(Utf8JsonWriter json, string fhir, IReadOnlyList<DataReference> data)
    {
        json.WriteStartArray("data");
        foreach (var named in data)
        {
            json.WriteStartObject();
            json.WriteString("meaning", named.Code);
            json.WriteStartObject("reference");
            json.WriteString("reference", $"{fhir}/{named.Reference}");
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
