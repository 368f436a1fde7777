using PmrGateway.Gateway.Options;

namespace PmrGateway.Gateway.Hosting;

/// <summary>Reads the options from pmr.json, the environment and flags, the later ones winning.</summary>
internal static class Settings
{
    private static readonly Dictionary<string, string> Short = new() { ["--data"] = "DataFolder", ["--url"] = "Url" };

    /// <summary>The options, or null with what is wrong.</summary>
    /// <param name="flags">Pairs of --Section:Key and value, or --Section:Key=value.</param>
    /// <param name="problem">Names the key, the value and what is allowed.</param>
    public static GatewayOptions? Read(string[] flags, out string? problem)
    {
        if ((problem = Incomplete(flags)) is not null) return null;
        try
        {
            var configuration = new ConfigurationBuilder()
                .AddJsonFile(Path.GetFullPath("pmr.json"), optional: true)
                .AddEnvironmentVariables("PMR_")
                .AddCommandLine(flags, Short)
                .Build();
            var options = new GatewayOptions();
            configuration.Bind(options, binder => binder.ErrorOnUnknownConfiguration = true);
            problem = options.Validate();
            return problem is null ? options : null;
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or InvalidDataException)
        {
            problem = $"the configuration cannot be read: {e.Message}{(e.InnerException is { } inner ? " " + inner.Message : "")}";
            return null;
        }
    }

    // The framework passes over a flag without a value, and takes the next flag for one.
    private static string? Incomplete(string[] flags)
    {
        for (var i = 0; i < flags.Length; i++)
        {
            var flag = flags[i];
            if (!flag.StartsWith("--", StringComparison.Ordinal)) return $"'{flag}' is no setting: write --Section:Key value";
            if (flag.Contains('=')) continue;
            if (i + 1 == flags.Length || flags[i + 1].StartsWith("--", StringComparison.Ordinal))
                return $"{flag} has no value: write {flag} value, or {flag}= for nothing";
            i++;
        }
        return null;
    }
}
