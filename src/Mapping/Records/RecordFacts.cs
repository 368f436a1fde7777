namespace PmrGateway.Mapping;

/// <summary>What a consent can name a record by.</summary>
public enum LabelKind
{
    /// <summary>What class of record: its resource type, a document's type and category.</summary>
    Class,

    /// <summary>What it is about: its code.</summary>
    Code,

    /// <summary>A security label in its meta.</summary>
    Security,
}

/// <summary>One label of a record.</summary>
/// <param name="Kind">What kind.</param>
/// <param name="System">The coding's system, "" where there is none.</param>
/// <param name="Code">The code.</param>
public readonly record struct RecordLabel(LabelKind Kind, string System, string Code);

/// <summary>All that the consent decision knows of a record: no content.</summary>
/// <param name="Type">Resource type.</param>
/// <param name="Id">Logical id.</param>
/// <param name="Custodian">The hospital that wrote it, as <c>Organization/id</c>; "" for the operator's directory entries.</param>
/// <param name="Patients">Ids of the patients in whose compartments it is.</param>
/// <param name="Labels">Its labels.</param>
public sealed record RecordFacts(string Type, string Id, string Custodian, IReadOnlyList<string> Patients,
    IReadOnlyList<RecordLabel> Labels);

/// <summary>Resource types that belong to no patient and that every registered actor may read: who works where.</summary>
public static class DirectoryTypes
{
    private static readonly HashSet<string> Names = [
        "Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService", "Endpoint"
    ];

    /// <summary>All of them, sorted.</summary>
    public static IEnumerable<string> All => Names.Order(StringComparer.Ordinal);

    /// <summary>Whether a type is one of them.</summary>
    public static bool Contains(string type) => Names.Contains(type);
}
