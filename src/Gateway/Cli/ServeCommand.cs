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
        var settings = new Argument<string[]>("settings")
        {
            Description = "Settings as --Section:Key value; docs/configuration.md lists them",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new Command("serve", "Run the gateway") { settings };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction((parsed, cancellation) =>
            RunAsync([.. parsed.UnmatchedTokens, .. parsed.GetValue(settings) ?? []], cancellation));
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
        catch (Exception e) when (
            e is KeyringException or LedgerStartException or InvalidProfileException or StoreStartException or IOException or SqliteException)
        {
            return CommandError.Say(e.Message);
        }
    }
}
