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
            var vault = new RecordVault(Keyring.Create(_folder["keyring.json"]));
            using var store = EmbeddedBlockStore.Open(_folder["blocks"]);
            var subjectKey = vault.NewSubjectKey("Patient/p");
            var other = vault.NewSubjectKey("Patient/q");
            PendingLeaf[] leaves =
            [
                Leaf(vault, plaintext, "p", subjectKey), Leaf(vault, plaintext, "q", other),
                Leaf(vault, plaintext, "p", subjectKey, version: 2),
            ];
            var batch = new AnchorBatch(Hospital, 7, leaves, AnchorLayout.New(leaves.Length, new AuditHead(5, Keccak256.Hash("head"))));
            sealedCid = (await new SegmentWriter(new UnixFs(store), vault).StoreAsync(batch, default)).SealedCid;
            root = MerkleTree.Root(batch.Layout.Tree([.. leaves.Select(l => l.Leaf.Hash)]));
        }

        var keyring = Keyring.Open(_folder["keyring.json"]);
        using var blocks = EmbeddedBlockStore.Open(_folder["blocks"]);
        var files = new UnixFs(blocks);
        // The chain says: custodian, number, root, sealed CID.
        Assert.True(Cid.TryRead(Open(keyring, sealedCid, $"pmr-segment-cid/1|{Hospital}|7"), out var cid));
        var segment = JsonDocument.Parse(Open(keyring, await ReadAsync(files, cid!), $"pmr-segment/4|{Hospital}|7")).RootElement;
        Assert.Equal("pmr-segment/4", segment.GetProperty("format").GetString());
        var keys = segment.GetProperty("subjectKeys").EnumerateArray().ToDictionary(
            k => k.GetProperty("subject").GetString()!, k => k.GetProperty("wrappedKey").GetBytesFromBase64());
        Assert.Equal(["Patient/p", "Patient/q"], keys.Keys);
        var records = segment.GetProperty("records").EnumerateArray().ToList();
        var layout = new AnchorLayout(
            [.. records.Select(r => r.GetProperty("leafIndex").GetInt32())], segment.GetProperty("padding").GetBytesFromBase64());
        Assert.Equal(root, MerkleTree.Root(layout.Tree([.. records.Select(r => LeafOf(r).Hash)])));

        // The log up to there, whatever a database says of it.
        var kept = segment.GetProperty("auditHead");
        var head = new AnchoredHead(
            new AuditHead(kept.GetProperty("seq").GetInt64(), kept.GetProperty("hash").GetBytesFromBase64()),
            kept.GetProperty("salt").GetBytesFromBase64(), kept.GetProperty("leafIndex").GetInt32());
        Assert.Equal((5L, Convert.ToHexString(Keccak256.Hash("head"))), (head.Head.Seq, Convert.ToHexString(head.Head.Hash)));
        Assert.Equal(head.Leaf, layout.Tree([.. records.Select(r => LeafOf(r).Hash)])[head.Place]);

        var record = records[0];
        string Text(string name) => record.GetProperty(name).GetString()!;
        Assert.True(Cid.TryParse(Text("cid"), out var body));
        var sealedKey = new SealedKey(
            record.GetProperty("wrappedKey").GetBytesFromBase64(),
            record.GetProperty("keyCommitment").GetBytesFromBase64(),
            record.GetProperty("salt").GetBytesFromBase64(),
            record.GetProperty("plaintextDigest").GetBytesFromBase64());
        // The patient reads their own record.
        var facts = new RecordFacts(Text("type"), Text("id"), Hospital, ["p"], []);
        var patient = new Requester("p", null, null, "p", true, []);
        var permit = ConsentDecision.Decide(patient, facts, record.GetProperty("version").GetInt64(), true, [], 0);
        var opener = new RecordVault(keyring);
        var subject = opener.UnwrapSubjectKey(Text("subject"), keys[Text("subject")]);
        Assert.Equal(plaintext, opener.Open(permit!, await ReadAsync(files, body!), sealedKey, subject));
    }

    public void Dispose() => _folder.Dispose();

    private static PendingLeaf Leaf(RecordVault vault, byte[] plaintext, string patient, byte[] subjectKey, long version = 1)
    {
        var subject = $"Patient/{patient}";
        var (body, key, leaves) = vault.Seal(plaintext, "Patient", patient, version, vault.UnwrapSubjectKey(subject, subjectKey));
        var cid = UnixFs.RootOf(leaves, body.Length);
        var leaf = new AnchorLeaf(cid.Digest.ToArray(), key.KeyCommitment, key.Salt, key.PlaintextDigest);
        return new PendingLeaf(
            0, "Patient", patient, version, leaf, cid.ToString(), key.WrappedKey, subject, subjectKey, body);
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

    private static byte[] Open(Keyring keyring, byte[] sealedBytes, string label)
    {
        var plaintext = new byte[sealedBytes.Length - Primitives.NonceSize - Primitives.TagSize];
        new KeyBox(keyring.Derive("internal")).Open(sealedBytes, Encoding.UTF8.GetBytes(label), plaintext);
        return plaintext;
    }

    private static Task<byte[]> ReadAsync(UnixFs files, Cid cid) => files.ReadAllAsync(cid, default);
}
