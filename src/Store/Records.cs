using PmrGateway.Fhir;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>A version to be committed, or as it was: sealed, with what it takes to open and to anchor it.</summary>
/// <param name="Facts">What the consent decision knows of it.</param>
/// <param name="Version">Version, from 1.</param>
/// <param name="LastUpdated">When it was made.</param>
/// <param name="IsDeleted">Whether it is a deletion, which has no bytes.</param>
/// <param name="Subject">Whose key wraps the data key.</param>
/// <param name="Body">The sealed bytes; null where only the block store has them, and for a deletion.</param>
/// <param name="Cid">CID of the sealed bytes; "" for a deletion.</param>
/// <param name="WrappedKey">The data key under the subject key.</param>
/// <param name="KeyCommitment">Commitment to the data key.</param>
/// <param name="Salt">Salt of the content commitment.</param>
/// <param name="Digest">SHA-256 of the plaintext.</param>
/// <param name="ContentType">MIME type of a Binary's content, else null.</param>
public sealed record StoredVersion(
    RecordFacts Facts,
    long Version,
    DateTimeOffset LastUpdated,
    bool IsDeleted,
    string Subject,
    byte[]? Body,
    string Cid,
    byte[] WrappedKey,
    byte[] KeyCommitment,
    byte[] Salt,
    byte[] Digest,
    string? ContentType)
{
    /// <summary>Of a Binary: the patient that it was sent for, by its own securityContext; null: none.</summary>
    public string? SentFor { get; init; }

    /// <summary>A version without bytes that ends the resource.</summary>
    public static StoredVersion Deletion(RecordFacts facts, long version, DateTimeOffset when) =>
        new(facts, version, when, true, "", null, "", [], [], [], [], null);
}

/// <summary>One version in a commit, with its search values.</summary>
/// <param name="Version">The version.</param>
/// <param name="Index">Its search values; none for a deletion.</param>
/// <param name="LinkedBinaries">Ids of the Binaries that its attachments are: they take over its patients and labels, and end with
/// it.</param>
public sealed record VersionWrite(StoredVersion Version, IReadOnlyList<IndexEntry> Index, IReadOnlyList<string> LinkedBinaries);
