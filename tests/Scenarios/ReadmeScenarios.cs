using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Tests.Scenarios;

[Collection(GatewayCollection.Name)]
public partial class ReadmeScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task The_commands_of_the_README_give_what_it_says()
    {
        var readme = await File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "README.md"));
        var dll = typeof(AnvilNode).Assembly.Location.Replace("PmrGateway.LedgerAdapter.dll", "pmr.dll", StringComparison.Ordinal);
        var commands = CommandBlock().Match(readme).Groups[1].Value
            .Replace("http://127.0.0.1:8080", gateway.Options.Url, StringComparison.Ordinal)
            .Replace("src/Gateway/bin/Release/net10.0/pmr.dll", dll, StringComparison.Ordinal)
            .Replace("\"clientId\\\":\\\"ehr\\\"", "\"clientId\\\":\\\"readme-ehr\\\"", StringComparison.Ordinal)
            .Replace("\"clientId\\\":\\\"insurer\\\"", "\"clientId\\\":\\\"readme-insurer\\\"", StringComparison.Ordinal)
            .Replace("--client ", "--client readme-", StringComparison.Ordinal);
        Assert.Contains("anchor-proof", commands);
        var folder = Directory.CreateTempSubdirectory("pmr-readme-").FullName;
        var start = new ProcessStartInfo("bash")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder
        };
        start.Environment["PMR_Url"] = gateway.Options.Url;
        start.Environment["PMR_DataFolder"] = gateway.Options.DataFolder;
        using var bash = Process.Start(start)!;
        await bash.StandardInput.WriteAsync("set -e\n" + commands);
        bash.StandardInput.Close();
        var (output, errors) = (await bash.StandardOutput.ReadToEndAsync(), await bash.StandardError.ReadToEndAsync());
        await bash.WaitForExitAsync();
        Directory.Delete(folder, recursive: true);
        Assert.True(bash.ExitCode == 0, output + errors);
        Assert.Matches("(?s)CapabilityStatement.*\"total\":1\n404\n.*confirmed.*\n200\n404\nok: DocumentReference", output);
    }

    private static string Here([CallerFilePath] string file = "") => file;

    [GeneratedRegex("<!-- commands: .*? -->\n```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CommandBlock();
}
