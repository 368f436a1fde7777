using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Ledger;

/// <summary>
/// Everything that it takes to check, without the gateway, that a record version is under an anchored root (docs/formats/anchor.md).
/// Travels as a Parameters resource. Hex without 0x.
/// </summary>
/// <param name="Resource">The version, <c>Type/id/_history/n</c>.</param>
/// <param name="Leaf">What the leaf commits to.</param>
/// <param name="Index">Place of the leaf.</param>
/// <param name="Count">Number of leaves.</param>
/// <param name="Path">Sibling hashes from the leaf up.</param>
/// <param name="Root">The root.</param>
/// <param name="Custodian">On-chain id of the custodian.</param>
/// <param name="Sequence">Number of the batch.</param>
/// <param name="ChainId">EIP-155 chain id.</param>
/// <param name="Contract">Address of the anchor registry.</param>
/// <param name="Transaction">Hash of the transaction, or null while it is not seen in a block.</param>
/// <param name="Block">Its block, or null.</param>
public sealed record AnchorProof(
    string Resource,
    AnchorLeaf Leaf,
    uint Index,
    uint Count,
    IReadOnlyList<byte[]> Path,
    byte[] Root,
    byte[] Custodian,
    long Sequence,
    long ChainId,
    byte[] Contract,
    string? Transaction,
    long? Block)
{
    /// <summary>Whether the leaf is under the root: the offline check.</summary>
    public bool Verifies => MerkleTree.Verify(Root, Count, Leaf.Hash, Index, Path);

    /// <summary>The proof as Parameters, JSON.</summary>
    public byte[] ToJson()
    {
        var parameters = new Hl7.Fhir.Model.Parameters();
        void Add(string name, string value) => parameters.Add(name, new Hl7.Fhir.Model.FhirString(value));
        void Hex(string name, byte[] value) => Add(name, Convert.ToHexStringLower(value));
        void Number(string name, long value) => parameters.Add(name, new Hl7.Fhir.Model.Integer((int)value));
        Add("format", "pmr-anchor-proof/1");
        Add("resource", Resource);
        Hex("cidDigest", Leaf.CidDigest);
        Hex("keyCommitment", Leaf.KeyCommitment);
        Hex("salt", Leaf.Salt);
        Hex("plaintextDigest", Leaf.PlaintextDigest);
        Hex("leaf", Leaf.Hash);
        Number("leafIndex", Index);
        Number("leafCount", Count);
        foreach (var sibling in Path) Hex("path", sibling);
        Hex("root", Root);
        Hex("custodian", Custodian);
        Number("sequence", Sequence);
        Number("chainId", ChainId);
        Hex("contract", Contract);
        if (Transaction is not null) Add("transaction", Transaction);
        if (Block is { } block) Number("block", block);
        return FhirTyped.ToJson(parameters);
    }

    /// <summary>Reads a proof; null with the reason where it is none.</summary>
    public static AnchorProof? TryRead(byte[] json, out string? problem)
    {
        problem = null;
        try
        {
            using var document = JsonDocument.Parse(json);
            var parameters = document.RootElement.GetProperty("parameter").EnumerateArray()
                .ToLookup(
                    p => p.GetProperty("name").GetString()!,
                    p => p.TryGetProperty("valueString", out var s) ? s.GetString()! : p.GetProperty("valueInteger").GetRawText());
            string Text(string name) => parameters[name].SingleOrDefault() ?? throw new FormatException($"'{name}' is missing");
            byte[] Hash(string name, int size = 32) => Bytes(name, Text(name), size);
            uint Number(string name) => uint.Parse(Text(name), System.Globalization.CultureInfo.InvariantCulture);
            if (Text("format") != "pmr-anchor-proof/1") throw new FormatException("the format is not pmr-anchor-proof/1");
            var leaf = new AnchorLeaf(Hash("cidDigest"), Hash("keyCommitment"), Hash("salt"), Hash("plaintextDigest"));
            if (!Hash("leaf").AsSpan().SequenceEqual(leaf.Hash)) throw new FormatException("'leaf' is not the hash of its parts");
            return new AnchorProof(
                Text("resource"), leaf, Number("leafIndex"), Number("leafCount"), [.. parameters["path"].Select(p => Bytes("path", p, 32))],
                Hash("root"), Hash("custodian"),
                Number("sequence"), Number("chainId"), Hash("contract", 20), parameters["transaction"].SingleOrDefault(),
                parameters["block"].SingleOrDefault() is { } block
                    ? long.Parse(block, System.Globalization.CultureInfo.InvariantCulture)
                    : null);
        }
        catch (Exception e) when (
            e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            problem = e is KeyNotFoundException or InvalidOperationException
                ? "it is not a Parameters resource with the parameters of a proof"
                : e.Message;
            return null;
        }
    }

    private static byte[] Bytes(string name, string hex, int size)
    {
        var bytes = Convert.FromHexString(hex);
        return bytes.Length == size ? bytes : throw new FormatException($"'{name}' has {bytes.Length} bytes, not {size}");
    }
}
