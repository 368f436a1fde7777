using System.Buffers.Binary;
using System.Text;

namespace PmrGateway.Mapping;

/// <summary>A coding that a provision names.</summary>
/// <param name="System">The system, "" where there is none.</param>
/// <param name="Code">The code.</param>
public readonly record struct TermCode(string System, string Code);

/// <summary>
/// One provision: it matches a request when each list that is not empty holds something of the request's or the record's (Consent
/// semantics: AND between elements, OR inside one).
/// </summary>
/// <param name="From">First instant at which it counts.</param>
/// <param name="To">Instant behind the last.</param>
/// <param name="Actors">References of the grantees, <c>Type/id</c>; empty: anyone.</param>
/// <param name="Purposes">Purpose-of-use codes; empty: any.</param>
/// <param name="Classes">Classes of record; empty: any.</param>
/// <param name="Codes">Codes of record; empty: any.</param>
/// <param name="SecurityLabels">Security labels; empty: any.</param>
public sealed record Provision(
    DateTimeOffset From,
    DateTimeOffset To,
    IReadOnlyList<string> Actors,
    IReadOnlyList<string> Purposes,
    IReadOnlyList<TermCode> Classes,
    IReadOnlyList<TermCode> Codes,
    IReadOnlyList<TermCode> SecurityLabels);

/// <summary>
/// What a patient agreed to: the outer provision permits (or denies), each exception says the opposite for what it matches inside it.
/// </summary>
/// <param name="Patient">The patient's id.</param>
/// <param name="Permits">Whether the outer provision permits.</param>
/// <param name="Root">The outer provision.</param>
/// <param name="Exceptions">The provisions nested in it.</param>
public sealed record ConsentTerms(string Patient, bool Permits, Provision Root, IReadOnlyList<Provision> Exceptions)
{
    /// <summary>The canonical bytes (docs/formats/consent-terms.md): one encoding for one meaning, lists sorted.</summary>
    public byte[] Encode()
    {
        using var bytes = new MemoryStream();
        Text(bytes, "pmr/1 terms");
        Text(bytes, Patient);
        bytes.WriteByte(Permits ? (byte)1 : (byte)0);
        Write(bytes, Root);
        Number(bytes, Exceptions.Count);
        foreach (var exception in Exceptions) Write(bytes, exception);
        return bytes.ToArray();
    }

    /// <summary>keccak256(0x02 || salt || canonical bytes): all that the chain sees of the terms.</summary>
    /// <param name="salt">32 random bytes.</param>
    public byte[] Commit(byte[] salt) => Keccak256.Hash([2], salt, Encode());

    private static void Write(MemoryStream to, Provision provision)
    {
        Number(to, provision.From.ToUnixTimeSeconds());
        Number(to, provision.To.ToUnixTimeSeconds());
        Texts(to, provision.Actors);
        Texts(to, provision.Purposes);
        foreach (var codes in (ReadOnlySpan<IReadOnlyList<TermCode>>)[provision.Classes, provision.Codes, provision.SecurityLabels])
            Texts(to, [.. codes.Select(c => c.System + "|" + c.Code)]);
    }

    private static void Texts(MemoryStream to, IReadOnlyList<string> texts)
    {
        Number(to, texts.Count);
        foreach (var text in texts.Order(StringComparer.Ordinal)) Text(to, text);
    }

    private static void Text(MemoryStream to, string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        Number(to, utf8.Length);
        to.Write(utf8);
    }

    private static void Number(MemoryStream to, long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        to.Write(bytes);
    }
}
