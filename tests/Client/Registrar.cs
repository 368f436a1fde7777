namespace PmrGateway.Tests.Client;

/// <summary>What an operator does before anybody can work: registers organizations, their systems, doctors, apps and people who log
/// in.</summary>
/// <param name="anyone">The gateway, without a token.</param>
/// <param name="admin">The operator.</param>
public sealed class Registrar(GatewayClient anyone, GatewayClient admin)
{
    /// <summary>Where the logins of apps end.</summary>
    public const string Redirect = "http://127.0.0.1/callback";

    /// <summary>Everybody's password.</summary>
    public const string Password = "correct horse battery";

    private const string PatientScopes = "patient/*.rs patient/Consent.cruds patient/Task.cu";
    private const string UserScopes = "user/*.cruds";

    // A hospital takes part in breaking the glass where it says under which policy.
    private const string Policy = """
        "extension":[{"url":"https://pmrgateway.example/fhir/StructureDefinition/pmr-break-glass-policy",
        "valueUrl":"https://hospital.example/break-glass"}],
        """;

    /// <summary>Registers an organization; a hospital with a break-glass policy.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type">Code of organization-type: prov or ins.</param>
    /// <returns>Its reference.</returns>
    public async Task<string> OrganizationAsync(string name, string type) => "Organization/" + Created(await admin.PostAsync(
        "Organization",
        $$$"""
        {"resourceType":"Organization",{{{(type == "prov" ? Policy : "")}}}"active":true,"name":"{{{name}}}",
        "type":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/organization-type","code":"{{{type}}}"}]}]}
        """)).Id;

    /// <summary>Registers a system client of an organization, and waits until the chain has both.</summary>
    public async Task<GatewayClient> SystemAsync(string clientId, string organization, string scope, string purpose)
    {
        var key = new ClientKey();
        await ClientAsync(new { clientId, jwks = key.Jwks, actor = organization, scopes = scope.Split(' '), purposes = new[] { purpose } });
        return await ReadyAsync(await anyone.LoginAsync(clientId, key.Credentials, scope), organization);
    }

    /// <summary>Registers a client as the operator's API takes it.</summary>
    public async Task ClientAsync(object registration) => Created(await admin.AdminAsync("clients", registration));

    /// <summary>Registers an app that the people here log in with: its scopes are those that they ask for.</summary>
    public Task AppAsync(string clientId) =>
        ClientAsync(new { clientId, redirectUris = new[] { Redirect }, scopes = $"{PatientScopes} {UserScopes}".Split(' ') });

    /// <summary>Registers somebody who logs in.</summary>
    public async Task UserAsync(string username, string fhirUser) =>
        Created(await admin.AdminAsync("users", new { username, password = Password, fhirUser }));

    /// <summary>A doctor of a hospital, logged in.</summary>
    public async Task<(string Reference, GatewayClient Client)> DoctorAsync(string username, string hospital, string app)
    {
        var practitioner = "Practitioner/" + Created(await admin.PostAsync(
            "Practitioner", """{"resourceType":"Practitioner","name":[{"family":"Doctor"}]}""")).Id;
        Created(await admin.PostAsync("PractitionerRole", $$$"""
            {"resourceType":"PractitionerRole","active":true,"identifier":[{"value":"R-1"}],
            "practitioner":{"reference":"{{{practitioner}}}"},"organization":{"reference":"{{{hospital}}}"}}
            """));
        await UserAsync(username, practitioner);
        var client = await anyone.LoginUserAsync(app, Redirect, username, Password, $"openid fhirUser {UserScopes}");
        return (practitioner, await ReadyAsync(client, practitioner));
    }

    /// <summary>Registers an app for emergencies.</summary>
    public Task EmergencyAppAsync(string clientId) => ClientAsync(
        new { clientId, redirectUris = new[] { Redirect }, scopes = new[] { UserScopes }, purposes = new[] { "TREAT", "BTG" } });

    /// <summary>A doctor who logs in to break the glass.</summary>
    public Task<GatewayClient> EmergencyAsync(string username, string app, string reason) => anyone.LoginUserAsync(
        app, Redirect, username, Password, $"openid fhirUser {UserScopes}", ("purpose_of_use", "BTG"), ("purpose_of_use_reason", reason));

    /// <summary>A patient who can log in, logged in.</summary>
    public async Task<GatewayClient> PatientAsync(string patient, string username, string app)
    {
        await UserAsync(username, "Patient/" + patient);
        return await anyone.LoginUserAsync(app, Redirect, username, Password, $"openid fhirUser {PatientScopes}");
    }

    // A directory entry is shown to whom the chain knows.
    private static async Task<GatewayClient> ReadyAsync(GatewayClient client, string self)
    {
        var ready = await GatewayClient.UntilAsync(() => client.GetAsync(self), a => a.Status == 200);
        return ready.Status == 200
            ? client
            : throw new InvalidOperationException($"{self} is not on the chain: {ready.Status} {ready.Text}");
    }

    private static Answer Created(Answer answer) =>
        answer.Status == 201 ? answer : throw new InvalidOperationException($"not registered: {answer.Status} {answer.Text}");
}
