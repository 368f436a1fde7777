using System.CommandLine;
using Microsoft.Data.Sqlite;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Hosting;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Cli;

/// <summary><c>pmr serve</c>: runs the gateway until it is told to stop.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var command = new Command("serve", "Run the gateway");
        var given = CommandSettings.AddTo(command, "how the gateway runs");
        command.SetAction((parsed, cancellation) => RunAsync(given(parsed), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string[] settings, CancellationToken cancellation)
    {
        if (Settings.Read(settings, out var problem) is not { } options) return CommandError.Say(problem!);
        try
        {
            await using var app = await GatewayHost.BuildAsync(options, quiet: false, cancellation);
            await app.StartAsync(cancellation);
            Console.WriteLine($"PmrGateway serves FHIR R4 at {options.Url}/fhir (data in {Path.GetFullPath(options.DataFolder)})");
            await app.WaitForShutdownAsync(cancellation);
            return 0;
        }
        catch (Exception e) when (e is KeyringException or StoreStartException or StoreUnavailableException
            or LedgerStartException or InvalidProfileException or IOException or SqliteException)
        {
            return CommandError.Say(e.Message);
        }
    }
}
