using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Gateway.Smart;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Who guesses is counted and soon not looked at any more, and locks out nobody else.</summary>
[Collection(GatewayCollection.Name)]
public sealed class LoginLimitScenarios(RunningGateway gateway) : IDisposable
{
    private const int Allowed = 10;
    private readonly HttpClient _elsewhere = From(IPAddress.Parse("127.0.0.2"));

    public void Dispose() => _elsewhere.Dispose();

    [Fact]
    public async Task After_ten_wrong_passwords_from_an_address_the_right_one_is_not_looked_at_from_there_and_is_from_elsewhere()
    {
        using var refused = new Counted(gateway.Service<IMeterFactory>());
        var (patient, other) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        await gateway.LoginPatientAsync(patient, "guess");
        await gateway.LoginPatientAsync(other, "bystander");
        var here = gateway.Anyone;
        for (var i = 0; i < Allowed; i++) Assert.Equal("200", await LoginAsync(here, $"guess-{patient}", "wrong"));
        Assert.Equal("429", await LoginAsync(here, $"guess-{patient}", "wrong"));
        Assert.Equal("429", await LoginAsync(here, $"guess-{patient}", RunningGateway.Password));
        var told = await here.PostFormAsync("connect/authorize", [new("username", $"guess-{patient}"), new("password", "x")]);
        Assert.Equal(429, told.Status);
        Assert.InRange(told.Headers.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));
        // Its owner is elsewhere, and others are here.
        var elsewhere = new GatewayClient(_elsewhere, gateway.Options.Url);
        Assert.Equal("ok", await LoginAsync(elsewhere, $"guess-{patient}", RunningGateway.Password));
        Assert.Equal("ok", await LoginAsync(here, $"bystander-{other}", RunningGateway.Password));
        Assert.Equal((Allowed, 3), (refused.Of(AuthRefusals.Password), refused.Of(AuthRefusals.Limit)));
    }

    [Fact]
    public async Task Names_that_nobody_has_are_answered_as_wrong_passwords_are()
    {
        var name = "nobody-" + Guid.CreateVersion7();
        for (var i = 0; i < Allowed; i++) Assert.Equal("200", await LoginAsync(gateway.Anyone, name, "x"));
        Assert.Equal("429", await LoginAsync(gateway.Anyone, name, "x"));
    }

    [Fact]
    public async Task Who_is_let_in_is_not_counted()
    {
        var patient = await gateway.NewPatientAsync();
        await gateway.LoginPatientAsync(patient, "often");
        for (var i = 0; i < Allowed + 2; i++)
            Assert.Equal("ok", await LoginAsync(gateway.Anyone, $"often-{patient}", RunningGateway.Password));
    }

    [Fact]
    public async Task After_ten_assertions_that_are_not_a_clients_own_none_is_looked_at_from_there()
    {
        using var refused = new Counted(gateway.Service<IMeterFactory>());
        var (own, wrong, clientId) = (new ClientKey(), new ClientKey(), "limited-" + Guid.CreateVersion7());
        await gateway.Operator.AdminAsync(
            "clients", new { clientId, jwks = own.Jwks, scopes = new[] { "system/Patient.r" }, purposes = Array.Empty<string>() });
        for (var i = 0; i < Allowed; i++) Assert.Equal(401, (await AskAsync(gateway.Anyone, wrong)).Status);
        var limited = await AskAsync(gateway.Anyone, own);
        Assert.Equal(429, limited.Status);
        Assert.Equal("temporarily_unavailable", limited.Json.GetProperty("error").GetString());
        Assert.Equal(200, (await AskAsync(new GatewayClient(_elsewhere, gateway.Options.Url), own)).Status);
        Assert.Equal((Allowed, 1), (refused.Of(AuthRefusals.Client), refused.Of(AuthRefusals.Limit)));
        // The other systems of this address go on.
        Assert.Equal(200, (await gateway.Ehr.GetAsync(gateway.Hospital)).Status);
        await gateway.Anyone.LoginOperatorAsync(gateway.Options.DataFolder);

        Task<Answer> AskAsync(GatewayClient client, ClientKey key) =>
            client.RequestTokenAsync(clientId, key.Credentials, "system/Patient.r");
    }

    [Fact]
    public async Task Requests_without_a_good_token_are_counted_and_limited_by_whom_they_claim_to_be_and_are_not_in_the_log()
    {
        using var refused = new Counted(gateway.Service<IMeterFactory>());
        var before = await EntriesAsync();
        string[] parts = ["""{"alg":"none"}""", $$"""{"iss":"x","sub":"{{Guid.CreateVersion7()}}"}"""];
        var forged = gateway.Anyone.As(string.Join('.', parts.Select(p => Base64UrlEncoder.Encode(Encoding.UTF8.GetBytes(p)))) + ".x");
        for (var i = 0; i < gateway.Options.Auth.RefusedTokens; i++) Assert.Equal(401, (await forged.GetAsync("Patient/x")).Status);
        var limited = await forged.GetAsync("Patient/x");
        Assert.Equal((429, "throttled"), (limited.Status, limited.Json.GetProperty("issue")[0].GetProperty("code").GetString()));
        Assert.NotNull(limited.Headers.Headers.RetryAfter);
        Assert.Equal((gateway.Options.Auth.RefusedTokens, 1), (refused.Of(AuthRefusals.Token), refused.Of(AuthRefusals.Limit)));
        Assert.Equal(401, (await gateway.Anyone.GetAsync("Patient/x")).Status);
        Assert.Equal(before, await EntriesAsync());
        Assert.Equal(200, (await gateway.Ehr.GetAsync(gateway.Hospital)).Status);
    }

    private static async Task<string> LoginAsync(GatewayClient client, string username, string password)
    {
        try
        {
            await client.LoginUserAsync(RunningGateway.App, RunningGateway.Redirect, username, password, "openid patient/*.rs");
            return "ok";
        }
        catch (InvalidOperationException e)
        {
            return e.Message.Split(": ")[1];
        }
    }

    private async Task<long> EntriesAsync()
    {
        await using var connection = await TestStore.OpenAsync(gateway.Options);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT COUNT(*) FROM audit";
        return Convert.ToInt64(await command.ExecuteScalarAsync(), System.Globalization.CultureInfo.InvariantCulture);
    }

    // The loopback has many addresses.
    private static HttpClient From(IPAddress address) => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        ConnectCallback = async (context, cancellation) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address, 0));
            await socket.ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });

    /// <summary>What the gateway's counter says.</summary>
    private sealed class Counted : IDisposable
    {
        private readonly ConcurrentDictionary<string, long> _counts = new();
        private readonly MeterListener _listener = new();

        public Counted(IMeterFactory ofGateway)
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Scope == ofGateway && instrument.Name == AuthRefusals.Counter)
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
            {
                foreach (var tag in tags) _counts.AddOrUpdate($"{tag.Value}", value, (_, n) => n + value);
            });
            _listener.Start();
        }

        public int Of(string reason) => (int)_counts.GetValueOrDefault(reason);

        public void Dispose() => _listener.Dispose();
    }
}
