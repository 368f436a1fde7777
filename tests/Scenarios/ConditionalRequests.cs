using System.Text;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Requests by criteria, about patients of an identifier.</summary>
internal static class ConditionalRequests
{
    public const string FhirPathPatch = """
        {"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},
        {"name":"path","valueString":"Patient.gender"},{"name":"value","valueCode":"female"}]}]}
        """;

    private const string FhirJson = "application/fhir+json";
    private const string JsonPatch = "application/json-patch+json";
    private const string ToFemale = """[{"op":"add","path":"/gender","value":"female"}]""";
    public static readonly string[] Methods = ["PUT", "PATCH", "DELETE"];

    public static string New() => Guid.CreateVersion7().ToString();

    public static string Criteria(string key) => "Patient?identifier=urn:cond|" + key;

    public static string Patient(string key, string gender = "other", string? id = null) => $$$"""
        {"resourceType":"Patient",{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"gender":"{{{gender}}}",
        "identifier":[{"system":"urn:cond","value":"{{{key}}}"}]}
        """;

    public static Task<Answer> AskAsync(
        GatewayClient client, string method, string url, string body, params (string Name, string Value)[] headers) =>
        client.WriteAsync(
            new HttpMethod(method), url, Encoding.UTF8.GetBytes(method switch { "PATCH" => ToFemale, "PUT" => body, _ => "" }),
            method == "PATCH" ? JsonPatch : FhirJson, headers);

    public static async Task<string> MadeAsync(GatewayClient by, string key)
    {
        var made = await by.PostAsync("Patient", Patient(key));
        Assert.True(made.Status == 201, made.Text);
        return made.Id;
    }

    public static string Entry(string method, string url, string? resource = null, string more = "", string? fullUrl = null) => $$$"""
        {{{{(fullUrl is null ? "" : $"\"fullUrl\":\"{fullUrl}\",")}}}{{{(resource is null ? "" : $"\"resource\":{resource},")}}}
        "request":{"method":"{{{method}}}","url":"{{{url}}}"{{{more}}}}}
        """;

    public static Task<Answer> SendAsync(GatewayClient client, string type, params string[] entries) =>
        client.PostAsync("", $$"""{"resourceType":"Bundle","type":"{{type}}","entry":[{{string.Join(',', entries)}}]}""");

    public static IEnumerable<string?> Statuses(Answer answer) =>
        RunningGateway.Entries(answer).Select(e => e.GetProperty("response").GetProperty("status").GetString());
}
