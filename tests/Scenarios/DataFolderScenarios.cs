using System.Text.Json;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

public class DataFolderScenarios
{
    [Fact]
    public async Task A_second_gateway_on_a_data_folder_ends_with_a_message_and_leaves_the_first_one_and_its_chain_alone()
    {
        var folder = Directory.CreateTempSubdirectory("pmr-lock-").FullName;
        var store = TestStore.Settings(await TestStore.NewAsync());
        using var http = new HttpClient();
        try
        {
            await using (var first = await GatewayProcess.StartAsync(folder, ["--url", NewUrl(), .. store]))
            {
                var chain = await ChainAsync(folder);
                var (exit, _, error) = await GatewayProcess.RunAsync(["serve", "--data", folder, "--url", NewUrl(), .. store]);
                Assert.Equal(1, exit);
                Assert.Equal($"pmr: the data folder {folder} is in use: another gateway runs on it (DataFolder, --data)", error.Trim());
                Assert.Equal(chain, await ChainAsync(folder));
                Assert.False(System.Diagnostics.Process.GetProcessById(chain).HasExited);
                Assert.Equal("ok", await HealthAsync(http, first.Url));
                // Killed, it gives the folder back as well.
                first.Process.Kill();
                await first.Process.WaitForExitAsync();
            }
            await using var second = await GatewayProcess.StartAsync(folder, ["--url", NewUrl(), .. store]);
            Assert.Equal("ok", await HealthAsync(http, second.Url));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task An_operators_key_that_others_may_read_is_not_started_with()
    {
        var folder = Directory.CreateTempSubdirectory("pmr-rights-").FullName;
        try
        {
            var key = Path.Combine(folder, "operator.jwk");
            await File.WriteAllTextAsync(key, "{}");
            File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
            var store = TestStore.Settings(await TestStore.NewAsync());
            var (exit, _, error) = await GatewayProcess.RunAsync(["serve", "--data", folder, "--url", NewUrl(), .. store]);
            Assert.Equal(1, exit);
            Assert.Contains($"the operator's key {key} may be read or written by others: its mode must be 0600", error);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string NewUrl() => $"http://127.0.0.1:{GatewayProcess.FreePort()}";

    private static async Task<int> ChainAsync(string folder) =>
        int.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "chain", "anvil.pid")));

    // At first the chain was not looked at yet.
    private static async Task<string?> HealthAsync(HttpClient http, string url)
    {
        var answer =
            await GatewayClient.UntilAsync(() => new GatewayClient(http, url).GetAsync(url + "/health", "*/*"), a => a.Status == 200);
        return JsonDocument.Parse(answer.Body).RootElement.GetProperty("status").GetString();
    }
}
