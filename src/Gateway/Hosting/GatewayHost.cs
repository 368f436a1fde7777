using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Interactions;
using PmrGateway.Gateway.Ledger;
using PmrGateway.Gateway.Security;
using PmrGateway.Ipfs;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Hosting;

/// <summary>The parts list: every component of a running gateway, in the order in which data meets them.</summary>
public static class GatewayHost
{
    /// <summary>Builds a gateway that is ready to run; its development chain, if any, is running already.</summary>
    /// <param name="options">Validated options.</param>
    /// <param name="quiet">Whether only warnings are logged.</param>
    /// <param name="cancellation">Stops the start.</param>
    /// <exception cref="KeyringException">The keyring must not be used.</exception>
    /// <exception cref="LedgerStartException">The development chain does not start.</exception>
    public static async Task<WebApplication> BuildAsync(GatewayOptions options, bool quiet, CancellationToken cancellation)
    {
        options.Url = WithPort(options.Url);
        var publicUrl = options.PublicUrl.Length > 0 ? options.PublicUrl : options.Url.TrimEnd('/');
        Directory.CreateDirectory(options.DataFolder);
        var keyringPath = Path.Combine(options.DataFolder, "keyring.json");
        var keyring = File.Exists(Path.Combine(options.DataFolder, "gateway.db")) || File.Exists(keyringPath) ? Keyring.Open(keyringPath) : Keyring.Create(keyringPath);
        var custody = new Custody(keyring);
        var contracts = new ContractSet(custody.Sender.Address);
        var database = await Database.OpenAsync(Path.Combine(options.DataFolder, "gateway.db"));

        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // RequestBody has the limit and answers it as FHIR does.
            kestrel.Limits.MaxRequestBodySize = null;
        });
        builder.WebHost.UseUrls(options.Url);
        builder.Logging.SetMinimumLevel(quiet ? LogLevel.Warning : LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning).AddFilter("OpenIddict", LogLevel.Error).AddFilter("System.Net.Http", LogLevel.Warning);
        var services = builder.Services;

        // What everything stands on
        services.AddSingleton(options).AddSingleton(options.Ledger).AddSingleton(TimeProvider.System).AddSingleton(new BaseUrl(publicUrl));

        // FHIR as data, and what it means
        // Read before anything starts: a broken package is a gateway that does not.
        var profiles = FhirPackages.Load(options.Fhir.Packages);
        services.AddSingleton(FhirSchema.R4).AddSingleton(s => new Validator(FhirSchema.R4, profiles, FhirPackages.Noting(s.GetRequiredService<ILogger<Validator>>()))).AddSingleton<ResourceMapper>().AddSingleton(s => s.GetRequiredService<ResourceMapper>().Indexer);

        // Keys, blocks, tables
        services.AddSingleton(keyring).AddSingleton<RecordVault>();
        services.AddSingleton(_ => BlockStore(options)).AddSingleton<UnixFs>().AddSingleton<Content.IContent, Content.ContentStore>();
        services.AddSingleton(_ => database).AddSingleton<RecordStore>().AddSingleton<DirectoryStore>().AddSingleton<AuditLog>().AddSingleton<ILedgerJournal, SqliteLedgerJournal>();

        // The chain
        var anvil = options.Ledger.RpcUrl.Length > 0 ? null : await AnvilNode.StartAsync(options.Ledger, Path.Combine(options.DataFolder, "chain"), Logger(quiet), cancellation);
        if (anvil is not null) services.AddSingleton(_ => anvil);
        var rpcUrl = anvil?.Url ?? options.Ledger.RpcUrl;
        services.AddSingleton(new JsonRpcClient(new HttpClient { BaseAddress = new Uri(rpcUrl), Timeout = TimeSpan.FromSeconds(5) }));
        services.AddSingleton(custody).AddSingleton(custody.Sender).AddSingleton(contracts);
        services.AddSingleton(new ConsentIntents(options.Ledger.ChainId, contracts.Addresses[ContractSet.Consents]));
        services.AddSingleton<ConsentView>().AddSingleton<TransactionSender>().AddSingleton<SegmentWriter>();
        services.AddSingleton(s => new AnchorWorker(s.GetRequiredService<ILedgerJournal>(), s.GetRequiredService<SegmentWriter>().StoreAsync, options.Ledger, TimeProvider.System));
        services.AddHostedService<LedgerService>();

        // The two flows and the interactions
        services.AddSingleton<Denials>().AddSingleton<ReadFlow>().AddSingleton<WriteFlow>().AddSingleton<ConsentWrites>().AddSingleton<ActorWrites>();
        services.AddSingleton<SearchParser>().AddSingleton<ReadInteraction>().AddSingleton<HistoryInteraction>().AddSingleton<SearchInteraction>().AddSingleton<EverythingInteraction>()
            .AddSingleton<WriteInteractions>().AddSingleton<DocumentReceiver>().AddSingleton<BundleInteraction>().AddSingleton<AuditEventInteraction>().AddSingleton<LedgerInteractions>()
            .AddSingleton<CapabilitiesInteraction>().AddSingleton<FhirRouter>().AddSingleton<FhirEndpoint>();

        // Who asks
        // Nothing here lives in protected cookies; the keys for them must not land in somebody's home folder.
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
        services.AddAuthorizationServer(options, keyring, publicUrl);

        var app = builder.Build();
        await PrepareAsync(app.Services, options, database);
        app.UseAuthentication();
        app.MapAuthorizationServer();
        app.MapOperatorEndpoints();
        app.MapGet("/.well-known/smart-configuration", SmartConfiguration.Get);
        app.MapGet("/fhir/.well-known/smart-configuration", SmartConfiguration.Get);
        app.MapGet("/health", Health);
        app.Map("/fhir/{**path}", (HttpContext context, FhirEndpoint endpoint) => endpoint.HandleAsync(context));
        return app;
    }

    private static IBlockStore BlockStore(GatewayOptions options) => options.Ipfs.Store == "kubo"
        ? new KuboBlockStore(new HttpClient { BaseAddress = new Uri(options.Ipfs.KuboUrl.TrimEnd('/') + "/"), Timeout = TimeSpan.FromSeconds(30) })
        : EmbeddedBlockStore.Open(Path.Combine(options.DataFolder, "blocks"));

    private static ILogger Logger(bool quiet) => LoggerFactory.Create(l => l.AddSimpleConsole().SetMinimumLevel(quiet ? LogLevel.Warning : LogLevel.Information)).CreateLogger("chain");

    // The OpenIddict issuer must be known before the server listens, so a free port is chosen here.
    private static string WithPort(string url)
    {
        var uri = new Uri(url);
        if (uri.Port != 0) return url;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return $"{uri.Scheme}://{uri.Host}:{((IPEndPoint)listener.LocalEndpoint).Port}";
    }

    private static async Task PrepareAsync(IServiceProvider services, GatewayOptions options, Database database)
    {
        // What the operator writes is anchored under an id of its own.
        var operatorId = Convert.ToHexStringLower(Keccak256.Hash("pmr/1 operator"));
        await database.WriteAsync(connection => DirectoryStore.AddActor(connection, WriteFlow.OperatorCustodian, operatorId, ActorKind.None, null));
        await using var scope = services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<AuthDatabase>().Database.EnsureCreatedAsync();
        var applications = scope.ServiceProvider.GetRequiredService<IOpenIddictApplicationManager>();
        if (await applications.FindByClientIdAsync(CallerResolver.OperatorClient) is not null) return;
        var key = OperatorKey(Path.Combine(options.DataFolder, "operator.jwk"));
        var jwks = JsonSerializer.SerializeToElement(new { keys = new[] { new { kty = "EC", crv = key.Crv, x = key.X, y = key.Y, kid = key.KeyId, use = "sig", alg = "ES256" } } });
        await applications.CreateAsync(OperatorEndpoints.Describe(new ClientRegistration(CallerResolver.OperatorClient, jwks, null, ["system/*.cruds"], [], null)));
    }

    /// <summary>The operator's private key, made on first start beside the keyring with mode 0600: who may read it is the operator.</summary>
    internal static JsonWebKey OperatorKey(string path)
    {
        if (!File.Exists(path))
        {
            using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var made = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(new ECDsaSecurityKey(ecdsa) { KeyId = ResourceId.New() });
            var json = JsonSerializer.SerializeToUtf8Bytes(new { kty = made.Kty, crv = made.Crv, x = made.X, y = made.Y, d = made.D, kid = made.KeyId, use = "sig", alg = "ES256" });
            using var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
            file.Write(json);
        }
        return new JsonWebKey(File.ReadAllText(path));
    }

    private static IResult Health(ConsentView view, LedgerOptions ledger) => view.Staleness <= ledger.MaxStaleness
        ? Results.Json(new { status = "ok", block = view.Block })
        : Results.Json(new { status = "degraded", reads = "refused: the consent view is stale", writes = "accepted", block = view.Block }, statusCode: 503);
}
