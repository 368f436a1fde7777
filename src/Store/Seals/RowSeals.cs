using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>Which columns of which rows are sealed, and what becomes of a row whose seal does not hold.</summary>
internal sealed class RowSeals(BrokenRows broken)
{
    /// <summary>The seal of a row that was broken before it was changed: it holds for nothing, so that no change makes a broken row whole.
    /// </summary>
    public static readonly byte[] Never = [];

    private volatile RowSeal? _seal;

    /// <summary>The rows that were found broken.</summary>
    public BrokenRows Broken => broken;

    private RowSeal Seal => _seal ?? throw new InvalidOperationException("rows are neither written nor believed before their key is known");

    /// <summary>Rows are sealed and held against their seals with this from here on.</summary>
    public void Use(RowSeal seal) => _seal = seal;

    public byte[] Of(RowBytes row) => Seal.Of(row);

    public bool Holds(RowBytes row, byte[]? seal) => Seal.Holds(row, seal);

    /// <summary>Whether a row's seal holds; where it does not, that is noted.</summary>
    public bool Check(RowBytes row, byte[]? seal, string table, string key)
    {
        var isWhole = Seal.Holds(row, seal);
        if (isWhole) broken.Remove(table, key);
        else broken.Add(table, key);
        return isWhole;
    }

    /// <summary>Stops at a row whose seal does not hold.</summary>
    /// <exception cref="RowBrokenException">It does not.</exception>
    public void Must(RowBytes row, byte[]? seal, string table, string key) => Must(Seal.Holds(row, seal), table, key);

    /// <summary>Stops at a row that is not what it must be.</summary>
    /// <exception cref="RowBrokenException">It is not.</exception>
    public void Must(bool isWhole, string table, string key)
    {
        if (!isWhole) throw broken.Add(table, key);
        broken.Remove(table, key);
    }

    /// <summary>Stops at a row of a record that is not what it must be; its key is put together where somebody is told of it.</summary>
    /// <exception cref="RowBrokenException">It is not.</exception>
    public void Must(bool isWhole, string table, string type, string id, long? version = null)
    {
        if (isWhole && !broken.Any) return;
        Must(isWhole, table, version is { } number ? $"{type}/{id}/{number}" : $"{type}/{id}");
    }

    // A record's row is written as often as the record: all that was ever written of it is one of its versions. The text of the labels is
    // sealed, not their number: what a number means is in the database too.
    public static RowBytes Resource(
        string type, string id, long version, long deleted, string author, string custodian, string patients, string ownPatients,
        string labels, long? from, long? to, byte[]? links) =>
        RowBytes.Of("resources").Text(type).Text(id).Number(version).Number(deleted).Text(author).Text(custodian).Text(patients)
            .Text(ownPatients).Text(labels).Number(from).Number(to).Bytes(links);

    public static RowBytes Version(
        string type, string id, long version, string author, string custodian, long deleted, string subject) =>
        RowBytes.Of("versions").Text(type).Text(id).Number(version).Text(author).Text(custodian).Number(deleted).Text(subject);

    public static RowBytes Actor(ActorRow a)
    {
        var row = RowBytes.Of("actors").Text(a.Reference).Text(a.ActorId).Number(a.Kind).Text(a.Hospital).Number(a.Suspended)
            .Number(a.ChainActive);
        // One of before there were contracts, or policies, keeps its seal.
        if (a is not { Role: null, Ends: null, GlassPolicy: null }) row = row.Text(a.Role).Number(a.Ends);
        return a.GlassPolicy is null ? row : row.Text(a.GlassPolicy);
    }

    public static RowBytes Binding(string client, string actorId) => RowBytes.Of("bindings").Text(client).Text(actorId);

    public static RowBytes Patient(PatientRow p) =>
        RowBytes.Of("patients").Text(p.Id).Text(p.PatientKey).Text(p.Custodian).Text(p.Controller);

    // What the chain's events are taken back to: applied, it becomes rows that are believed.
    public static RowBytes Undo(long block, string kind, string key, string? value) =>
        RowBytes.Of("chain_undo").Number(block).Text(kind).Text(key).Text(value);

    /// <summary>What ties a record to others, as the one value that its row holds.</summary>
    /// <param name="links">What it is tied to, as the database has it.</param>
    /// <param name="binaries">The Binaries that its attachments are.</param>
    public static byte[] Ties(IReadOnlyCollection<RecordLink> links, IReadOnlyCollection<string> binaries)
    {
        var row = RowBytes.Of("record_links").Number(links.Count);
        foreach (var link in links.OrderBy(l => l.Kind).ThenBy(l => l.Reference, StringComparer.Ordinal))
            row.Number((long)link.Kind).Text(link.Reference);
        foreach (var binary in binaries.Order(StringComparer.Ordinal)) row.Text(binary);
        return row.Digest;
    }
}
