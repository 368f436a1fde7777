using System.Collections.Concurrent;
using System.Data.Common;
using System.Text.Json;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>A row of consents.</summary>
internal sealed record ConsentRow(
    string Commitment, string ConsentId, string PatientId, byte[] Salt, byte[] Terms, string Giver, long Place, long? GrantedBlock,
    long Revoked, byte[]? Seal)
{
    public const string Columns =
        "k.commitment, k.consent_id, k.patient_id, k.salt, k.terms, k.giver, k.place, k.granted_block, k.revoked, k.seal";

    /// <summary>What is sealed of it.</summary>
    /// <param name="terms">Digest of salt and terms (<see cref="DigestOf"/>), where it is known.</param>
    public RowBytes Content(byte[] terms) => RowBytes.Of("consents").Text(Commitment).Text(ConsentId).Text(PatientId).Bytes(terms)
        .Text(Giver).Number(Place).Number(GrantedBlock).Number(Revoked);

    /// <summary>SHA-256 of salt and terms, byte for byte: the commitment rests on their meaning, in whole seconds.</summary>
    public byte[] DigestOf() => RowBytes.Of("terms").Bytes(Salt).Bytes(Terms).Digest;

    /// <summary>Reads a row. Terms are taken as bytes: they are compared more often than parsed.</summary>
    public static ConsentRow Read(DbDataReader r) => new(
        // SQLite lets a key of text be NULL.
        r.TextOrNull(0) ?? "", r.GetString(1), r.GetString(2), r.Bytes(3), r.Bytes(4), r.GetString(5), r.GetInt64(6), r.NumberOrNull(7),
        r.GetInt64(8), r.BytesOrNull(9));
}

/// <summary>What a row's terms say; they hash to its commitment.</summary>
/// <param name="Salt">Of the row that it was read from.</param>
/// <param name="Text">Likewise.</param>
/// <param name="Digest">Of both.</param>
/// <param name="Terms">The terms.</param>
/// <param name="Spans">The same by time.</param>
internal sealed record KnownTerms(byte[] Salt, byte[] Text, byte[] Digest, ConsentTerms Terms, IReadOnlyList<ConsentSpan> Spans)
{
    /// <summary>What they say at an instant; null: nothing.</summary>
    public TermsShape? At(long instant)
    {
        foreach (var span in Spans)
            if (span.From <= instant && instant < span.To) return span.Shape;
        return null;
    }

    public bool IsOf(ConsentRow row) => row.Terms.AsSpan().SequenceEqual(Text) && row.Salt.AsSpan().SequenceEqual(Salt);
}

/// <summary>A consent whose row and terms are what was sealed.</summary>
internal sealed record KnownConsent(ConsentRow Row, KnownTerms Said);

/// <summary>Holds rows of consents against their seals and their commitments, and keeps in memory what was parsed.</summary>
internal sealed class ConsentReading(RowSeals seals)
{
    private const int Capacity = 20_000;
    private readonly ConcurrentDictionary<string, KnownTerms> _terms = new(StringComparer.Ordinal);

    /// <summary>A row with what it says.</summary>
    /// <exception cref="RowBrokenException">It is not what was sealed, or its terms are not those of its commitment.</exception>
    public KnownConsent Read(ConsentRow row)
    {
        var known = _terms.GetValueOrDefault(row.Commitment) is { } kept && kept.IsOf(row) ? kept : null;
        var digest = known?.Digest ?? row.DigestOf();
        seals.Must(row.Content(digest), row.Seal, "consents", row.Commitment);
        if (known is null)
        {
            // Only now: what is not what was sealed need not even be JSON.
            var terms = JsonSerializer.Deserialize<ConsentTerms>(row.Terms)!;
            // Rows from before there were seals were sealed as they were found; the chain tells of their terms what they must be.
            seals.Must(
                Convert.ToHexStringLower(terms.Commit(row.Salt)) == row.Commitment && terms.Patient == row.PatientId, "consents",
                row.Commitment);
            known = new KnownTerms(row.Salt, row.Terms, digest, terms, ConsentSpan.Of(terms));
            if (_terms.Count >= Capacity) _terms.Clear();
            _terms[row.Commitment] = known;
        }
        return new KnownConsent(row, known);
    }

    /// <summary>Whether a row is what was sealed, whatever its terms say.</summary>
    public bool IsWhole(ConsentRow row) => seals.Check(row.Content(row.DigestOf()), row.Seal, "consents", row.Commitment);
}
