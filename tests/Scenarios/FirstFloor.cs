using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Gateway.Options;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>A data folder as version 0.1.0 left it, unpacked, and what is claimed of it: tests/fixtures/README.md.</summary>
internal sealed class FirstFloor : IDisposable
{
    private static readonly string Fixtures = FindFixtures();
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(60) };
    private readonly string _folder = Directory.CreateTempSubdirectory("pmr-first-floor-").FullName;

    public FirstFloor()
    {
        using var file = File.OpenRead(Path.Combine(Fixtures, "data-first-floor.tar.gz"));
        using var unpacked = new GZipStream(file, CompressionMode.Decompress);
        TarFile.ExtractToDirectory(unpacked, _folder, overwriteFiles: false);
        Claims = JsonNode.Parse(File.ReadAllBytes(Path.Combine(Fixtures, "data-first-floor.json")))!;
        Options = new GatewayOptions { Url = (string)Claims["url"]!, DataFolder = _folder };
    }

    /// <summary>What is meant to be otherwise since 0.1.0, sorted: whose colleague wrote a record, and other grantees' Consents.</summary>
    public static IEnumerable<string> Since =>
        File.ReadAllLines(Path.Combine(Fixtures, "data-first-floor-since.txt")).Order(StringComparer.Ordinal);

    public JsonNode Claims { get; }

    public GatewayOptions Options { get; }

    /// <summary>Everybody of the file, logged in, by client id or user name; the operator too.</summary>
    public async Task<Dictionary<string, GatewayClient>> LoginAsync()
    {
        var anyone = new GatewayClient(_http, Options.Url);
        var clients = new Dictionary<string, GatewayClient> { ["operator"] = await anyone.LoginOperatorAsync(Options.DataFolder) };
        foreach (var client in Claims["clients"]!.AsArray())
        {
            var key = new SigningCredentials(new JsonWebKey(client!["privateJwk"]!.ToJsonString()), SecurityAlgorithms.EcdsaSha256);
            var id = (string)client["clientId"]!;
            clients[id] = await anyone.LoginAsync(id, key, (string)client["scope"]!);
        }
        var app = Claims["app"]!;
        foreach (var user in Claims["users"]!.AsArray())
        {
            var name = (string)user!["username"]!;
            clients[name] = await anyone.LoginUserAsync(
                (string)app["clientId"]!, (string)app["redirectUri"]!, name, (string)user["password"]!, (string)user["scope"]!);
        }
        return clients;
    }

    public void Dispose()
    {
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string FindFixtures()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var fixtures = Path.Combine(folder.FullName, "tests", "fixtures");
            if (Directory.Exists(fixtures)) return fixtures;
        }
        throw new InvalidOperationException("tests/fixtures is not above the tests");
    }
}
