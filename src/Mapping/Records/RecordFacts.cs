namespace PmrGateway.Mapping;

/// <summary>What a consent can name a record by.</summary>
public enum LabelKind
{
    /// <summary>What class of record: its resource type, type, category and class.</summary>
    Class,

    /// <summary>What it is about: its code, type and category.</summary>
    Code,

    /// <summary>A security label, wherever in the record it stands.</summary>
    Security,
}

/// <summary>One label of a record.</summary>
/// <param name="Kind">What kind.</param>
/// <param name="System">The coding's system, "" where there is none.</param>
/// <param name="Code">The code.</param>
/// <param name="IsInner">Whether it is said of a part of the record only: such a label can close the record, and opens nothing.</param>
public readonly record struct RecordLabel(LabelKind Kind, string System, string Code, bool IsInner = false)
{
    /// <summary>
    /// The system of resource types, which are a class of record each. https://hl7.org/fhir/R4/codesystem-resource-types.html
    /// </summary>
    public const string ResourceTypes = "http://hl7.org/fhir/resource-types";

    /// <summary>The label that every resource has by its type.</summary>
    /// <param name="type">The resource type.</param>
    /// <param name="isInner">Whether it is one inside a record.</param>
    public static RecordLabel OfType(string type, bool isInner = false) => new(LabelKind.Class, ResourceTypes, type, isInner);
}

/// <summary>How a record can be named by a consent's <c>provision.data</c>.</summary>
public enum LinkKind
{
    /// <summary>It is the resource named; a Binary is also what links to it.</summary>
    Is,

    /// <summary>It refers to the resource named.</summary>
    RefersTo,

    /// <summary>The one named wrote it: an author that the record names, or the organization or practitioner that sent it.</summary>
    WrittenBy,

    /// <summary>The one named wrote a part of it.</summary>
    PartWrittenBy,

    /// <summary>The resource named refers to it.</summary>
    ReferredBy,

    /// <summary>It is a Consent that permits the one named something.</summary>
    Grants,

    /// <summary>The Binary named is a FHIR resource that counts as a part of it.</summary>
    Encloses,

    /// <summary>A part of it refers to the resource named.</summary>
    PartRefersTo,
}

/// <summary>What ties a record to another resource.</summary>
/// <param name="Kind">How.</param>
/// <param name="Reference">The other, <c>Type/id</c>.</param>
public readonly record struct RecordLink(LinkKind Kind, string Reference);

/// <summary>What a consent may ask of a record itself, besides its labels.</summary>
/// <param name="From">First instant of the time that it is about; null: it names none.</param>
/// <param name="To">Instant behind the last.</param>
/// <param name="Links">What it is tied to. That a record is itself goes without saying.</param>
public sealed record RecordDetails(DateTimeOffset? From, DateTimeOffset? To, IReadOnlyList<RecordLink> Links)
{
    /// <summary>Of no time, and tied to nothing.</summary>
    public static RecordDetails None { get; } = new(null, null, []);
}

/// <summary>All that the consent decision knows of a record: no content.</summary>
/// <param name="Type">Resource type.</param>
/// <param name="Id">Logical id.</param>
/// <param name="Custodian">The hospital that keeps it, as <c>Organization/id</c>; <c>Operator</c> for directory entries.</param>
/// <param name="Patients">Ids of the patients whom it concerns: of its compartments, and all that it refers to.</param>
/// <param name="Labels">Its labels.</param>
public sealed record RecordFacts(string Type, string Id, string Custodian, IReadOnlyList<string> Patients,
    IReadOnlyList<RecordLabel> Labels)
{
    /// <summary>Who wrote this version (<see cref="Requester.Author"/>); "": not known, and nobody's.</summary>
    public string Author { get; init; } = "";

    /// <summary>
    /// Ids of further patients, of whom it holds a copy: they are asked too. It is not in their compartments, and whoever writes it is not
    /// told that they are known.
    /// </summary>
    public IReadOnlyList<string> Others { get; init; } = [];

    /// <summary>What a consent may ask of it besides.</summary>
    public RecordDetails Details { get; init; } = RecordDetails.None;
}

/// <summary>Resource types that belong to no patient and that every registered actor may read: who works where.</summary>
public static class DirectoryTypes
{
    /// <summary>Why some things are not in them.</summary>
    public const string ForAll = "an entry of the directory is read by every registered actor";

    private static readonly HashSet<string> Names = [
        "Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService", "Endpoint"
    ];

    /// <summary>All of them, sorted.</summary>
    public static IEnumerable<string> All => Names.Order(StringComparer.Ordinal);

    /// <summary>Whether a type is one of them.</summary>
    public static bool Contains(string type) => Names.Contains(type);

    /// <summary>Why an entry is none that everybody may read; null: it is.</summary>
    /// <param name="entry">What decides access to it.</param>
    /// <param name="mentions">Patients that it may tell of.</param>
    public static string? Refusal(RecordFacts entry, IReadOnlyList<PatientMention> mentions)
    {
        if (entry.Patients.Count > 0 || entry.Others.Count > 0 || mentions.Count > 0)
            return $"{ForAll}: it names no patient";
        if (entry.Labels.Any(l => l.Kind == LabelKind.Security)) return $"{ForAll}: it has no security label";
        return entry.Labels.Any(l => l is { Kind: LabelKind.Class, IsInner: true, System: RecordLabel.ResourceTypes }
            && !Contains(l.Code))
            ? $"{ForAll}: it contains entries of the directory alone"
            : null;
    }
}
