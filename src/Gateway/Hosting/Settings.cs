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
}
