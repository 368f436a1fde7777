using System.CommandLine;
using PmrGateway.Gateway.Hosting;
using PmrGateway.LedgerAdapter;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Cli;

/// <summary><c>pmr demo</c>: a gateway of its own, and the main job played on it.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var data = new Option<DirectoryInfo?>("--data") { Description = "A folder of FHIR transaction bundles to push (Synthea's output works); default: fhir-profiles/examples/bundles" };
        var command = new Command("demo", "Play the main job on a fresh gateway") { data };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(data), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(DirectoryInfo? data, CancellationToken cancellation)
    {
        var bundles = data?.FullName ?? FindExamples();
        if (bundles is null || !Directory.Exists(bundles) || Directory.GetFiles(bundles, "*.json").Length == 0)
        {
            return CommandError.Say($"no FHIR bundles in {data?.FullName ?? "fhir-profiles/examples/bundles"}: name a folder with --data", 2);
        }
        var folder = Directory.CreateTempSubdirectory("pmr-demo-").FullName;
        try
        {
            var options = new GatewayOptions { Url = "http://127.0.0.1:0", DataFolder = folder, Limits = { MaxBodyBytes = 256 << 20 } };
            await using var app = await GatewayHost.BuildAsync(options, quiet: true, cancellation);
            await app.StartAsync(cancellation);
            return await new DemoScript(options, app.Services.GetRequiredService<AnvilNode>().Url, bundles).RunAsync() ? 0 : 1;
        }
        catch (Exception e) when (e is LedgerStartException or KeyringException)
        {
            return CommandError.Say(e.Message);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string? FindExamples()
    {
        foreach (var start in (string[])[Directory.GetCurrentDirectory(), AppContext.BaseDirectory])
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
                if (Directory.Exists(Path.Combine(folder.FullName, "fhir-profiles", "examples", "bundles"))) return Path.Combine(folder.FullName, "fhir-profiles", "examples", "bundles");
        return null;
    }
}
