using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>A gateway on files that were restored from a backup.</summary>
[Trait(TestStore.Trait, TestStore.Own)]
public class RestoreScenarios
{
    [Fact]
    public async Task A_revocation_that_was_acknowledged_after_the_backup_holds_when_database_and_chain_are_restored_from_it()
    {
        var gateway = new RunningGateway(new StoreOptions());
        await gateway.InitializeAsync();
        var backup = Directory.CreateTempSubdirectory("pmr-backup-").FullName;
        try
        {
            var patient = await gateway.NewPatientAsync();
            var consent = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
            Assert.Equal(200, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
            await gateway.StopAsync();
            Copy(gateway.Options.DataFolder, backup);

            await gateway.StartAsync();
            await LevelAsync();
            Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{consent}")).Status);
            Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
            await gateway.StopAsync();
            Restore();

            await gateway.StartAsync();
            await LevelAsync();
            Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
            var told = await GatewayClient.UntilAsync(
                () => gateway.Ehr.GetAsync($"Consent/{consent}/$ledger-status"),
                a => a.Text.Contains("\"block\"", StringComparison.Ordinal));
            Assert.Contains("revoked", told.Text);
            await gateway.StopAsync();

            // Without what lies beside the database, nobody would know.
            Restore();
            File.Delete(Path.Combine(gateway.Options.DataFolder, "gateway.revocations"));
            await gateway.StartAsync();
            await LevelAsync();
            Assert.Equal(200, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);

            Task LevelAsync() => GatewayClient.UntilAsync(() => gateway.Ehr.GetAsync($"Patient/{patient}"), a => a.Status == 200);
        }
        finally
        {
            await gateway.DisposeAsync();
            Directory.Delete(backup, recursive: true);
        }

        // What is beside the database is not of the backup.
        void Restore() => Copy(backup, gateway.Options.DataFolder);
    }

    private static void Copy(string from, string to)
    {
        foreach (var name in Directory.GetFiles(to, "*.db*")) File.Delete(name);
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }
    }
}
