using System.Text.Json;

namespace PmrGateway.Tools.ConsentReport;

/// <summary>Who shows that a surface can show something at all.</summary>
internal enum Control
{
    /// <summary>Who asks, where a consent permits it.</summary>
    Asker,

    /// <summary>The hospital that wrote the records: no consent opens it to another.</summary>
    Keeper,

    /// <summary>The patient: nobody else may ask it.</summary>
    Patient,

    /// <summary>Nobody: it never shows anything.</summary>
    Nobody,
}

/// <summary>One way to ask.</summary>
/// <param name="Name">Its name in the report.</param>
/// <param name="Ask">The requests, about a subject.</param>
/// <param name="Control">Who shows that it is one.</param>
/// <param name="ShowsBytes">Whether it then shows the canary; else the answer differs from that about a ghost.</param>
internal sealed record Surface(
    string Name, Func<Subject, IEnumerable<Request>> Ask, Control Control = Control.Asker, bool ShowsBytes = true)
{
    private const string Now = "DocumentReference?status=current&";
    private static readonly (string, string)[] Json = [("Accept", "application/fhir+json")];

    public static IReadOnlyList<Surface> All { get; } =
    [
        Get("read", s => $"DocumentReference/{s.Document}"),
        Get("read of the Patient", s => $"Patient/{s.Patient}"),
        Get("read of a received document", s => $"DocumentReference/{s.Bundle}"),
        Get("vread, current", s => $"DocumentReference/{s.Document}/_history/2"),
        Get("vread, earlier", s => $"DocumentReference/{s.Document}/_history/1", Control.Patient),
        Get("history", s => $"DocumentReference/{s.Document}/_history"),
        Get("history of the type", _ => "DocumentReference/_history"),
        new("HEAD", s => [Of("HEAD", $"DocumentReference/{s.Document}"), Of("HEAD", $"Binary/{s.Binary}")], ShowsBytes: false),
        With("If-None-Match", s => $"DocumentReference/{s.Document}", [("If-None-Match", "W/\"2\"")]),
        With("If-Modified-Since", s => $"DocumentReference/{s.Document}", [("If-Modified-Since", "Tue, 01 Jan 2199 00:00:00 GMT")]),
        Get("search by patient", s => $"DocumentReference?patient=Patient/{s.Patient}"),
        Get("search by identifier", s => $"Observation?identifier=urn:report|{s.Key}"),
        Get("search by _id", s => $"Observation?_id={s.Observation}"),
        new("search of the Patient", s => [Of("GET", $"Patient?identifier={s.Key}"), Of("GET", $"Patient?_id={s.Patient}")]),
        new("search by form", s => [Form("Observation", $"patient={s.Patient}"), Form("DocumentReference", $"identifier={s.Key}")]),
        Get("_include", s => $"Observation?_id={s.Observation}&_include=Observation:subject"),
        Get("_revinclude", s => $"Patient?_id={s.Patient}&_revinclude=Observation:subject"),
        Count("_summary=count", s => $"{Now}patient=Patient/{s.Patient}&_summary=count"),
        Count("_total", s => $"{Now}patient=Patient/{s.Patient}&_count=0&_total=accurate"),
        Get("_sort", s => $"DocumentReference?identifier={s.Key}&_sort=-_lastUpdated,type"),
        Get("_security", s => $"DocumentReference?identifier={s.Key}&_security=R"),
        new(
            "the cursor of another caller",
            s => [Of("GET", $"DocumentReference?patient=Patient%2F{s.Patient}&_count=1&_cursor={s.Cursor}")], Control.Keeper),
        Get("compartment", s => $"Patient/{s.Patient}/Observation"),
        Get("compartment's Binaries", s => $"Patient/{s.Patient}/Binary"),
        Get("$everything", s => $"Patient/{s.Patient}/$everything"),
        new("batch", s => [Bundle("batch", s)]),
        new("transaction", s => [Bundle("transaction", s)]),
        new("Binary as JSON", s => [Of("GET", $"Binary/{s.Binary}", Json)]),
        new("Binary, raw", s => [Of("GET", $"Binary/{s.Binary}", [("Accept", "text/plain")])]),
        new("Binary, a range", s => [Of("GET", $"Binary/{s.Binary}", [("Accept", "*/*"), ("Range", "bytes=0-60")])]),
        new("Binary of a received document", s => [Of("GET", $"Binary/{s.BundleBinary}", [("Accept", "*/*")])]),
        Get("Binary's history", s => $"Binary/{s.Binary}/_history"),
        Count("$anchor-proof", s => $"DocumentReference/{s.Document}/$anchor-proof"),
        Get("Consent to another", s => $"Consent/{s.OthersConsent}", Control.Patient),
        Get("search of Consents to another", s => $"Consent?patient=Patient/{s.Patient}&_id={s.OthersConsent}", Control.Patient),
        Count("$ledger-status", s => $"Consent/{s.OthersConsent}/$ledger-status", Control.Patient),
        Count(
            "$consent-explain",
            s => $"Patient/{s.Patient}/$consent-explain?viewer=Organization/VIEWER&purpose=TREAT&resource=Observation/{s.Observation}",
            Control.Patient),
        Count("$retention", s => $"Patient/{s.Patient}/$retention", Control.Patient),
        Count("AuditEvent", s => $"AuditEvent?patient=Patient/{s.Patient}&_count=3", Control.Patient),
        new("conditional create", s => [Create($"identifier=urn:report|{s.Key}")], ShowsBytes: false),
        new("conditional create, by patient", s => [Create($"patient=Patient/{s.Patient}")], ShowsBytes: false),
        new("conditional reference", s => [Conditional(s)], ShowsBytes: false),
        new("a write about the patient", s => [About(s)], Control.Keeper, ShowsBytes: false),
        new("a document about the patient", s => [Post("Bundle", s.NewBundle())], Control.Keeper, ShowsBytes: false),
        new("update, patch, delete", s => [.. Changes(s)], Control.Keeper, ShowsBytes: false),
        new("error texts", s => [.. Errors(s)], ShowsBytes: false),
        new("/health and /metrics", _ => [new("GET", "health"), new("GET", "metrics")], Control.Nobody),
    ];

    private static Surface Get(string name, Func<Subject, string> path, Control control = Control.Asker) =>
        new(name, s => [Of("GET", path(s), Json)], control);

    private static Surface Count(string name, Func<Subject, string> path, Control control = Control.Asker) =>
        new(name, s => [Of("GET", path(s), Json)], control, ShowsBytes: false);

    private static Surface With(string name, Func<Subject, string> path, (string, string)[] headers) =>
        new(name, s => [Of("GET", path(s), [.. Json, .. headers])]);

    private static Request Of(string method, string path, params (string, string)[] headers) =>
        new(method, "fhir/" + path) { Headers = headers };

    private static Request Post(string path, string body, params (string, string)[] headers) =>
        new("POST", path.Length == 0 ? "fhir" : "fhir/" + path) { Body = body, Headers = headers };

    private static Request Form(string type, string form) =>
        new("POST", $"fhir/{type}/_search") { Body = form, ContentType = "application/x-www-form-urlencoded" };

    private static Request Bundle(string type, Subject s) => Post("", JsonSerializer.Serialize(new
    {
        resourceType = "Bundle",
        type,
        entry = new[]
        {
            $"DocumentReference/{s.Document}", $"Binary/{s.Binary}", $"Observation?identifier={s.Key}", $"Patient/{s.Patient}/$everything",
        }.Select(url => new { request = new { method = "GET", url } }),
    }));

    // Of nobody: it is made where nothing is found, and tells by that.
    private static Request Create(string condition) => Post(
        "Observation", """{"resourceType":"Observation","status":"final","code":{"text":"made"}}""", ("If-None-Exist", condition));

    private static Request Conditional(Subject s) => Post("", $$$"""
        {"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"POST","url":"Observation"},
        "resource":{"resourceType":"Observation","status":"final","code":{"text":"made"},
        "hasMember":[{"reference":"Observation?identifier=urn:report|{{{s.Key}}}"}]} }]}
        """);

    private static Request About(Subject s) => Post("Observation", $$$"""
        {"resourceType":"Observation","status":"final","code":{"text":"made"},"subject":{"reference":"Patient/{{{s.Patient}}}"}}
        """);

    // Of no version that there is: nothing is changed, whoever may.
    private static IEnumerable<Request> Changes(Subject s)
    {
        var (path, match) = ($"Observation/{s.Observation}", ("If-Match", "W/\"99\""));
        yield return Of("PUT", path, match) with { Body = $$$"""{"resourceType":"Observation","id":"{{{s.Observation}}}"}""" };
        yield return Of("PATCH", path, match) with { Body = "[]", ContentType = "application/json-patch+json" };
        yield return Of("DELETE", path, match);
    }

    private static IEnumerable<Request> Errors(Subject s)
    {
        yield return Of("GET", $"DocumentReference/{s.Document}/_history/0");
        yield return Of("GET", $"DocumentReference/{s.Document}/_history/9");
        yield return Of("GET", $"DocumentReference/{s.Document}/_history?_count=x");
        yield return Of("GET", $"DocumentReference/{s.Document}/$none");
        yield return Of("GET", $"DocumentReference?patient=Patient/{s.Patient}&none={s.Key}");
        yield return Of("GET", $"Binary/{s.Binary}", ("Accept", "*/*"), ("Range", "bytes=99999-"));
        yield return Of("GET", $"Patient/{s.Patient}/$everything?_count=x");
    }
}
