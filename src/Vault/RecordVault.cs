using System.Security.Cryptography;
using System.Text;
using PmrGateway.Mapping;

namespace PmrGateway.Vault;

/// <summary>
/// The only code that holds keys and plaintext together. Sealing needs no leave; opening needs a <see cref="Permit"/> for the very
/// version, and only the consent decision can make one. A permit is the only place that type, id and version are taken from.
/// </summary>
public sealed class RecordVault(Keyring keyring)
{
    internal const int ContentSaltSize = 32;

    private readonly KeyBox _master = new(keyring.MasterKey);
    private readonly KeyBox _internal = new(keyring.Derive("internal"));

    /// <summary>A fresh subject key, wrapped by the master key.</summary>
    /// <param name="subject">Whose records it will seal: <c>Patient/id</c> or <c>Organization/id</c>.</param>
    public byte[] NewSubjectKey(string subject) => _master.Seal(Primitives.Random(Primitives.KeySize), Primitives.SubjectLabel(subject));

    /// <summary>A subject key ready for use: once a request is enough.</summary>
    /// <param name="subject">Whose it is.</param>
    /// <param name="wrapped">The key as <see cref="NewSubjectKey"/> made it.</param>
    /// <exception cref="SealBrokenException">The key is not of this keyring or not of this subject.</exception>
    public SubjectKey UnwrapSubjectKey(string subject, ReadOnlySpan<byte> wrapped)
    {
        Span<byte> key = stackalloc byte[Primitives.KeySize];
        _master.Open(wrapped, Primitives.SubjectLabel(subject), key);
        var unwrapped = new SubjectKey(subject, key);
        CryptographicOperations.ZeroMemory(key);
        return unwrapped;
    }

    /// <summary>Seals a record version that is in memory under its own fresh data key.</summary>
    /// <param name="plaintext">The bytes.</param>
    /// <param name="type">Resource type.</param>
    /// <param name="id">Logical id.</param>
    /// <param name="version">Version, from 1.</param>
    /// <param name="subject">Whose key wraps the data key.</param>
    public SealedBody Seal(ReadOnlySpan<byte> plaintext, string type, string id, long version, SubjectKey subject)
    {
        Span<byte> label = stackalloc byte[Primitives.MaxContext];
        label = label[..Primitives.WriteDataLabel(label, type, id, version)];
        // One draw for all that must be random: data key, nonce of its wrapping, salt of the content commitment; salt and prefix of the
        // body.
        Span<byte> random = stackalloc byte[Primitives.KeySize + Primitives.NonceSize + ContentSaltSize + BodyLayout.HeaderSize - 1];
        RandomNumberGenerator.Fill(random);
        var dataKey = random[..Primitives.KeySize];
        var nonce = random.Slice(Primitives.KeySize, Primitives.NonceSize);
        var contentSalt = random.Slice(Primitives.KeySize + Primitives.NonceSize, ContentSaltSize);

        var body = new byte[BodyLayout.SealedSize(plaintext.Length)];
        body[0] = BodyLayout.HeaderSize;
        random[^(BodyLayout.HeaderSize - 1)..].CopyTo(body.AsSpan(1));
        var digests = SealSegments(plaintext, body, dataKey, label[Primitives.DataLabelSize..]);
        var key = new SealedKey(
            subject.Box.Seal(nonce, dataKey, label), Primitives.KeyCommitment(dataKey), contentSalt.ToArray(), SHA256.HashData(plaintext));
        CryptographicOperations.ZeroMemory(dataKey);
        return new SealedBody(body, key, digests);
    }

    /// <summary>Begins to seal a body that streams in.</summary>
    /// <param name="type">Resource type.</param>
    /// <param name="id">Logical id.</param>
    /// <param name="version">Version, from 1.</param>
    /// <param name="sizeHint">How long it will be, where that is known; the buffer is sized by it.</param>
    public BodySealer BeginSeal(string type, string id, long version, long sizeHint = 0) => new(type, id, version, sizeHint);

