using System.CommandLine;
using PmrGateway.Gateway.Hosting;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Cli;

/// <summary>
/// <c>pmr verify audit</c>: follows the audit log from its first entry to its last; the gateway may be running meanwhile.
/// </summary>
internal static class VerifyAuditCommand
{
    public static Command Create()
    {
        var settings = new Argument<string[]>("settings")
        {
            Description = "Settings as --Section:Key value, as pmr serve takes them: which database is looked at",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new Command("audit", "Check that no entry of the audit log was changed or taken out") { settings };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction((parsed, cancellation) =>
            RunAsync([.. parsed.UnmatchedTokens, .. parsed.GetValue(settings) ?? []], cancellation));
        return command;
    }

    /// <summary>0: the log is whole; 1: it is not; 2: it could not be checked.</summary>
    internal static async Task<int> RunAsync(string[] settings, CancellationToken cancellation)
    {
        if (Settings.Read(settings, out var problem) is not { } options) return CommandError.Say(problem!, 2);
        var file = Path.Combine(options.DataFolder, "gateway.db");
        if (options.Store.Provider == "sqlite" && !File.Exists(file)) return CommandError.Say($"there is no database {file}", 2);
        try
        {
            await using var database = RecordDatabase.Open(options.Store, file);
            if (await new AuditLog(database).FirstBrokenAsync(cancellation) is { } broken)
            {
                Console.WriteLine($"FAILED: entry {broken} of the audit log does not follow from the one before");
                return 1;
            }
            Console.WriteLine("ok: each entry of the audit log follows from the one before");
            return 0;
        }
        catch (Exception e) when (e is StoreStartException or StoreUnavailableException)
        {
            return CommandError.Say(e.Message, 2);
        }
    }
}
