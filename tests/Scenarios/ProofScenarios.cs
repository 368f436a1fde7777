using System.Text;
using PmrGateway.Gateway.Cli;
using PmrGateway.LedgerAdapter;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

[Collection(GatewayCollection.Name)]
public sealed class ProofScenarios(RunningGateway gateway) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pmr-proof-").FullName;

    [Fact]
    public async Task A_proof_verifies_offline_against_the_record_and_against_the_chain()
    {
        var patient = await gateway.NewPatientAsync();
        var proof = await ProofAsync($"Patient/{patient}");
        var record = Write("record.json", (await gateway.Ehr.GetAsync($"Patient/{patient}")).Body);
        Assert.Equal(0, await VerifyCommand.RunAsync(Write("proof.json", proof), record, gateway.Service<AnvilNode>().Url, default));
    }

    [Fact]
    public async Task A_proof_or_record_with_one_bit_changed_does_not_verify()
    {
        var patient = await gateway.NewPatientAsync();
        var proof = Encoding.UTF8.GetString(await ProofAsync($"Patient/{patient}"));
        var record = (await gateway.Ehr.GetAsync($"Patient/{patient}")).Body;
        record[^3] ^= 1;
        Assert.Equal(
            1,
            await VerifyCommand.RunAsync(Write("proof.json", Encoding.UTF8.GetBytes(proof)), Write("record.json", record), null, default));
        foreach (var name in new[] { "root", "leaf", "cidDigest", "salt", "keyCommitment", "plaintextDigest" })
        {
            var at = proof.IndexOf($"\"name\":\"{name}\",\"valueString\":\"", StringComparison.Ordinal) + name.Length + 25;
            var changed = proof[..at] + (proof[at] == '0' ? '1' : '0') + proof[(at + 1)..];
            Assert.NotEqual(proof, changed);
            Assert.NotEqual(0, await VerifyCommand.RunAsync(
                Write("changed.json", Encoding.UTF8.GetBytes(changed)), null, gateway.Service<AnvilNode>().Url, default));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("not json")]
    [InlineData("{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"format\",\"valueString\":\"other\"}]}")]
    public async Task What_is_no_proof_is_told_apart_from_a_wrong_one(string content) =>
        Assert.Equal(2, await VerifyCommand.RunAsync(Write("proof.json", Encoding.UTF8.GetBytes(content)), null, null, default));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task<byte[]> ProofAsync(string reference)
    {
        var proof = await GatewayClient.UntilAsync(
            () => gateway.Ehr.GetAsync($"{reference}/$anchor-proof"), a => a.Text.Contains("\"block\"", StringComparison.Ordinal));
        Assert.Contains("\"block\"", proof.Text);
        return proof.Body;
    }

    private string Write(string name, byte[] content)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }
}
