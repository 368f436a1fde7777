using System.Collections.Frozen;

namespace PmrGateway.Mapping;

/// <summary>
/// One name for each code system: a record's label and what a consent says of it are written by different systems, some of which have a
/// system by its OID, by the URI of an earlier release, or with a version. They are kept as they were written, and compared under the one
/// name. https://hl7.org/fhir/R4/terminologies-systems.html
/// </summary>
internal static class CodeSystems
{
    private const string Snomed = "http://snomed.info/sct";

    private static readonly string[] Known =
    [
        CodeHierarchy.Confidentiality, CodeHierarchy.Sensitivity, CodeHierarchy.Purposes, Snomed, "http://loinc.org",
        "http://www.nlm.nih.gov/research/umls/rxnorm", "http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm",
        "http://hl7.org/fhir/sid/icd-9-cm", "http://www.whocc.no/atc", "http://www.ama-assn.org/go/cpt", "http://hl7.org/fhir/sid/cvx",
        "http://hl7.org/fhir/sid/ndc", RecordLabel.ResourceTypes,
    ];

    private static readonly FrozenDictionary<string, string> Names = new Dictionary<string, string>
    {
        ["urn:oid:2.16.840.1.113883.5.25"] = CodeHierarchy.Confidentiality,
        ["http://hl7.org/fhir/v3/Confidentiality"] = CodeHierarchy.Confidentiality,
        ["urn:oid:2.16.840.1.113883.5.4"] = CodeHierarchy.Sensitivity,
        ["http://hl7.org/fhir/v3/ActCode"] = CodeHierarchy.Sensitivity,
        ["urn:oid:2.16.840.1.113883.5.8"] = CodeHierarchy.Purposes,
        ["http://hl7.org/fhir/v3/ActReason"] = CodeHierarchy.Purposes,
        ["urn:oid:2.16.840.1.113883.6.1"] = "http://loinc.org",
        ["http://www.loinc.org"] = "http://loinc.org",
        ["urn:oid:2.16.840.1.113883.6.96"] = Snomed,
        ["http://snomed.info"] = Snomed,
        ["urn:oid:2.16.840.1.113883.6.88"] = "http://www.nlm.nih.gov/research/umls/rxnorm",
        ["urn:oid:2.16.840.1.113883.6.3"] = "http://hl7.org/fhir/sid/icd-10",
        ["urn:oid:2.16.840.1.113883.6.90"] = "http://hl7.org/fhir/sid/icd-10-cm",
        ["urn:oid:2.16.840.1.113883.6.42"] = "http://hl7.org/fhir/sid/icd-9-cm",
        ["urn:oid:2.16.840.1.113883.6.73"] = "http://www.whocc.no/atc",
        ["urn:oid:2.16.840.1.113883.6.12"] = "http://www.ama-assn.org/go/cpt",
        ["urn:oid:2.16.840.1.113883.12.292"] = "http://hl7.org/fhir/sid/cvx",
        ["urn:oid:2.16.840.1.113883.6.69"] = "http://hl7.org/fhir/sid/ndc",
    }.Concat(Known.Select(k => KeyValuePair.Create(k, k))).ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether two names are of one system.</summary>
    public static bool AreSame(string a, string b) => a == b || Canonical(a) == Canonical(b);

    /// <summary>A system under its one name, without a version: <c>http://loinc.org</c> for its OID. What is not known as it is.</summary>
    public static string Canonical(string system)
    {
        if (system.Length == 0) return "";
        var bar = system.IndexOf('|', StringComparison.Ordinal);
        var bare = (bar < 0 ? system : system[..bar]).TrimEnd('/');
        var plain = bare.StartsWith("https://", StringComparison.OrdinalIgnoreCase) ? "http://" + bare["https://".Length..] : bare;
        // An edition or a version of SNOMED CT (its URI standard, 2).
        if (plain.StartsWith(Snomed + "/", StringComparison.OrdinalIgnoreCase)) return Snomed;
        return Names.GetValueOrDefault(plain, bare);
    }
}
