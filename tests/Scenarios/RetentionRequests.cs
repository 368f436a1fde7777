using System.Text.Json;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What scenarios about retention and legal holds ask, and how they read what is answered.</summary>
internal static class RetentionRequests
{
    private const string Codes = "https://pmrgateway.example/fhir/CodeSystem/pmr-task";

    public static async Task<string> PatientBornAsync(this RunningGateway gateway, string? birth)
    {
        var created = await gateway.Ehr.PostAsync("Patient", $$$"""
            {"resourceType":"Patient",{{{(birth is null ? "" : $"\"birthDate\":\"{birth}\",")}}}"name":[{"family":"Test"}]}
            """);
        Assert.True(created.Status == 201, created.Text);
        return created.Id;
    }

    public static async Task<string> NewObservationAsync(this RunningGateway gateway, string patient)
    {
        var created = await gateway.Ehr.PostAsync("Observation", Observation(patient));
        Assert.True(created.Status == 201, created.Text);
        return created.Id;
    }

    public static async Task<string> HoldAsync(GatewayClient client, string patient)
    {
        var filed = await client.PostAsync("Task", Hold(patient));
        Assert.True(filed.Status == 201, filed.Text);
        return filed.Id;
    }

    public static async Task<Answer> AskAsync(GatewayClient client, string patient)
    {
        var answer = await client.GetAsync($"Patient/{patient}/$retention");
        Assert.True(answer.Status == 200, answer.Text);
        return answer;
    }

    public static string Observation(string patient, string more = "") => $$$"""
        {"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},
        "subject":{"reference":"Patient/{{{patient}}}"},"effectiveDateTime":"2020-01-02"{{{more}}}}
        """;

    public static string Hold(string patient) => $$$"""
        {"resourceType":"Task","status":"accepted","intent":"order","code":{"coding":[{"system":"{{{Codes}}}","code":"legal-hold"}]},
        "for":{"reference":"Patient/{{{patient}}}"},"description":"a claim is pending"}
        """;

    public static string Bundle(string type, params string[] paths) =>
        $"{{\"resourceType\":\"Bundle\",\"type\":\"{type}\",\"entry\":["
            + string.Join(',', paths.Select(p => $"{{\"request\":{{\"method\":\"DELETE\",\"url\":\"{p}\"}}}}")) + "]}";

    public static string Lifted(string why) => Said("completed", "lifted", why);

    public static string Said(string status, string? disposition = null, string? note = null) =>
        $"{{\"resourceType\":\"Parameters\",\"parameter\":[{{\"name\":\"status\",\"valueCode\":\"{status}\"}}"
            + (disposition is null ? "" : $",{{\"name\":\"disposition\",\"valueCode\":\"{disposition}\"}}")
            + (note is null ? "" : $",{{\"name\":\"note\",\"valueString\":\"{note}\"}}") + "]}";

    public static IEnumerable<JsonElement> Records(Answer answer) =>
        answer.Json.GetProperty("parameter").EnumerateArray().Where(p => p.GetProperty("name").GetString() == "record");

    public static JsonElement Record(Answer answer, string reference) => Records(answer).Single(
        r => Value(r, "reference", "valueReference").GetProperty("reference").GetString() == reference);

    public static JsonElement Parameter(Answer answer, string name) =>
        answer.Json.GetProperty("parameter").EnumerateArray().Single(p => p.GetProperty("name").GetString() == name);

    public static bool Has(JsonElement record, string name) =>
        record.GetProperty("part").EnumerateArray().Any(p => p.GetProperty("name").GetString() == name);

    public static JsonElement Value(JsonElement record, string name, string type) =>
        record.GetProperty("part").EnumerateArray().Single(p => p.GetProperty("name").GetString() == name).GetProperty(type);
}