    /// <summary>Opens a record version that is in memory.</summary>
    /// <param name="permit">Leave to open this version.</param>
    /// <param name="body">The sealed bytes.</param>
    /// <param name="key">What opens them.</param>
    /// <param name="subject">Whose key wraps the data key.</param>
    /// <exception cref="SealBrokenException">Any bit of the bytes, the keys or the commitments is not what was sealed.</exception>
    public byte[] Open(Permit permit, ReadOnlySpan<byte> body, SealedKey key, SubjectKey subject)
    {
        using var cipher = CipherFor(permit, body, key, subject);
        var plaintext = new byte[BodyLayout.PlaintextSize(body.Length)];
        var segments = BodyLayout.SegmentsOf(plaintext.Length);
        for (var i = 0; i < segments; i++)
        {
            var start = i * BodyLayout.SegmentSize;
            var segment = body[start..Math.Min(start + BodyLayout.SegmentSize, body.Length)];
            cipher.Open((uint)i, i == segments - 1, segment, plaintext.AsSpan((int)BodyLayout.OffsetOf(i)));
        }
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(plaintext, digest);
        return digest.SequenceEqual(key.PlaintextDigest)
            ? plaintext
            : throw new SealBrokenException("the plaintext is not the one that was committed to");
    }

    /// <summary>Begins to open a body that lies in segments.</summary>
    /// <param name="permit">Leave to open this version.</param>
    /// <param name="firstSegment">Segment 0, or at least its first 40 bytes.</param>
    /// <param name="sealedSize">Bytes of the whole sealed body.</param>
    /// <param name="key">What opens it.</param>
    /// <param name="subject">Whose key wraps the data key.</param>
    /// <exception cref="SealBrokenException">The keys or the header are not what was sealed, or no body has this size.</exception>
    public BodyOpener BeginOpen(Permit permit, ReadOnlySpan<byte> firstSegment, long sealedSize, SealedKey key, SubjectKey subject) =>
        new(CipherFor(permit, firstSegment, key, subject), key.PlaintextDigest, sealedSize);

    /// <summary>Seals the gateway's own small values (a segment's CID, a manifest), which are no records.</summary>
    /// <param name="plaintext">The value.</param>
    /// <param name="label">What it is; a value opens under its own label only.</param>
    public byte[] SealInternal(ReadOnlySpan<byte> plaintext, string label) => _internal.Seal(plaintext, Encoding.UTF8.GetBytes(label));

    private static SegmentCipher CipherFor(Permit permit, ReadOnlySpan<byte> header, SealedKey key, SubjectKey subject)
    {
        Span<byte> label = stackalloc byte[Primitives.MaxContext];
        label = label[..Primitives.WriteDataLabel(label, permit.Type, permit.Id, permit.Version)];
        Span<byte> dataKey = stackalloc byte[Primitives.KeySize];
        subject.Box.Open(key.WrappedKey, label, dataKey);
        if (!Primitives.KeyCommitment(dataKey).AsSpan().SequenceEqual(key.KeyCommitment))
            throw new SealBrokenException("the data key is not the one that was committed to");
        var cipher = new SegmentCipher(dataKey, label[Primitives.DataLabelSize..], header);
        CryptographicOperations.ZeroMemory(dataKey);
        return cipher;
    }

    private static byte[] SealSegments(
        ReadOnlySpan<byte> plaintext, Span<byte> body, ReadOnlySpan<byte> dataKey, ReadOnlySpan<byte> context)
    {
        using var cipher = new SegmentCipher(dataKey, context, body);
        var segments = BodyLayout.SegmentsOf(plaintext.Length);
        var digests = new byte[segments * SHA256.HashSizeInBytes];
        for (var i = 0; i < segments; i++)
        {
            var isLast = i == segments - 1;
            var text = plaintext[(int)BodyLayout.OffsetOf(i)..];
            if (!isLast) text = text[..BodyLayout.TextSize(i)];
            var segment = body.Slice(i * BodyLayout.SegmentSize, BodyLayout.TextStart(i) + text.Length + Primitives.TagSize);
            cipher.Seal((uint)i, isLast, text, segment.Slice(BodyLayout.TextStart(i), text.Length), segment[^Primitives.TagSize..]);
            SHA256.HashData(segment, digests.AsSpan(i * SHA256.HashSizeInBytes));
        }
        return digests;
    }
}
