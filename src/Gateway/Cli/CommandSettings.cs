using System.CommandLine;

namespace PmrGateway.Gateway.Cli;

/// <summary>
/// The settings of a gateway behind a command: as <c>pmr serve</c> takes them, so whatever the parser does not know is one.
/// </summary>
internal static class CommandSettings
{
    /// <summary>Lets a command take settings.</summary>
    /// <param name="command">The command.</param>
    /// <param name="what">What they say to it.</param>
    /// <returns>Those that were given, of what was parsed.</returns>
    public static Func<ParseResult, string[]> AddTo(Command command, string what)
    {
        var settings = new Argument<string[]>("settings")
        {
            Description = "Settings as --Section:Key value (docs/configuration.md lists them): " + what,
            Arity = ArgumentArity.ZeroOrMore,
        };
        command.Arguments.Add(settings);
        command.TreatUnmatchedTokensAsErrors = false;
        return parsed => [.. parsed.UnmatchedTokens, .. parsed.GetValue(settings) ?? []];
    }
}
