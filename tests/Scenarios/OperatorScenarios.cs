using System.Text;
using System.Text.Json;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What the operator registers, and what is refused of it.</summary>
[Collection(GatewayCollection.Name)]
public class OperatorScenarios(RunningGateway gateway)
{
    private const string App = "\"redirectUris\":[\"http://127.0.0.1/cb\"]";

    [Theory]
    [InlineData("\"jwks\":1", "jwks")]
    [InlineData("\"jwks\":{}", "jwks")]
    [InlineData("\"jwks\":{\"keys\":\"x\"}", "jwks")]
    [InlineData("\"jwks\":{\"keys\":[]}", "jwks")]
    [InlineData("\"jwks\":{\"keys\":[null]}", "jwks")]
    [InlineData("\"jwks\":{\"keys\":[1]}", "jwks")]
    [InlineData("\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":5}]}", "jwks")]
    [InlineData("\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"d\":\"AA\"}]}", "jwks.keys[0].d")]
    [InlineData("\"jwks\":{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "jwks.keys[0].k")]
    [InlineData("\"jwks\":{\"keys\":[{\"kty\":\"oct\"}]}", "jwks.keys[0].kty")]
    [InlineData("\"jwks\":{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "jwks.keys[0].n")]
    [InlineData(
        "\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\"},{\"kty\":\"EC\",\"kid\":\"a\"}]}", "jwks.keys[1].kid")]
    [InlineData("\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-521\"}]}", "jwks.keys[0].crv")]
    [InlineData("\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES512\"}]}", "jwks.keys[0].alg")]
    [InlineData("\"jwks\":{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES384\"}]}", "jwks.keys[0].alg")]
    [InlineData("\"jwks\":{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"ES384\"}]}", "jwks.keys[0].alg")]
    [InlineData("\"jwks\":{\"keys\":[{\"kty\":\"RSA\",\"n\":\"!!\",\"e\":\"AQAB\"}]}", "jwks.keys[0].n")]
    [InlineData("\"jwks\":{\"keys\":[],\"keys\":[]}", "keys")]
    [InlineData("\"redirectUris\":[\"javascript:alert(1)\"]", "redirectUris")]
    [InlineData("\"redirectUris\":[\"data:text/html,x\"]", "redirectUris")]
    [InlineData("\"redirectUris\":[\"file:///etc/passwd\"]", "redirectUris")]
    [InlineData("\"redirectUris\":[\"http://app.example/cb\"]", "redirectUris")]
    [InlineData("\"redirectUris\":[\"https://user@app.example/cb\"]", "redirectUris")]
    [InlineData("\"redirectUris\":[\"ftp://app.example/cb\"]", "redirectUris")]
    [InlineData(App + ",\"clientId\":\"user:x\"", "clientId")]
    [InlineData(App + ",\"scopes\":[],\"scopes\":[\"system/*.rs\"]", "scopes")]
    [InlineData(App + ",\"scopes\":[],\"Scopes\":[\"system/*.rs\"]", "Scopes")]
    [InlineData("\"redirectUris\":[null]", "redirectUris")]
    [InlineData("\"redirectUris\":[\"\"]", "redirectUris")]
    [InlineData("\"redirectUris\":[\"/rel\"]", "redirectUris")]
    [InlineData("\"redirectUris\":[\"http://x#f\"]", "redirectUris")]
    [InlineData("\"redirectUris\":[\"http://x/?iss=y\"]", "redirectUris")]
    [InlineData("\"redirectUris\":[\"http://[\"]", "redirectUris")]
    [InlineData("\"redirectUris\":\"http://x\"", "redirectUris")]
    [InlineData(App + ",\"purposes\":[null]", "purposes")]
    [InlineData(App + ",\"scopes\":[null]", "scopes")]
    [InlineData(App + ",\"scopes\":[1]", "scopes")]
    [InlineData(App + ",\"actor\":1", "actor")]
    [InlineData(App + ",\"clientId\":1", "clientId")]
    [InlineData(App + ",\"clientId\":\"\"", "clientId")]
    [InlineData(App + ",\"clientId\":\"a\\u0000b\"", "clientId")]
    public async Task A_member_of_a_client_that_is_not_what_it_should_be_is_a_400_that_names_it(string members, string name)
    {
        var clientId = "refused-" + Guid.CreateVersion7();
        var own = members.Contains("clientId", StringComparison.Ordinal) ? "" : $"\"clientId\":\"{clientId}\",";
        await RefusedAsync("clients", $"{{{own}{members}}}", name);
        Assert.NotEqual(409, (await SendAsync("clients", $"{{\"clientId\":\"{clientId}\",{App}}}", "application/json")).Status);
    }

    [Theory]
    [InlineData("\"username\":1", "username")]
    [InlineData("\"username\":null", "username")]
    [InlineData("\"username\":\"a\\u0000b\"", "username")]
    [InlineData("\"password\":[]", "password")]
    [InlineData("\"password\":null", "password")]
    [InlineData("\"fhirUser\":{}", "fhirUser")]
    [InlineData("\"fhirUser\":null", "fhirUser")]
    [InlineData("\"fhirUser\":\"Patient/a\\u0000b\"", "fhirUser")]
    public async Task A_member_of_a_user_that_is_not_what_it_should_be_is_a_400_that_names_it(string member, string name)
    {
        var patient = await gateway.NewPatientAsync();
        var whole = new Dictionary<string, string>
        {
            ["username"] = $"\"u-{patient}\"",
            ["password"] = $"\"{RunningGateway.Password}\"",
            ["fhirUser"] = $"\"Patient/{patient}\"",
            [name] = member[(member.IndexOf(':') + 1)..],
        };
        await RefusedAsync("users", $"{{{string.Join(',', whole.Select(m => $"\"{m.Key}\":{m.Value}"))}}}", name);
    }

    [Theory]
    [InlineData("clients")]
    [InlineData("users")]
    public async Task A_registration_that_is_no_object_of_JSON_is_refused(string path)
    {
        foreach (var body in (string[])["null", "[]", "1", "{", ""])
            Assert.Equal(400, (await SendAsync(path, body, "application/json")).Status);
        Assert.Equal(415, (await SendAsync(path, "{}", "text/plain")).Status);
        Assert.InRange((await SendAsync(path, "{}", "application/json; charset=none")).Status, 400, 415);
    }

    [Fact]
    public async Task A_doctors_access_ends_with_the_role_its_period_or_its_deletion_for_every_token()
    {
        var (patient, other) = (await gateway.NewPatientAsync(), (await gateway.Operator.PostAsync("Organization", """
            {"resourceType":"Organization","name":"Other","type":[{"coding":[
            {"system":"http://terminology.hl7.org/CodeSystem/organization-type","code":"prov"}]}]}
            """)).Id);
        var (doctor, client) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, doctor, "TREAT");
        var role = RunningGateway.Entries(await gateway.Operator.GetAsync($"PractitionerRole?_sort=-_lastUpdated&_count=1"))
            .Single().GetProperty("resource").GetProperty("id").GetString()!;
        Task<Answer> RoleAsync(string members) => gateway.Operator.PutAsync($"PractitionerRole/{role}", Role(role, doctor, members));

        Assert.Equal(200, (await client.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(200, (await RoleAsync(""","period":{"start":"2020","end":"2020-12-31"}""")).Status);
        Assert.Equal(403, (await client.GetAsync($"Patient/{patient}")).Status);
        // The last day counts.
        var today = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(200, (await RoleAsync($$$""","period":{"end":"{{{today}}}"}""")).Status);
        Assert.Equal(200, (await client.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(200, (await RoleAsync("")).Status);
        Assert.Equal(200, (await client.GetAsync($"Patient/{patient}")).Status);

        await RefusedRoleAsync(RoleAsync(""","period":{"start":"2099"}"""), "PractitionerRole.period.start");
        await RefusedRoleAsync(
            gateway.Operator.PutAsync(
                $"PractitionerRole/{role}", Role(role, doctor, "").Replace(gateway.Hospital, $"Organization/{other}")),
            "PractitionerRole.organization");
        await RefusedRoleAsync(gateway.Operator.PostAsync("PractitionerRole", Role(null, doctor, "")), "PractitionerRole.practitioner");

        // A role does not go over to another: whom it stood for would keep what it gave.
        var (second, _) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        await RefusedRoleAsync(
            gateway.Operator.PutAsync($"PractitionerRole/{role}", Role(role, second, "")), "PractitionerRole.practitioner");
        await RefusedRoleAsync(
            gateway.Operator.PutAsync($"PractitionerRole/{role}", $"{{\"resourceType\":\"PractitionerRole\",\"id\":\"{role}\"}}"),
            "PractitionerRole.practitioner");

        Assert.Equal(204, (await gateway.Operator.DeleteAsync($"PractitionerRole/{role}")).Status);
        Assert.Equal(403, (await client.GetAsync($"Patient/{patient}")).Status);
        // Whose role is over is not taken on again by a word in the Practitioner.
        var practitioner = doctor["Practitioner/".Length..];
        var active = $"{{\"resourceType\":\"Practitioner\",\"id\":\"{practitioner}\",\"active\":true}}";
        Assert.Equal(200, (await gateway.Operator.PutAsync(doctor, active)).Status);
        Assert.Equal(403, (await client.GetAsync($"Patient/{patient}")).Status);
        // Taken on again, by another role.
        Assert.Equal(201, (await gateway.Operator.PostAsync("PractitionerRole", Role(null, doctor, ""))).Status);
        var again = await GatewayClient.UntilAsync(() => client.GetAsync($"Patient/{patient}"), a => a.Status == 200);
        Assert.True(again.Status == 200, again.Text);

        string Role(string? id, string practitioner, string members) => $$$"""
            {"resourceType":"PractitionerRole",{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"active":true{{{members}}},
            "practitioner":{"reference":"{{{practitioner}}}"},"organization":{"reference":"{{{gateway.Hospital}}}"}}
            """;

        static async Task RefusedRoleAsync(Task<Answer> sent, string path)
        {
            var refused = await sent;
            Assert.True(refused.Status == 422, refused.Text);
            Assert.Contains(path, refused.Text);
        }
    }

    [Fact]
    public async Task An_organization_stays_what_it_is_registered_as()
    {
        foreach (var type in new[] { "", "\"type\":[{\"coding\":[{\"system\":"
            + "\"http://terminology.hl7.org/CodeSystem/organization-type\",\"code\":\"ins\"}]}]," })
        {
            var refused = await gateway.Operator.PutAsync(gateway.OtherHospital, $$$"""
                {"resourceType":"Organization","id":"{{{gateway.OtherHospital["Organization/".Length..]}}}",{{{type}}}"active":false,
                "name":"x"}
                """);
            Assert.True(refused.Status == 422, refused.Text);
            Assert.Contains("Organization.type", refused.Text);
        }
    }

    private async Task RefusedAsync(string path, string json, string name)
    {
        var refused = await SendAsync(path, json, "application/json");
        Assert.True(refused.Status == 400, $"{refused.Status} {refused.Text}");
        var outcome = JsonDocument.Parse(refused.Body).RootElement;
        Assert.Equal("OperationOutcome", outcome.GetProperty("resourceType").GetString());
        Assert.Contains(name, outcome.GetProperty("issue")[0].ToString());
    }

    private Task<Answer> SendAsync(string path, string json, string type) => gateway.Operator.WriteAsync(
        HttpMethod.Post, $"{gateway.Options.Url}/admin/{path}", Encoding.UTF8.GetBytes(json), type);
}
