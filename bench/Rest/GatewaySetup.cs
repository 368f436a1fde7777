using PmrGateway.Tests.Client;

namespace PmrGateway.Bench.Rest;

/// <summary>A system client of the gateway, and the organisation that it acts for.</summary>
/// <param name="ClientId">OAuth client id.</param>
/// <param name="Organization">Reference of its organisation.</param>
/// <param name="Login">Gets an access token.</param>
internal sealed record SystemClient(string ClientId, string Organization, Func<Task<string>> Login);

/// <summary>Registers who takes part. Only this file uses the test client of the repository; load is <see cref="LoadRun"/>'s.</summary>
internal static class GatewaySetup
{
    private static readonly HttpClient Http = new(new SocketsHttpHandler { AllowAutoRedirect = false });

    /// <summary>Whether the gateway answers.</summary>
    public static async Task<bool> IsReadyAsync(string baseUrl) =>
        (await new GatewayClient(Http, baseUrl).GetAsync("metadata")).Status == 200;

    /// <summary>Registers hospitals and insurers; comes back when the chain has them all.</summary>
    /// <param name="baseUrl">The gateway.</param>
    /// <param name="dataFolder">Its data folder, where the operator's key is.</param>
    /// <param name="clients">Client ids; what starts with "ehr" is a hospital's, the others are insurers'.</param>
    public static async Task<IReadOnlyList<SystemClient>> RegisterAsync(string baseUrl, string dataFolder, params string[] clients)
    {
        var gateway = new GatewayClient(Http, baseUrl);
        var admin = await gateway.LoginOperatorAsync(dataFolder);
        var registered = new List<SystemClient>();
        foreach (var clientId in clients)
        {
            var isHospital = clientId.StartsWith("ehr", StringComparison.Ordinal);
            var (type, scope, purpose) = isHospital ? ("prov", "system/*.cruds", "TREAT") : ("ins", "system/*.rs", "HPAYMT");
            var organization = await admin.PostAsync("Organization", $$$"""
                {"resourceType":"Organization","active":true,"name":"{{{clientId}}}",
                "type":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/organization-type","code":"{{{type}}}"}]}]}
                """);
            var reference = "Organization/" + organization.Id;
            var key = new ClientKey();
            var registration = new { clientId, jwks = key.Jwks, actor = reference, scopes = new[] { scope }, purposes = new[] { purpose } };
            var added = await admin.AdminAsync("clients", registration);
            if (added.Status != 201) throw new BenchException($"the client {clientId} is not registered: {added.Status} {added.Text}");
            async Task<string> LoginAsync() => (await gateway.LoginAsync(clientId, key.Credentials, scope)).Token!;
            registered.Add(new SystemClient(clientId, reference, LoginAsync));
        }
        foreach (var client in registered)
        {
            var asClient = gateway.As(await client.Login());
            var answer = await GatewayClient.UntilAsync(() => asClient.GetAsync(client.Organization), a => a.Status == 200, 60);
            if (answer.Status != 200) throw new BenchException($"{client.ClientId} is not active on the chain: {answer.Text}");
        }
        return registered;
    }
}
