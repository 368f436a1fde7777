using System.Net;
using System.Net.Sockets;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Admin;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Ledger;
using PmrGateway.Gateway.Options;
using PmrGateway.Gateway.Smart;
using PmrGateway.LedgerAdapter;
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
    /// <exception cref="DataFolderInUseException">Another gateway runs on the data folder.</exception>
    /// <exception cref="KeyringException">The keyring must not be used.</exception>
    /// <exception cref="LedgerStartException">The development chain does not start.</exception>
    /// <exception cref="InvalidProfileException">A FHIR package is broken.</exception>
    public static Task<WebApplication> BuildAsync(GatewayOptions options, bool quiet, CancellationToken cancellation) =>
        BuildAsync(options, quiet, cancellation, static _ => { });

    // With other parts in the place of some: for what measures a part by leaving it out.
    internal static async Task<WebApplication> BuildAsync(
        GatewayOptions options, bool quiet, CancellationToken cancellation, Action<IServiceCollection> replace)
    {
        // First of all: what follows writes into the folder.
        var folder = DataFolderLock.Take(options.DataFolder, EarlyLog(quiet, "data"));
        // It starts while the database is opened and the parts are made.
        var chain = DevelopmentChainAsync(options, quiet, cancellation);
        try
        {
            return await BuildAsync(options, folder, chain, quiet, replace, cancellation);
        }
        catch
        {
            await EndAsync(chain);
            folder.Dispose();
            throw;
        }
    }

    private static async Task<WebApplication> BuildAsync(
        GatewayOptions options, DataFolderLock folder, Task<AnvilNode?> chain, bool quiet, Action<IServiceCollection> replace,
        CancellationToken cancellation)
    {
        options.Url = WithPort(options.Url);
        var baseUrl = new BaseUrl(options.PublicUrl.Length > 0 ? options.PublicUrl : options.Url.TrimEnd('/'));
        var database = RecordDatabase.Open(options.Store, Path.Combine(options.DataFolder, "gateway.db"));
        // Gateways that share a database and start at once make keyring, tables and operator one after the other.
        await using var start = await database.LockStartAsync(cancellation);
        var keyring = await DeploymentKeyring.OpenAsync(DeploymentKeyring.PathOf(options), database, cancellation);
        // Only now: under a foreign keyring's key every row would be broken, or be sealed for nobody.
        var newlySealed = await database.SealAsync(
            new RowSeal(keyring.Derive("row seals")), keyring.Derive("search index"), keyring.RowsAreSealed, cancellation);
        var custody = new Custody(keyring);

        var builder = NewBuilder(options, quiet);
        builder.Services
            .AddSettings(options, baseUrl, folder)
            .AddFhirEngine(options.Fhir, options.Limits)
            .AddVault(keyring)
            .AddBlocks(options)
            .AddStore(database)
            .AddChain(options.Ledger, custody, await chain)
            .AddFlows()
            .AddApi()
            .AddSmart(options, keyring, baseUrl)
            .AddHealth();
        replace(builder.Services);

        var app = builder.Build();
        // What a container makes it closes in reverse: the folder, asked for first, is given back last.
        app.Services.GetRequiredService<DataFolderLock>();
        database.ContentIndex = app.Services.GetRequiredService<RecordOpener>().IndexAsync;
        newlySealed += await FirstStart.PrepareAsync(app.Services, options);
        await app.Services.GetRequiredService<Reindexing>().RunAsync(cancellation);
        await app.Services.GetRequiredService<ForgottenRevocations>().RunAsync(cancellation);
        var isNoted = keyring.RowsAreSealed || keyring.TryNoteSealedRows(DeploymentKeyring.PathOf(options));
        app.Services.GetRequiredService<RowWatch>().Begin(newlySealed, isNoted);
        app.UseFraming();
        // Whose address it is must be known before anything is asked of it.
        app.UseTrustedProxies(options.TrustedProxies);
        app.UseOwnAddress(baseUrl);
        app.UseRouting();
        app.UseBodyLimits();
        app.UseLoginLimits();
        app.UseAuthentication();
        app.MapSmart();
        app.MapOperatorEndpoints();
        app.MapHealth();
        app.MapFhir();
        app.MapFallback("{**path}", context => FhirResponse.From(Outcome.Of(OutcomeCategory.NotFound, "there is nothing at this path"))
            .WriteAsync(context, baseUrl.Fhir));
        return app;
    }

    private static WebApplicationBuilder NewBuilder(GatewayOptions options, bool quiet)
    {
        // A line ends in CR LF: what ends in LF alone is two headers to one reader and one to another (RFC 9112, 2.2).
        AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ContentRootPath = AppContext.BaseDirectory,
            // Settings are read once; to watch for others would be to watch every folder beside the program.
            Args = ["--hostBuilder:reloadConfigOnChange=false"],
        });
        builder.WebHost.UseKestrelCore().UseUrls(options.Url).ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // RequestBody has the limit of /fhir and answers it as FHIR does, BodyLimits has those of the rest.
            kestrel.Limits.MaxRequestBodySize = null;
        });
        builder.Logging
            .SetMinimumLevel(LevelOf(quiet))
            .AddFilter("Microsoft", LogLevel.Warning)
            .AddFilter("OpenIddict", LogLevel.Error)
            .AddFilter("System.Net.Http", LogLevel.Warning);
        return builder;
    }

    // What everything stands on.
    private static IServiceCollection AddSettings(
        this IServiceCollection services, GatewayOptions options, BaseUrl baseUrl, DataFolderLock folder) => services
        .AddSingleton(_ => folder)
        .AddSingleton(options)
        .AddSingleton(options.Limits)
        .AddSingleton(baseUrl)
        .AddSingleton(TimeProvider.System);

    private static async Task<AnvilNode?> DevelopmentChainAsync(GatewayOptions options, bool quiet, CancellationToken cancellation)
    {
        if (options.Ledger.RpcUrl.Length > 0) return null;
        return await AnvilNode.StartAsync(
            options.Ledger, Path.Combine(options.DataFolder, "chain"), EarlyLog(quiet, "chain"), cancellation);
    }

    // Of what is done before there are services.
    private static ILogger EarlyLog(bool quiet, string name) =>
        LoggerFactory.Create(l => l.AddSimpleConsole().SetMinimumLevel(LevelOf(quiet))).CreateLogger(name);

    private static async Task EndAsync(Task<AnvilNode?> chain)
    {
        try
        {
            if (await chain is { } node) await node.DisposeAsync();
        }
        catch (Exception e) when (e is LedgerStartException or OperationCanceledException)
        {
            // There is none to end; why the gateway does not start is told by what was thrown first.
        }
    }

    private static LogLevel LevelOf(bool quiet) => quiet ? LogLevel.Warning : LogLevel.Information;

    // The OpenIddict issuer must be known before the server listens, so a free port is chosen here.
    private static string WithPort(string url)
    {
        var uri = new Uri(url);
        if (uri.Port != 0) return url;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return $"{uri.Scheme}://{uri.Host}:{((IPEndPoint)listener.LocalEndpoint).Port}";
    }
}
