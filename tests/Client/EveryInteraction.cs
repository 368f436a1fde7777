namespace PmrGateway.Tests.Client;

/// <summary>
/// Plays every interaction that the gateway offers once, about one patient: to see what the audit log tells of each. A route is named by
/// its method, template and interaction, as the table of routes has them.
/// </summary>
/// <param name="ehr">A system of the patient's hospital.</param>
/// <param name="grantee">Somebody whom the patient's consent permits to read.</param>
/// <param name="self">The patient.</param>
/// <param name="patient">The patient's id.</param>
/// <param name="consent">Id of that Consent.</param>
/// <param name="organization">Whom it names.</param>
/// <param name="emergency">A doctor who has logged in to break the glass.</param>
public sealed class EveryInteraction(
    GatewayClient ehr, GatewayClient grantee, GatewayClient self, string patient, string consent, string organization,
    GatewayClient emergency)
{
    /// <summary>The patient's id.</summary>
    public string Patient => patient;

    /// <summary>Id of the Consent.</summary>
    public string Consent => consent;

    /// <summary>An interaction: its route, and how it is asked.</summary>
    public sealed record Play(string Route, Func<Task<Answer>> AskAsync);

    /// <summary>The interactions in an order in which each succeeds; one is asked before the next is given.</summary>
    public IEnumerable<Play> Plays()
    {
        var (observation, @event) = ("", "");
        yield return new("POST {type} create", async () =>
        {
            var created = await ehr.PostAsync("Observation", Observation());
            observation = created.Id;
            return created;
        });
        yield return new("GET {type}/{id} read", () => grantee.GetAsync($"Observation/{observation}"));
        yield return new("GET {type}/{id} read", () => self.GetAsync($"Patient/{patient}"));
        yield return new("GET {type}/{id}/_history/{vid} vread", () => ehr.GetAsync($"Observation/{observation}/_history/1"));
        yield return new("GET {type}/{id}/_history history-instance", () => self.GetAsync($"Observation/{observation}/_history"));
        yield return new("GET {type}/_history history-type", () => self.GetAsync("Observation/_history?_since=2020-01-01T00:00:00Z"));
        yield return new("GET _history history-system", () => self.GetAsync("_history?_count=3"));
        yield return new("PUT {type}/{id} update", () => ehr.PutAsync($"Observation/{observation}", Observation(observation)));
        yield return new("PATCH {type}/{id} patch", () => ehr.PatchAsync(
            $"Observation/{observation}", """[{"op":"replace","path":"/status","value":"amended"}]""", "application/json-patch+json"));
        yield return new("GET {type} search-type", () => grantee.GetAsync($"Observation?patient={patient}&code=8867-4&_count=5"));
        yield return new("POST {type}/_search search-type", () => grantee.PostFormAsync(
            "fhir/Observation/_search", [new("patient", patient), new("identifier", "urn:x|who-it-is")]));
        yield return new("GET Patient/{id}/{type} search-type", () => self.GetAsync($"Patient/{patient}/Observation?date=ge2020"));
        yield return new("GET {type}/{id}/$anchor-proof operation", () => ehr.GetAsync($"Observation/{observation}/$anchor-proof"));
        yield return new("GET Patient/{id}/$everything operation", () => grantee.GetAsync($"Patient/{patient}/$everything"));
        yield return new("GET Patient/{id}/$consent-explain operation", () => self.GetAsync(
            $"Patient/{patient}/$consent-explain?viewer={organization}&purpose=HPAYMT&resource=Observation/{observation}"));
        yield return new("GET Patient/{id}/$retention operation", () => self.GetAsync($"Patient/{patient}/$retention"));
        yield return new("GET Consent/{id}/$ledger-status operation", () => self.GetAsync($"Consent/{consent}/$ledger-status"));
        yield return new("POST Consent/$intent operation", () => self.PostAsync(
            "Consent/$intent", ConsentText.Permit($"Patient/{patient}", organization, "HPAYMT", status: "inactive")));
        yield return new("POST Bundle create", () => ehr.PostAsync("Bundle", Document()));
        yield return new("POST  transaction", () => ehr.PostAsync("", Bundle("transaction", "POST", "Observation", Observation())));
        yield return new("POST  batch", () => ehr.PostAsync("", Bundle("batch", "GET", $"Observation/{observation}")));
        yield return new("PUT {type} update", () => ehr.PutAsync($"Observation?_id={observation}", Observation()));
        yield return new("PATCH {type} patch", () => ehr.PatchAsync(
            $"Observation?_id={observation}", """[{"op":"replace","path":"/status","value":"amended"}]""", "application/json-patch+json"));
        yield return new("DELETE {type} delete", async () =>
        {
            var second = await ehr.PostAsync("Observation", Observation());
            return await ehr.DeleteAsync($"Observation?_id={second.Id}&patient=Patient/{patient}");
        });
        yield return new("DELETE {type}/{id} delete", () => ehr.DeleteAsync($"Observation/{observation}"));
        yield return new("DELETE {type}/{id} delete", () => ehr.DeleteAsync($"Observation/{observation}"));
        yield return new("POST Patient/{id}/$break-glass operation", () => emergency.PostAsync($"Patient/{patient}/$break-glass", ""));
        yield return new("POST Task/{id}/$dispose operation", async () =>
        {
            var review = (await ehr.GetAsync($"Task?patient={patient}")).Json.GetProperty("entry")[0].GetProperty("resource");
            return await ehr.PostAsync($"Task/{review.GetProperty("id").GetString()}/$dispose", """
                {"resourceType":"Parameters","parameter":[{"name":"status","valueCode":"completed"},
                {"name":"disposition","valueCode":"justified"}]}
                """);
        });
        yield return new("GET AuditEvent search-type", async () =>
        {
            var log = await self.GetAsync("AuditEvent?_count=1");
            @event = log.Json.GetProperty("entry")[0].GetProperty("resource").GetProperty("id").GetString()!;
            return log;
        });
        yield return new("POST AuditEvent/_search search-type", () => self.PostFormAsync(
            "fhir/AuditEvent/_search", [new("patient", patient), new("date", "ge2020")]));
        yield return new("GET AuditEvent/{id} read", () => self.GetAsync($"AuditEvent/{@event}"));
    }

    /// <summary>The same routes, where they name a record, asked by somebody who may not.</summary>
    /// <param name="stranger">Who.</param>
    public IEnumerable<Play> Refused(GatewayClient stranger)
    {
        string[] reads =
            ["", "/_history", "/_history/1", "/_history/x", "/_history?_count=0", "/$anchor-proof", "/$everything", "/$retention"];
        foreach (var read in reads) yield return new($"GET Patient/{{id}}{read}", () => stranger.GetAsync($"Patient/{patient}{read}"));
        yield return new("PUT", () => stranger.PutAsync($"Patient/{patient}", $$"""{"resourceType":"Patient","id":"{{patient}}"}"""));
        yield return new("PATCH", () => stranger.PatchAsync(
            $"Patient/{patient}", """[{"op":"remove","path":"/name"}]""", "application/json-patch+json"));
        yield return new("DELETE", () => stranger.DeleteAsync($"Patient/{patient}"));
        yield return new("PUT by criteria", () => stranger.PutAsync($"Observation?patient=Patient/{patient}", Observation()));
        yield return new("PATCH by criteria", () => stranger.PatchAsync(
            $"Observation?patient=Patient/{patient}", """[{"op":"remove","path":"/code"}]""", "application/json-patch+json"));
        yield return new("DELETE by criteria", () => stranger.DeleteAsync($"Observation?patient=Patient/{patient}"));
        yield return new("$ledger-status", () => stranger.GetAsync($"Consent/{consent}/$ledger-status"));
        yield return new("$consent-explain", () => stranger.GetAsync(
            $"Patient/{patient}/$consent-explain?viewer={organization}&resource=Patient/{patient}"));
        yield return new("POST about", () => stranger.PostAsync("Observation", Observation()));
        yield return new("POST document about", () => stranger.PostAsync("Bundle", Document()));
        yield return new(
            "POST transaction about", () => stranger.PostAsync("", Bundle("transaction", "POST", "Observation", Observation())));
        yield return new("POST batch", () => stranger.PostAsync("", Bundle("batch", "GET", $"Patient/{patient}")));
    }

    private string Observation(string? id = null) => $$$"""
        {"resourceType":"Observation",{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"status":"final",
        "subject":{"reference":"Patient/{{{patient}}}"},
        "code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"effectiveDateTime":"2026-01-02"}
        """;

    private string Document() => $$$"""
        {"resourceType":"Bundle","type":"document",
        "identifier":{"system":"urn:ietf:rfc:3986","value":"urn:uuid:{{{Guid.CreateVersion7()}}}"},
        "timestamp":"2026-01-02T03:04:05Z",
        "entry":[{"fullUrl":"https://x.example/Composition/1","resource":{"resourceType":"Composition","id":"1","status":"final",
        "type":{"coding":[{"system":"http://loinc.org","code":"34133-9"}]},"subject":{"reference":"Patient/{{{patient}}}"},
        "date":"2026-01-02","author":[{"reference":"Patient/{{{patient}}}"}],"title":"Summary"}},
        {"fullUrl":"https://x.example/Patient/{{{patient}}}","resource":{"resourceType":"Patient","id":"{{{patient}}}"}}]}
        """;

    private static string Bundle(string type, string method, string url, string? resource = null) => $$$"""
        {"resourceType":"Bundle","type":"{{{type}}}","entry":[{{{{(resource is null ? "" : $"\"resource\":{resource},")}}}
        "request":{"method":"{{{method}}}","url":"{{{url}}}"}}]}
        """;
}
