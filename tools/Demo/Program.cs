// The main job, played on a gateway of its own: pmr-demo [folder of FHIR transaction bundles].
using PmrGateway.Tests.Client;
using PmrGateway.Tools.Demo;

var bundles = args.Length > 0 ? args[0] : FindExamples();
if (bundles is null || !Directory.Exists(bundles) || Directory.GetFiles(bundles, "*.json").Length == 0)
{
    Console.Error.WriteLine(
        $"pmr-demo: no FHIR bundles in {(args.Length > 0 ? args[0] : "fhir-profiles/examples/bundles")}: name a folder");
    return 2;
}
var folder = Directory.CreateTempSubdirectory("pmr-demo-").FullName;
try
{
    // The chain's port is chosen here, since the proof is checked against the chain at the end.
    var chain = GatewayProcess.FreePort();
    await using var gateway = await GatewayProcess.StartAsync(
        folder,
        "--url", $"http://127.0.0.1:{GatewayProcess.FreePort()}",
        "--Ledger:AnvilPort", $"{chain}",
        "--Limits:MaxBodyBytes", $"{256 << 20}");
    return await new DemoScript(gateway.Url, folder, $"http://127.0.0.1:{chain}", bundles).RunAsync() ? 0 : 1;
}
catch (InvalidOperationException e)
{
    Console.Error.WriteLine("pmr-demo: " + e.Message);
    return 1;
}
finally
{
    Directory.Delete(folder, recursive: true);
}

static string? FindExamples()
{
    foreach (var start in (string[])[Directory.GetCurrentDirectory(), AppContext.BaseDirectory])
    {
        for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
        {
            var examples = Path.Combine(folder.FullName, "fhir-profiles", "examples", "bundles");
            if (Directory.Exists(examples)) return examples;
        }
    }
    return null;
}
