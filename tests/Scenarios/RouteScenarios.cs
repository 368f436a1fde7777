using System.Text.Json;
using PmrGateway.Gateway.Api;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What the table of routes says is what is offered, declared and allowed.</summary>
[Collection(GatewayCollection.Name)]
public class RouteScenarios(RunningGateway gateway)
{
    private static readonly HttpMethod[] Methods =
        [HttpMethod.Get, HttpMethod.Post, HttpMethod.Put, HttpMethod.Patch, HttpMethod.Delete, new("PURGE")];

    private IReadOnlyList<FhirRoute> Rows => gateway.Service<FhirApi>().Routes.Rows;

    private static string Example(string template) => template
        .Replace("{type}", "Observation", StringComparison.Ordinal)
        .Replace("{id}", "x", StringComparison.Ordinal)
        .Replace("{vid}", "1", StringComparison.Ordinal);

    [Fact]
    public async Task Each_row_of_the_table_is_offered_and_a_method_beside_it_is_a_405_that_says_what_is()
    {
        foreach (var template in Rows.Select(r => r.Template).Distinct())
        {
            var path = Example(template);
            var offered = Rows.Where(r => Example(r.Template) == path).Select(r => r.Method).ToHashSet();
            foreach (var method in Methods)
            {
                var answer = await gateway.Ehr.AskAsync(method, path);
                Assert.True(answer.Status == 405 != offered.Contains(method.Method), $"{method} {path}: {answer.Status} {answer.Text}");
                if (answer.Status != 405) continue;
                var allow = answer.Headers.Content.Headers.Allow;
                Assert.Equal(offered.Contains("GET"), allow.Contains("HEAD"));
                Assert.Equal(offered.Order(), allow.Except(["HEAD", "OPTIONS"]).Order());
            }
        }
    }

    [Fact]
    public async Task The_CapabilityStatement_says_what_the_table_offers()
    {
        var rest = (await gateway.Anyone.GetAsync("metadata")).Json.GetProperty("rest")[0];
        Assert.Equal(
            Rows.Where(r => r.Template is "" or "_history").Select(r => r.Interaction).Order(), Codes(rest).Order());
        foreach (var resource in rest.GetProperty("resource").EnumerateArray())
        {
            var type = resource.GetProperty("type").GetString()!;
            var isRecord = type is not ("AuditEvent" or "Bundle");
            var own = Rows.Where(r => r.Template.Split('/')[0] is var first && (first == type || (isRecord && first == "{type}"))).ToList();
            Assert.Equal(own.Where(r => !r.Template.Contains('$')).Select(r => r.Interaction).Distinct().Order(), Codes(resource).Order());
            var operations = resource.TryGetProperty("operation", out var list) ? list.EnumerateArray().ToList() : [];
            Assert.Equal(
                own.Where(r => r.Template.Contains('$')).Select(r => (r.Template.Split('$')[1], r.Definition!)).Order(),
                operations.Select(o => (o.GetProperty("name").GetString()!, o.GetProperty("definition").GetString()!)).Order());
        }

        static IEnumerable<string> Codes(JsonElement element) =>
            element.GetProperty("interaction").EnumerateArray().Select(i => i.GetProperty("code").GetString()!);
    }

    [Theory]
    [InlineData("Patient/x", 204, "GET, PUT, PATCH, DELETE, HEAD, OPTIONS")]
    [InlineData("Patient", 204, "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS")]
    [InlineData("", 204, "POST, OPTIONS")]
    [InlineData("_history", 204, "GET, HEAD, OPTIONS")]
    [InlineData("Patient/_history", 204, "GET, HEAD, OPTIONS")]
    [InlineData("AuditEvent/_history", 404, null)]
    [InlineData("Consent/$intent", 204, "POST, OPTIONS")]
    [InlineData("Patient/x/$unknown", 204, "OPTIONS")]
    [InlineData("Nonsense", 404, null)]
    public async Task OPTIONS_tells_what_the_table_has_without_a_token(string path, int status, string? allow)
    {
        var answer = await gateway.Anyone.AskAsync(HttpMethod.Options, path);
        Assert.Equal((status, allow), (answer.Status, allow is null ? null : string.Join(", ", answer.Headers.Content.Headers.Allow)));
    }

    [Fact]
    public async Task HEAD_is_a_GET_without_its_body()
    {
        var patient = await gateway.NewPatientAsync();
        var (get, head) =
            (await gateway.Ehr.GetAsync($"Patient/{patient}"), await gateway.Ehr.AskAsync(HttpMethod.Head, $"Patient/{patient}"));
        Assert.Equal((200, 0), (head.Status, head.Body.Length));
        Assert.Equal(
            (get.Body.Length, get.Headers.Headers.ETag), ((int)head.Headers.Content.Headers.ContentLength!, head.Headers.Headers.ETag));
    }

    [Fact]
    public async Task What_gives_pages_takes_the_same_parameters_and_refuses_others_by_their_name()
    {
        var patient = await gateway.NewPatientAsync();
        await gateway.NewDocumentAsync(patient, [1]);
        var self = await gateway.LoginPatientAsync(patient);
        string[] notTaken = ["colour=red", "_count=x", "_count=-1", "_count=1&_count=2", "_cursor=x", "_cursor=-1"];
        string[] histories = ["_history", "Patient/_history", $"Patient/{patient}/_history"];
        foreach (var path in (string[])["AuditEvent", $"Patient/{patient}/$everything", .. histories])
        {
            var page = await self.GetAsync($"{path}?_format=json&_pretty=true&_count=1");
            Assert.True(page.Status == 200, page.Text);
            Assert.Single(RunningGateway.Entries(page));
            foreach (var wrong in histories.Contains(path) ? notTaken : [.. notTaken, "_count=0"])
            {
                var refused = await self.GetAsync($"{path}?{wrong}");
                Assert.True(refused.Status == 400, $"{path}?{wrong}: {refused.Text}");
                Assert.Contains($"'{wrong.Split('=')[0]}'", refused.Text);
            }
        }
        foreach (var wrong in (string[])["_total=garbage", "_id=", "_total=none&_total=none"])
        {
            foreach (var path in (string[])["AuditEvent", "Patient", $"Patient/{patient}/DocumentReference"])
            {
                var refused = await self.GetAsync($"{path}?{wrong}");
                Assert.True(refused.Status == 400, $"{path}?{wrong}: {refused.Text}");
                Assert.Contains($"'{wrong.Split('=')[0]}'", refused.Text);
            }
        }
        Assert.Equal(200, (await self.GetAsync("AuditEvent?_total=accurate")).Status);
        var audit = await self.GetAsync($"AuditEvent?patient=Patient/{patient}&_count=1");
        var next = audit.Json.GetProperty("link").EnumerateArray().Single(l => l.GetProperty("relation").GetString() == "next");
        var second = await self.GetAsync(next.GetProperty("url").GetString()!);
        Assert.NotEqual(
            RunningGateway.Entries(audit).Single().GetProperty("fullUrl").GetString(),
            RunningGateway.Entries(second).Single().GetProperty("fullUrl").GetString());
    }
}
