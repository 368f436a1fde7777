using System.Text;
using PmrGateway.Gateway.Cli;
using PmrGateway.Gateway.Ledger;
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

    [Fact]
    public async Task A_proof_tells_neither_how_many_records_were_written_nor_in_which_order()
    {
        var alone = await ProofAsync($"Patient/{await gateway.NewPatientAsync()}");
        Assert.Equal(0, await VerifyCommand.RunAsync(Write("alone.json", alone), null, null, default));
        Assert.Equal(16u, AnchorProof.TryRead(alone, out _)!.Count);

        // One commit, so one batch: of its ten leaves, their places would be ascending by chance once in millions of runs.
        var entries = Enumerable.Range(0, 10).Select(i => $$$"""
            {"resource":{"resourceType":"Location","name":"{{{i}}}"},"request":{"method":"POST","url":"Location"}}
            """);
        var done = await gateway.Ehr.PostAsync(
            "", $$"""{"resourceType":"Bundle","type":"transaction","entry":[{{string.Join(',', entries)}}]}""");
        Assert.True(done.Status == 200, done.Text);
        var proofs = new List<AnchorProof>();
        foreach (var entry in RunningGateway.Entries(done))
        {
            var location = entry.GetProperty("response").GetProperty("location").GetString()!.Split('/')[^3];
            proofs.Add(AnchorProof.TryRead(await ProofAsync($"Location/{location}"), out _)!);
        }
        Assert.Single(proofs.Select(p => (p.Sequence, p.Count)).Distinct());
        Assert.All(proofs, p => Assert.True(p.Verifies));
        Assert.Equal(10, proofs.Select(p => p.Index).Distinct().Count());
        Assert.NotEqual(proofs.Select(p => p.Index).Order(), proofs.Select(p => p.Index));
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
