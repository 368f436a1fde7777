using System.Collections.Frozen;

namespace PmrGateway.Mapping;

/// <summary>
/// One name for each code system: a record's label and what a consent says of it are written by different systems, some of which have a
/// system by its OID, by the URI of an earlier release, or with a version. https://hl7.org/fhir/R4/terminologies-systems.html
/// </summary>
internal static class CodeSystems
{
    private static readonly FrozenDictionary<string, string> Names = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
    {
        ["urn:oid:2.16.840.1.113883.5.4"] = CodeHierarchy.Sensitivity,
        ["http://hl7.org/fhir/v3/ActCode"] = CodeHierarchy.Sensitivity,
        ["urn:oid:2.16.840.1.113883.5.8"] = CodeHierarchy.Purposes,
        ["http://hl7.org/fhir/v3/ActReason"] = CodeHierarchy.Purposes,
        ["urn:oid:2.16.840.1.113883.6.1"] = "http://loinc.org",
        ["http://www.loinc.org"] = "http://loinc.org",
        ["urn:oid:2.16.840.1.113883.6.96"] = "http://snomed.info/sct",
        ["http://snomed.info"] = "http://snomed.info/sct",
        ["urn:oid:2.16.840.1.113883.6.88"] = "http://www.nlm.nih.gov/research/umls/rxnorm",
        ["urn:oid:2.16.840.1.113883.6.3"] = "http://hl7.org/fhir/sid/icd-10",
        ["urn:oid:2.16.840.1.113883.6.90"] = "http://hl7.org/fhir/sid/icd-10-cm",
        ["urn:oid:2.16.840.1.113883.6.42"] = "http://hl7.org/fhir/sid/icd-9-cm",
        ["urn:oid:2.16.840.1.113883.6.73"] = "http://www.whocc.no/atc",
        ["urn:oid:2.16.840.1.113883.6.12"] = "http://www.ama-assn.org/go/cpt",
        ["urn:oid:2.16.840.1.113883.12.292"] = "http://hl7.org/fhir/sid/cvx",
        ["urn:oid:2.16.840.1.113883.6.69"] = "http://hl7.org/fhir/sid/ndc",
    }.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>A system under its one name, without a version: <c>http://loinc.org</c> for its OID. What is not known as it is.</summary>
    public static string Canonical(string system)
    {
        if (system.Length == 0) return "";
        var bar = system.IndexOf('|');
        var bare = (bar < 0 ? system : system[..bar]).TrimEnd('/');
        var plain = bare.StartsWith("https://", StringComparison.OrdinalIgnoreCase) ? "http://" + bare["https://".Length..] : bare;
        // An edition or a version of SNOMED CT (its URI standard, 2).
        if (plain.StartsWith("http://snomed.info/sct/", StringComparison.OrdinalIgnoreCase)) return "http://snomed.info/sct";
        if (Names.TryGetValue(plain, out var name)) return name;
        // One of those names itself, under https.
        return Names.Values.Contains(plain) || CodeHierarchy.IsLevels(plain) ? plain : bare;
    }

    /// <summary>A security label under the one name of its system. One that names none is of the sensitivities, where it is one.</summary>
    public static TermCode Security(string system, string code) =>
        new(system.Length == 0 && CodeHierarchy.IsSensitivity(code) ? CodeHierarchy.Sensitivity : Canonical(system), code);
}
