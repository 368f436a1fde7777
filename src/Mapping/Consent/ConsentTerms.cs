using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Serialization;

namespace PmrGateway.Mapping;

/// <summary>A coding that a provision names.</summary>
/// <param name="System">The system, "" where there is none.</param>
/// <param name="Code">The code.</param>
public readonly record struct TermCode(string System, string Code);

/// <summary>How <c>provision.data</c> names data. https://hl7.org/fhir/R4/valueset-consent-data-meaning.html</summary>
public enum DataMeaning
{
    /// <summary>The resource itself.</summary>
    Instance,

    /// <summary>The resource, what it refers to, and what refers to it.</summary>
    Related,

    /// <summary>The resource and what refers to it.</summary>
    Dependents,

    /// <summary>What the one named wrote.</summary>
    AuthoredBy,
}

/// <summary>Data that a provision names.</summary>
/// <param name="Meaning">How.</param>
/// <param name="Reference">The resource, <c>Type/id</c>.</param>
public readonly record struct DataReference(DataMeaning Meaning, string Reference)
{
    /// <summary>The code of the meaning.</summary>
    [JsonIgnore]
    public string Code => Meaning switch
    {
        DataMeaning.Instance => "instance",
        DataMeaning.Related => "related",
        DataMeaning.Dependents => "dependents",
        _ => "authoredby",
    };
}

/// <summary>The time that data is about.</summary>
/// <param name="From">First instant.</param>
/// <param name="To">Instant behind the last.</param>
public readonly record struct DataPeriod(DateTimeOffset From, DateTimeOffset To);

/// <summary>What is done with a record. https://terminology.hl7.org/CodeSystem-consentaction.html</summary>
public enum DataAction
{
    /// <summary>Read: <c>access</c> and <c>use</c>.</summary>
    Read,

    /// <summary>Written about the patient: <c>collect</c> and <c>correct</c>.</summary>
    Write,
}

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
    IReadOnlyList<TermCode> SecurityLabels)
{
    /// <summary>What is controlled; empty: everything.</summary>
    public IReadOnlyList<DataAction> Actions { get; init; } = [];

    /// <summary>The time that the data is about; null: any.</summary>
    public DataPeriod? DataPeriod { get; init; }

    /// <summary>The data named; empty: any.</summary>
    public IReadOnlyList<DataReference> Data { get; init; } = [];

    internal bool IsSecondEdition => Actions.Count > 0 || DataPeriod is not null || Data.Count > 0;
}

/// <summary>
/// What a patient agreed to: the outer provision permits (or denies), each exception says the opposite for what it matches inside it.
/// </summary>
/// <param name="Patient">The patient's id.</param>
/// <param name="Permits">Whether the outer provision permits.</param>
/// <param name="Root">The outer provision.</param>
/// <param name="Exceptions">The provisions nested in it.</param>
public sealed record ConsentTerms(string Patient, bool Permits, Provision Root, IReadOnlyList<Provision> Exceptions)
{
    /// <summary>Whether it denies anything: to end it may open what it denied.</summary>
    public bool Denies => !Permits || Exceptions.Count > 0;

    /// <summary>Whether it permits anything: to end it closes what it permitted.</summary>
    public bool Opens => Permits || Exceptions.Count > 0;

    /// <summary>The canonical bytes (docs/formats/consent-terms.md): one encoding for one meaning, lists sorted.</summary>
    public byte[] Encode()
    {
        using var bytes = new MemoryStream();
        // What the first edition can say keeps its bytes, and its commitments.
        var isSecond = Root.IsSecondEdition || Exceptions.Any(e => e.IsSecondEdition);
        Text(bytes, isSecond ? "pmr/2 terms" : "pmr/1 terms");
        Text(bytes, Patient);
        bytes.WriteByte(Permits ? (byte)1 : (byte)0);
        Write(bytes, Root, isSecond);
        Number(bytes, Exceptions.Count);
        foreach (var exception in Exceptions) Write(bytes, exception, isSecond);
        return bytes.ToArray();
    }

    /// <summary>keccak256(0x02 || salt || canonical bytes): all that the chain sees of the terms.</summary>
    /// <param name="salt">32 random bytes.</param>
    public byte[] Commit(byte[] salt) => Keccak256.Hash([2], salt, Encode());

    private static void Write(MemoryStream to, Provision provision, bool isSecond)
    {
        Number(to, provision.From.ToUnixTimeSeconds());
        Number(to, provision.To.ToUnixTimeSeconds());
        Texts(to, provision.Actors);
        Texts(to, provision.Purposes);
        foreach (var codes in (ReadOnlySpan<IReadOnlyList<TermCode>>)[provision.Classes, provision.Codes, provision.SecurityLabels])
            Texts(to, [.. codes.Select(c => c.System + "|" + c.Code)]);
        if (!isSecond) return;
        Texts(to, [.. provision.Actions.Select(a => a == DataAction.Read ? "read" : "write").Distinct()]);
        Texts(to, [.. provision.Data.Select(d => d.Code + "|" + d.Reference).Distinct()]);
        to.WriteByte(provision.DataPeriod is null ? (byte)0 : (byte)1);
        if (provision.DataPeriod is not { } period) return;
        Number(to, period.From.ToUnixTimeSeconds());
        Number(to, period.To.ToUnixTimeSeconds());
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
