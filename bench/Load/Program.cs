// The load of bench/README.md: the same requests against a bare Kestrel (the floor) and against the gateway, round by round in one run.
using System.Diagnostics;
using System.Security.Cryptography;
using PmrGateway.Bench;
using PmrGateway.Tests.Client;

if (args is ["floor", var port]) return await Floor.RunAsync(int.Parse(port));
var seconds = args.Length > 0 ? double.Parse(args[0], System.Globalization.CultureInfo.InvariantCulture) : 3;

var folder = Directory.CreateTempSubdirectory("pmr-bench-").FullName;
using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, MaxConnectionsPerServer = 64 }) { Timeout = TimeSpan.FromMinutes(2) };
var (gatewayPort, floorPort) = (Ports.Free(), Ports.Free());
using var gateway = Start([Path.Combine(AppContext.BaseDirectory, "pmr.dll"), "serve", "--data", folder, "--url", $"http://127.0.0.1:{gatewayPort}", "--Auth:TokenLifetime", "01:00:00"]);
using var floor = Start([Path.Combine(AppContext.BaseDirectory, "pmr-bench.dll"), "floor", $"{floorPort}"]);
try
{
    var client = new GatewayClient(http, $"http://127.0.0.1:{gatewayPort}");
    await ReadyAsync(async () => (await client.GetAsync("metadata")).Status == 200);
    await ReadyAsync(async () => (await http.GetAsync($"http://127.0.0.1:{floorPort}/ready")).IsSuccessStatusCode);
    var ehr = await SetUpAsync(client, folder);
    var bare = new GatewayClient(http, $"http://127.0.0.1:{floorPort}");

    var patient = (await ehr.PostAsync("Patient", """{"resourceType":"Patient","name":[{"family":"Bench"}],"gender":"female","birthDate":"1970-01-01"}""")).Id;
    for (var i = 0; i < 20; i++) await ehr.PostAsync("DocumentReference", Document(patient, 1000));
    var resource = (await ehr.GetAsync($"Patient/{patient}")).Body;
    var searchset = (await ehr.GetAsync($"DocumentReference?patient={patient}")).Body;
    await bare.WriteAsync(HttpMethod.Post, "Patient", resource, "application/fhir+json");
    await bare.WriteAsync(HttpMethod.Post, "Search", searchset, "application/fhir+json");

    Workload[] workloads =
    [
        new("read Patient", 16, () => ehr.GetAsync($"Patient/{patient}"), () => bare.GetAsync("Patient")),
        new("search, 20 documents", 16, () => ehr.GetAsync($"DocumentReference?patient={patient}"), () => bare.GetAsync("Search")),
        .. new[] { (1_000, "1 KB", 16), (100_000, "100 KB", 16), (5_000_000, "5 MB", 2) }.Select(size =>
        {
            var body = Document(patient, size.Item1);
            return new Workload($"create document {size.Item2}", size.Item3, () => ehr.PostAsync("DocumentReference", body), () => bare.PostAsync("Document", body));
        }),
    ];
    Console.WriteLine("| workload | req/s | p50 ms | p99 ms | CPU s / 1000 | floor req/s | floor CPU s / 1000 | CPU ratio |");
    Console.WriteLine("|---|---|---|---|---|---|---|---|");
    foreach (var workload in workloads)
    {
        // Warm both, then floor and gateway in turn, so that a slow minute of the machine hits both.
        await workload.RunAsync(workload.Floor, floor, 0.5);
        await workload.RunAsync(workload.Gateway, gateway, 0.5);
        var (floors, gateways) = (new List<Figures>(), new List<Figures>());
        for (var round = 0; round < 3; round++)
        {
            floors.Add(await workload.RunAsync(workload.Floor, floor, seconds / 3));
            gateways.Add(await workload.RunAsync(workload.Gateway, gateway, seconds / 3));
        }
        var (f, g) = (Figures.Median(floors), Figures.Median(gateways));
        Console.WriteLine($"| {workload.Name} | {g.PerSecond:F0} | {g.P50:F1} | {g.P99:F1} | {g.Cpu:F2} | {f.PerSecond:F0} | {f.Cpu:F2} | {g.Cpu / f.Cpu:F1} |");
    }
    return 0;
}
finally
{
    floor.Kill();
    gateway.Kill(entireProcessTree: true);
    gateway.WaitForExit();
    Thread.Sleep(500);
    Directory.Delete(folder, recursive: true);
}

static Process Start(string[] arguments)
{
    var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true };
    foreach (var argument in arguments) start.ArgumentList.Add(argument);
    var process = Process.Start(start)!;
    _ = process.StandardOutput.ReadToEndAsync();
    return process;
}

static async Task ReadyAsync(Func<Task<bool>> ready)
{
    for (var i = 0; i < 300; i++)
    {
        try
        {
            if (await ready()) return;
        }
        catch (HttpRequestException)
        {
            // Not listening yet.
        }
        await Task.Delay(100);
    }
    throw new InvalidOperationException("a server did not start");
}

static async Task<GatewayClient> SetUpAsync(GatewayClient client, string folder)
{
    var admin = await client.LoginOperatorAsync(folder);
    var organization = await admin.PostAsync("Organization", """{"resourceType":"Organization","active":true,"name":"Bench","type":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/organization-type","code":"prov"}]}]}""");
    var key = new ClientKey();
    await admin.AdminAsync("clients", new { clientId = "bench", jwks = key.Jwks, actor = "Organization/" + organization.Id, scopes = new[] { "system/*.cruds" }, purposes = new[] { "TREAT" } });
    var ehr = await client.LoginAsync("bench", key.Credentials, "system/*.cruds");
    await GatewayClient.UntilAsync(() => ehr.GetAsync("Organization/" + organization.Id), a => a.Status == 200);
    return ehr;
}

static string Document(string patient, int size) =>
    $"{{\"resourceType\":\"DocumentReference\",\"status\":\"current\",\"type\":{{\"coding\":[{{\"system\":\"http://loinc.org\",\"code\":\"34133-9\"}}]}},\"subject\":{{\"reference\":\"Patient/{patient}\"}}," +
    $"\"date\":\"2026-01-01T00:00:00Z\",\"content\":[{{\"attachment\":{{\"contentType\":\"application/octet-stream\",\"data\":\"{Convert.ToBase64String(RandomNumberGenerator.GetBytes(size))}\"}}}}]}}";
