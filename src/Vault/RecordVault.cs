using System.Security.Cryptography;
using PmrGateway.Mapping;

namespace PmrGateway.Vault;

/// <summary>A record version's bytes sealed, with what it takes to open and to anchor them (docs/formats/envelope.md).</summary>
/// <param name="Body">The sealed bytes.</param>
/// <param name="WrappedKey">The data key under the subject key, 60 bytes.</param>
/// <param name="KeyCommitment">32 bytes.</param>
/// <param name="Salt">Salt of the content commitment, 32 random bytes.</param>
/// <param name="PlaintextDigest">SHA-256 of the plaintext.</param>
public sealed record SealedBody(byte[] Body, byte[] WrappedKey, byte[] KeyCommitment, byte[] Salt, byte[] PlaintextDigest);

/// <summary>
/// The only code that holds keys and plaintext together. Sealing needs no leave; opening needs a <see cref="Permit"/> for the very
/// record, and only the consent decision can make one.
/// </summary>
public sealed class RecordVault(Keyring keyring)
{
    /// <summary>A fresh subject key, wrapped by the master key.</summary>
    /// <param name="subject">Whose records it will seal: <c>Patient/id</c> or <c>Organization/id</c>.</param>
    public byte[] NewSubjectKey(string subject) => Primitives.Seal(keyring.MasterKey, Primitives.Random(Primitives.KeySize), Primitives.SubjectLabel(subject));

    /// <summary>Seals a record version under its own fresh data key.</summary>
    /// <param name="plaintext">The bytes.</param>
    /// <param name="type">Resource type.</param>
    /// <param name="id">Logical id.</param>
    /// <param name="version">Version, from 1.</param>
    /// <param name="subject">Whose key wraps the data key.</param>
    /// <param name="wrappedSubjectKey">That key, as <see cref="NewSubjectKey"/> made it.</param>
    /// <exception cref="SealBrokenException">The subject key is not of this keyring or not of this subject.</exception>
    public SealedBody Seal(ReadOnlySpan<byte> plaintext, string type, string id, long version, string subject, byte[] wrappedSubjectKey)
    {
        var context = Context(type, id, version);
        var dataKey = Primitives.Random(Primitives.KeySize);
        var body = StreamingBody.Seal(dataKey, context, plaintext, Primitives.Random(Primitives.KeySize), Primitives.Random(Primitives.PrefixSize));
        var subjectKey = Primitives.Open(keyring.MasterKey, wrappedSubjectKey, Primitives.SubjectLabel(subject));
        return new SealedBody(
            body,
            Primitives.Seal(subjectKey, dataKey, Primitives.DataLabel(context)),
            Primitives.KeyCommitment(dataKey),
            Primitives.Random(32),
            SHA256.HashData(plaintext));
    }

    /// <summary>Opens a record version.</summary>
    /// <param name="permit">Leave to open this record.</param>
    /// <param name="sealedBody">The sealed bytes and their keys.</param>
    /// <param name="subject">Whose key wraps the data key.</param>
    /// <param name="wrappedSubjectKey">That key.</param>
    /// <exception cref="SealBrokenException">Any bit of the bytes, the keys or the commitments is not what was sealed.</exception>
    public byte[] Open(Permit permit, SealedBody sealedBody, string subject, byte[] wrappedSubjectKey)
    {
        // The context comes from the permit, so a permit for one record cannot open the bytes of another.
        var context = Context(permit.Type, permit.Id, permit.Version);
        var subjectKey = Primitives.Open(keyring.MasterKey, wrappedSubjectKey, Primitives.SubjectLabel(subject));
        var dataKey = Primitives.Open(subjectKey, sealedBody.WrappedKey, Primitives.DataLabel(context));
        if (!Primitives.KeyCommitment(dataKey).AsSpan().SequenceEqual(sealedBody.KeyCommitment))
            throw new SealBrokenException("the data key is not the one that was committed to");
        var plaintext = StreamingBody.Open(dataKey, context, sealedBody.Body);
        if (!SHA256.HashData(plaintext).AsSpan().SequenceEqual(sealedBody.PlaintextDigest))
            throw new SealBrokenException("the plaintext is not the one that was committed to");
        return plaintext;
    }

    /// <summary>Seals the gateway's own small values (a segment's CID, a manifest), which are no records.</summary>
    /// <param name="plaintext">The value.</param>
    /// <param name="label">What it is; a value opens under its own label only.</param>
    public byte[] SealInternal(ReadOnlySpan<byte> plaintext, string label) =>
        Primitives.Seal(keyring.Derive("internal"), plaintext, System.Text.Encoding.UTF8.GetBytes(label));

    private static string Context(string type, string id, long version) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"pmr/1|{type}/{id}|{version}");
}
