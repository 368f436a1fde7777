using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.Logging;
using PmrGateway.Gateway.Smart;
using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Who reads logs and metrics is permitted by nobody's consent.</summary>
[Collection(GatewayCollection.Name)]
public class LogScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task Logs_metrics_and_health_tell_neither_whom_a_request_was_about_nor_what_it_asked()
    {
        using var measured = new Measured();
        // A word that nobody else writes: whatever is in a request or a record of this test has it.
        var mark = "mark" + ResourceId.New().Replace("-", "", StringComparison.Ordinal);
        string Marked(string kind) => $"{kind}{mark}";
        var patient = await gateway.NewPatientAsync(Marked("Family"));
        var hidden = await gateway.Ehr.PostAsync("Observation", $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"{{{Marked("code")}}}"},
            "identifier":[{"system":"urn:mrn","value":"{{{Marked("mrn")}}}"}],"subject":{"reference":"Patient/{{{patient}}}"}}
            """);
        var document = await gateway.NewDocumentAsync(patient, Encoding.UTF8.GetBytes(Marked("content")));
        var binary = (await gateway.Ehr.GetAsync($"DocumentReference/{document}")).Json.GetProperty("content")[0]
            .GetProperty("attachment").GetProperty("url").GetString()!.Split('/')[^1];
        var self = await gateway.LoginPatientAsync(patient, Marked("user"));
        string[] ids = [patient, hidden.Id, document, binary];
        string[] records = [$"Patient/{patient}", $"Observation/{hidden.Id}", $"DocumentReference/{document}", $"Binary/{binary}"];

        GatewayClient[] clients =
        [
            gateway.Insurer, gateway.OtherEhr, gateway.Ehr, self, gateway.Anyone, gateway.Anyone.As(Marked("token")),
            gateway.Anyone.As($"e30.{Convert.ToBase64String(Encoding.UTF8.GetBytes($"{{\"sub\":\"{mark}\"}}")).TrimEnd('=')}.x"),
        ];
        foreach (var client in clients)
        {
            foreach (var record in records)
            {
                string[] ways = ["", "/_history", "/_history/1", "/$anchor-proof", "/$everything", $"/{mark}", $"?{mark}={mark}"];
                foreach (var way in ways)
                    await client.GetAsync(record + way, "*/*");
                await client.DeleteAsync($"{record}?{mark}=1");
                await client.PutAsync(record, $$"""{"resourceType":"{{record.Split('/')[0]}}","id":"x","{{mark}}":1}""");
                await client.PatchAsync(record, $$"""[{"op":"{{mark}}","path":"/{{mark}}"}]""", "application/json-patch+json");
            }
            foreach (var search in new[]
            {
                $"Patient?name={Marked("Family")}", $"Patient?family:exact={Marked("Family")}", $"Patient?identifier=urn:mrn|{mark}",
                $"Observation?identifier=urn:mrn|{Marked("mrn")}", $"Observation?patient.name={mark}", $"Observation?code:text={mark}",
                $"Observation?date={mark}", $"Observation?value-quantity={mark}", $"Observation?{mark}=1", $"{mark}?x=1",
                $"Observation?_sort={mark}", $"Observation?_include={mark}", $"Observation?_cursor={mark}",
                $"Patient/{mark}?_format={mark}", $"Patient?_count={mark}",
                $"Patient?_has:Observation:subject:identifier=urn:mrn|{Marked("mrn")}",
                $"Patient?name=%FF{mark}", $"AuditEvent?entity=Patient/{patient}&agent={mark}", $"AuditEvent/{mark}",
                $"Patient?name={mark}%00",
            })
                await client.GetAsync(search);
            await client.PostFormAsync("fhir/Patient/_search", [new("name", Marked("Family")), new(mark, mark)]);
            foreach (var (body, type) in new[]
            {
                ($"{{\"resourceType\":\"Patient\",\"name\":[{{\"family\":\"{mark}\"", "application/fhir+json"),
                ($"{{\"resourceType\":\"{mark}\"}}", "application/fhir+json"), (mark, "application/fhir+json"),
                ($"{{\"resourceType\":\"Patient\",\"id\":\"{mark}\",\"birthDate\":\"{mark}\"}}", "application/fhir+json"),
                ($"<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"{mark}\"/>", "application/fhir+xml"), (mark, mark),
                ($"{{\"resourceType\":\"Observation\",\"subject\":{{\"reference\":\"Patient/{patient}\"}},\"x{mark}\":1}}",
                    "application/json"),
            })
                await client.WriteAsync(HttpMethod.Post, "Patient", Encoding.UTF8.GetBytes(body), type, ("If-None-Exist", $"name={mark}"));
            await ConditionalRequests.SendAsync(
                client, "transaction", ConditionalRequests.Entry("GET", records[0]),
                ConditionalRequests.Entry("DELETE", $"Patient?name={mark}"));
            await client.PostAsync($"Patient/{patient}/$break-glass", "");
            await client.GetAsync($"Patient/{patient}/$consent-explain?viewer=Organization/{mark}&purpose={mark}&resource={records[1]}");
        }
        // Who does not get in.
        var key = new ClientKey();
        for (var i = 0; i < 3; i++)
        {
            await gateway.Anyone.RequestTokenAsync(Marked("client"), key.Credentials, $"system/{mark}.rs", mark);
            await gateway.Anyone.PostFormAsync("connect/token", [new("grant_type", mark), new("client_id", mark), new("code", mark)]);
            var login = GatewayClient.NewLogin(RunningGateway.App, RunningGateway.Redirect, "openid patient/*.rs");
            await gateway.Anyone.AuthorizeAsync(login, $"{Marked("user")}-{patient}", Marked("password"));
            await gateway.Anyone.AuthorizeAsync(login, Marked("nobody"), Marked("password"));
        }
        await gateway.Operator.AdminAsync("users", new { username = mark, password = mark, fhirUser = $"Patient/{mark}" });
        await gateway.Operator.AdminAsync("clients", new { clientId = mark, mark });
        gateway.Service<AuthRefusals>().Tell();

        string[] told = [mark, .. ids];
        foreach (var path in new[] { "health", "metrics" })
        {
            var answer = await gateway.Anyone.GetAsync($"{gateway.Options.Url}/{path}", "*/*");
            Assert.DoesNotContain(told, t => answer.Text.Contains(t, StringComparison.OrdinalIgnoreCase));
        }
        foreach (var line in gateway.Logged.Lines.Concat(measured.Said))
            Assert.DoesNotContain(told, t => line.Contains(t, StringComparison.OrdinalIgnoreCase));
        // Refusals were told of, and what is told is kept here.
        Assert.Contains(gateway.Logged.Lines, l => l.Contains("were refused", StringComparison.Ordinal));
        Assert.Contains(measured.Said, m => m.StartsWith(AuthRefusals.Counter, StringComparison.Ordinal));
        gateway.Service<ILoggerFactory>().CreateLogger("PmrGateway").Log(LogLevel.Information, "kept {Word}", mark);
        Assert.Contains(gateway.Logged.Lines, l => l.Contains(mark, StringComparison.Ordinal));
    }

    /// <summary>Every instrument of the process, whoever made it, with what its measurements say besides a number.</summary>
    private sealed class Measured : IDisposable
    {
        private readonly ConcurrentDictionary<string, bool> _said = new();
        private readonly MeterListener _listener = new();

        public Measured()
        {
            _listener.InstrumentPublished = static (instrument, listener) => listener.EnableMeasurementEvents(instrument);
            _listener.SetMeasurementEventCallback<long>((i, _, tags, _) => Keep(i, tags));
            _listener.SetMeasurementEventCallback<int>((i, _, tags, _) => Keep(i, tags));
            _listener.SetMeasurementEventCallback<double>((i, _, tags, _) => Keep(i, tags));
            _listener.Start();
        }

        public IEnumerable<string> Said => _said.Keys;

        public void Dispose() => _listener.Dispose();

        private void Keep(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var said = new StringBuilder(instrument.Name);
            foreach (var (name, value) in tags) said.Append(' ').Append(name).Append('=').Append(value);
            _said.TryAdd(said.ToString(), true);
        }
    }
}
