using System.Text;
using System.Text.Json;
using PmrGateway.Gateway.Ledger;
using PmrGateway.Ipfs;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Vault;

namespace PmrGateway.Tests.Unit.Gateway;

public sealed class SegmentTests : IDisposable
{
    private const string Hospital = "Organization/h";
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task From_the_chain_the_blocks_and_the_keyring_alone_a_record_is_opened()
    {
        var plaintext = Encoding.UTF8.GetBytes("""{"resourceType":"Patient","id":"p"}""");
        byte[] sealedCid;
        byte[] root;
        {
            // A gateway seals and anchors, and its database is lost.
            var vault = new RecordVault(Keyring.OpenOrCreate(_folder["keyring.json"]));
            using var store = EmbeddedBlockStore.Open(_folder["blocks"]);
            var subjectKey = vault.NewSubjectKey("Patient/p");
            var other = vault.NewSubjectKey("Patient/q");
            PendingLeaf[] leaves =
            [
                Leaf(vault, plaintext, "p", subjectKey),
                Leaf(vault, plaintext, "q", other),
                Leaf(vault, plaintext, "p", subjectKey, version: 2),
            ];
            sealedCid =
                (await new SegmentWriter(new UnixFs(store), vault).StoreAsync(new AnchorBatch(Hospital, 7, leaves), default)).SealedCid;
            root = MerkleTree.Root([.. leaves.Select(l => l.Leaf.Hash)]);
        }

        var keyring = Keyring.OpenOrCreate(_folder["keyring.json"]);
        using var blocks = EmbeddedBlockStore.Open(_folder["blocks"]);
        var files = new UnixFs(blocks);
        // The chain says: custodian, number, root, sealed CID.
        Assert.True(Cid.TryRead(Open(keyring, sealedCid, $"pmr-segment-cid/1|{Hospital}|7"), out var cid));
        var segment = JsonDocument.Parse(Open(keyring, await ReadAsync(files, cid!), $"pmr-segment/2|{Hospital}|7")).RootElement;
        Assert.Equal("pmr-segment/2", segment.GetProperty("format").GetString());
        Assert.Equal(
            ["Patient/p", "Patient/q"],
            segment.GetProperty("subjectKeys").EnumerateArray().Select(k => k.GetProperty("subject").GetString()));
        var records = segment.GetProperty("records").EnumerateArray().ToList();
        Assert.Equal(root, MerkleTree.Root([.. records.Select(r => LeafOf(r).Hash)]));

        var record = records[0];
        var (type, id, subject) = (
            record.GetProperty("type").GetString()!, record.GetProperty("id").GetString()!, record.GetProperty("subject").GetString()!);
        var wrapped = segment.GetProperty("subjectKeys").EnumerateArray().Single(k => k.GetProperty("subject").GetString() == subject)
            .GetProperty("wrappedKey");
        Assert.True(Cid.TryParse(record.GetProperty("cid").GetString()!, out var body));
        var sealedBody = new SealedBody(
            await ReadAsync(files, body!),
            record.GetProperty("wrappedKey").GetBytesFromBase64(),
            record.GetProperty("keyCommitment").GetBytesFromBase64(),
            record.GetProperty("salt").GetBytesFromBase64(),
            record.GetProperty("plaintextDigest").GetBytesFromBase64());
        var version = record.GetProperty("version").GetInt64();
        // The patient reads their own record.
        var facts = new RecordFacts(type, id, Hospital, ["p"], []);
        var permit = ConsentDecision.Decide(new Requester("p", null, null, "p", true, []), facts, [], DateTimeOffset.UnixEpoch, 0);
        Assert.Equal(
            plaintext,
            new RecordVault(keyring).Open(permit!, sealedBody, version, subject, wrapped.GetBytesFromBase64()));
    }

    public void Dispose() => _folder.Dispose();

    private static PendingLeaf Leaf(RecordVault vault, byte[] plaintext, string patient, byte[] subjectKey, long version = 1)
    {
        var body = vault.Seal(plaintext, "Patient", patient, version, $"Patient/{patient}", subjectKey);
        var cid = UnixFs.Cut(body.Body, _ => { });
        var leaf = new AnchorLeaf(cid.Digest.ToArray(), body.KeyCommitment, body.Salt, body.PlaintextDigest);
        return new PendingLeaf(
            0,
            "Patient",
            patient,
            version,
            leaf,
            cid.ToString(),
            body.WrappedKey,
            $"Patient/{patient}",
            subjectKey,
            body.Body,
            DateTimeOffset.UnixEpoch);
    }

    private static AnchorLeaf LeafOf(JsonElement record)
    {
        Assert.True(Cid.TryParse(record.GetProperty("cid").GetString()!, out var cid));
        return new AnchorLeaf(
            cid!.Digest.ToArray(),
            record.GetProperty("keyCommitment").GetBytesFromBase64(),
            record.GetProperty("salt").GetBytesFromBase64(),
            record.GetProperty("plaintextDigest").GetBytesFromBase64());
    }

    private static byte[] Open(Keyring keyring, byte[] sealedBytes, string label) =>
        Primitives.Open(keyring.Derive("internal"), sealedBytes, Encoding.UTF8.GetBytes(label));

    private static async Task<byte[]> ReadAsync(UnixFs files, Cid cid)
    {
        using var all = new MemoryStream();
        await foreach (var leaf in files.ReadAsync(cid, default)) all.Write(leaf.Span);
        return all.ToArray();
    }
}
