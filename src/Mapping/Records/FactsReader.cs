using System.Text.Json;
using PmrGateway.Fhir;

namespace PmrGateway.Mapping;

/// <summary>Who sends a record.</summary>
/// <param name="Custodian">The hospital that keeps it, as <c>Organization/id</c>.</param>
/// <param name="Author">As whom it is written (<see cref="Requester.Author"/>).</param>
/// <param name="Writers">The references of who sends it: the organization, the practitioner.</param>
public sealed record RecordOrigin(string Custodian, string Author, IReadOnlyList<string> Writers);

/// <summary>A patient of whom a part of a record tells, under a name that need not be known here.</summary>
/// <param name="Id">The logical id that a document refers to; null: told by an identifier.</param>
/// <param name="System">The identifier's system, "" where there is none.</param>
/// <param name="Value">Its value.</param>
public readonly record struct PatientMention(string? Id, string System, string Value);

/// <summary>
/// Reads what decides access to a record out of all that is in it: the resource, what it contains, the entries of a document, down to
/// labels of single elements. What is said of a part closes the whole, since a record is shown whole or not at all.
/// </summary>
/// <param name="dates">Finds search values, dates among them, of what is enclosed.</param>
/// <param name="limits">Sizes that a resource may have.</param>
/// <param name="findCut">What was cut out under a token while the record streamed in.</param>
/// <param name="ownBase">This server's own FHIR base URL: references under it are references to records here.</param>
internal sealed class FactsReader(
    Func<ResourceDocument, IEnumerable<IndexEntry>> dates, ResourceLimits? limits, Func<string, CutData?> findCut, string ownBase)
{
    // A record with more has labels by the thousand, each of which every consent would have to be asked about.
    private const int MaxLabels = 4096;
    private const int MaxMentions = 256;

    // What says of which kind a resource is: of these its class is, and what it is about.
    private static readonly HashSet<string> Kinds = new(StringComparer.Ordinal) { "type", "category", "class", "format" };

    // What says what it is about.
    private static readonly HashSet<string> Subjects = new(StringComparer.Ordinal)
    {
        "code", "vaccineCode", "medicationCodeableConcept", "itemCodeableConcept", "productCodeableConcept", "serviceType", "specialty",
        "event", "practiceSetting", "facilityType", "reasonCode", "procedureCodeableConcept", "diagnosisCodeableConcept", "substance",
        "productOrService",
    };

    // Who wrote it, as R4's resources call them. https://hl7.org/fhir/R4/fivews.html (FiveWs.author, FiveWs.recorder)
    private static readonly HashSet<string> Authors = new(StringComparer.Ordinal)
    {
        "author", "recorder", "performer", "asserter", "requester", "authenticator", "attester", "sender", "informationSource", "source",
    };

    private readonly HashSet<RecordLabel> _labels = [];
    private readonly HashSet<string> _patients = new(StringComparer.Ordinal);
    private readonly HashSet<RecordLink> _links = [];
    private readonly HashSet<PatientMention> _mentions = [];
    private bool _isConsent;
    private bool _isEnclosed;
    private DateTimeOffset? _from;
    private DateTimeOffset? _to;

    /// <summary>The patients of this server that it refers to.</summary>
    public IEnumerable<string> Patients => _patients;

    /// <summary>The labels.</summary>
    public IReadOnlyList<RecordLabel> Labels => [.. _labels];

    /// <summary>The copies of patients in it, and whom a document refers to.</summary>
    public IReadOnlyList<PatientMention> Mentions => [.. _mentions];

    /// <summary>Whether it says more than can be decided about.</summary>
    public bool IsTooMuch => _labels.Count > MaxLabels || _mentions.Count > MaxMentions || _links.Count > MaxLabels;

    /// <summary>Why what is enclosed cannot be read to its end; null: it can.</summary>
    public string? Problem { get; private set; }

    /// <summary>Its time and links.</summary>
    public RecordDetails Details => new(_from, _to, [.. _links]);

    /// <summary>Reads the record itself.</summary>
    /// <param name="document">As it will be kept.</param>
    /// <param name="index">Its search values, with all dates.</param>
    public void Read(ResourceDocument document, IEnumerable<IndexEntry> index)
    {
        _isConsent = document.ResourceType == "Consent";
        Walk(document.Root, isInner: false);
        Span(index);
        if (!_isConsent || document.Root["provision"] is not { } provision) return;
        // A denial is not for whom it denies: only a grantee is told.
        if (provision.StringAt("type") != "permit") return;
        foreach (var actor in provision.ItemsAt("actor"))
            if (actor["reference"]?.StringAt("reference") is { } grantee)
                _links.Add(new RecordLink(LinkKind.Grants, grantee));
    }

    /// <summary>Reads a document that the record carries as its content.</summary>
    /// <param name="document">What it carries.</param>
    /// <param name="binary">Id of the Binary that keeps it.</param>
    public void ReadEnclosed(ResourceDocument document, string binary)
    {
        _isEnclosed = true;
        _links.Add(new RecordLink(LinkKind.Encloses, "Binary/" + binary));
        ReadEnclosed(document);
        _isEnclosed = false;
    }

    private void ReadEnclosed(ResourceDocument document)
    {
        Walk(document.Root, isInner: true);
        if (document.ResourceType != "Bundle") Span(dates(document));
        foreach (var entry in document.Root.ItemsAt("entry"))
            if (entry["resource"] is { Kind: JsonTokenType.StartObject } && entry.StringAt("fullUrl") is { } url) Refer(url, isInner: true);
    }

    // Content of what is enclosed is enclosed too, and so is that of a contained Binary; each level is shorter than the one around it by a
    // third. Of the record itself all other content was split off.
    private void ReadContent(ElementNode holder, string data)
    {
        // What was split off is no more here: content under another name is neither kept nor read.
        if (!_isEnclosed && data.Length == CutData.TokenSize && findCut(data) is not null)
        {
            Problem ??= "content this large is sent as an attachment or as a Binary of its own";
            return;
        }
        var bytes = new byte[data.Length / 4 * 3 + 3];
        ReadOnlyMemory<byte>? content = Convert.TryFromBase64String(data, bytes, out var length) ? bytes.AsMemory(0, length) : null;
        var inside = EnclosedResource.Read(holder.StringAt("contentType") ?? "", content, limits, out var problem);
        Problem ??= problem;
        if (inside is null) return;
        var wasEnclosed = _isEnclosed;
        _isEnclosed = true;
        ReadEnclosed(inside);
        _isEnclosed = wasEnclosed;
    }

    /// <summary>Who sent it, besides whom it names.</summary>
    public void AddWriters(IEnumerable<string> writers)
    {
        foreach (var writer in writers) _links.Add(new RecordLink(LinkKind.WrittenBy, writer));
    }

    private void Span(IEnumerable<IndexEntry> index)
    {
        foreach (var entry in index)
        {
            if (entry.Type != "date") continue;
            if (_from is null || entry.From < _from) _from = entry.From;
            if (_to is null || entry.To > _to) _to = entry.To;
        }
    }

    private void Walk(ElementNode resource, bool isInner)
    {
        var type = resource.StringAt("resourceType") ?? "";
        _labels.Add(RecordLabel.OfType(type, isInner));
        if (resource["meta"] is { } meta)
            foreach (var coding in meta.ItemsAt("security")) AddSecurity(coding, isInner);
        // Of a DocumentReference, and of a Composition: there too a sender says how secret it is.
        foreach (var concept in resource.ItemsAt("securityLabel"))
            foreach (var coding in concept.ItemsAt("coding")) AddSecurity(coding, isInner);
        if (resource.StringAt("confidentiality") is { } secrecy) Add(LabelKind.Security, CodeHierarchy.Confidentiality, secrecy, isInner);
        if (isInner && type == "Patient") Mention(resource);
        WalkElements(resource, isInner, isTop: true);
    }

    private void Mention(ElementNode patient)
    {
        if (_isEnclosed && patient.StringAt("id") is { } id) _mentions.Add(new PatientMention(id, "", ""));
        foreach (var identifier in patient.ItemsAt("identifier")) MentionBy(identifier);
    }

    // A value without a system is anybody's.
    private void MentionBy(ElementNode identifier)
    {
        if (identifier.StringAt("value") is { } value && identifier.StringAt("system") is { } system)
            _mentions.Add(new PatientMention(null, system, value));
    }

    // A type that is not understood may be any.
    private static bool IsOther(string? type)
    {
        const string Definitions = "http://hl7.org/fhir/StructureDefinition/";
        if (type?.StartsWith(Definitions, StringComparison.Ordinal) == true) type = type[Definitions.Length..];
        return type is not (null or "Patient") && FhirSchema.R4.IsResourceType(type);
    }

    // Whether something is a reference to a patient, by its identifier perhaps. https://hl7.org/fhir/R4/references.html#logical
    private bool MayBePatient(ElementNode node)
    {
        if (node.Property is { Type: { Name: not "Reference" } } || (node.Property is null && !_isEnclosed)) return false;
        if (node["resourceType"] is not null || IsOther(node.StringAt("type"))) return false;
        if (node.StringAt("reference") is { } reference)
        {
            // It says who it is by its id, which counts already; what another server calls so may be anybody here.
            if (IsOther(FhirReference.TypeNamed(reference))) return false;
            if (!_isEnclosed && FhirReference.TryParse(FhirReference.Local(reference, ownBase), out _)) return false;
        }
        var targets = node.Property?.Type.Targets ?? [];
        return targets.Count == 0 || targets.Contains("Patient") || targets.Contains("Resource");
    }

    private void WalkElements(ElementNode node, bool isInner, bool isTop)
    {
        foreach (var child in node) WalkValue(child, child.Name!, node, isInner, isTop);
    }

    // What is enclosed was not validated: an array may stand anywhere.
    private void WalkValue(ElementNode value, string name, ElementNode parent, bool isInner, bool isTop)
    {
        if (value.Kind == JsonTokenType.StartArray)
            foreach (var item in value) WalkValue(item, name, parent, isInner, isTop);
        else WalkElement(value, name, parent, isInner, isTop);
    }

    private void WalkElement(ElementNode node, string name, ElementNode parent, bool isInner, bool isTop)
    {
        if (node.Kind == JsonTokenType.String)
        {
            if (name == "reference") Refer(node.Text, isInner);
            else if (name is "data" or "valueBase64Binary") ReadContent(parent, node.Text);
            else if (_isEnclosed && name == "confidentiality") Add(LabelKind.Security, CodeHierarchy.Confidentiality, node.Text, isInner);
            return;
        }
        if (node.Kind != JsonTokenType.StartObject) return;
        if (name is "resource" or "contained" && node["resourceType"] is not null)
        {
            Walk(node, isInner: true);
            Span(dates(node.Document.Part(node)));
            return;
        }
        if (name == "extension") AddInline(node);
        // Of a Consent its patient alone is concerned, and it says who that is.
        if (name == "identifier" && (isInner || !_isConsent) && MayBePatient(parent)) MentionBy(node);
        // Wherever in what was not validated it says so: labels of a part only close.
        if (_isEnclosed && name is ("security" or "securityLabel")) AddSecurities(node);
        // A code anywhere is one that a denial may name. A quantity's is its unit.
        if (node.StringAt("system") is { } system && node.StringAt("code") is { } anyCode && node["value"] is null)
            Add(LabelKind.Code, system, anyCode, isInner: true);
        // Elements of the resource and of its parts; inside a datatype (the type of an identifier) it is about that.
        if (isTop || parent.Type?.Kind == TypeKind.Backbone) AddKinds(node, name, isInner || !isTop);
        if (isTop && Authors.Contains(name)) AddAuthor(node, isInner);
        WalkElements(node, isInner, isTop: false);
    }

    private void AddKinds(ElementNode node, string name, bool isInner)
    {
        var isKind = Kinds.Contains(name);
        if (!isKind && !Subjects.Contains(name)) return;
        foreach (var coding in node["coding"] is null ? [node] : node.ItemsAt("coding"))
        {
            if (coding.StringAt("code") is not { } code) continue;
            var system = coding.StringAt("system") ?? "";
            if (isKind) Add(LabelKind.Class, system, code, isInner);
            Add(LabelKind.Code, system, code, isInner);
        }
    }

    // A label of one element. http://hl7.org/fhir/uv/security-label-ds4p, extension-inline-sec-label
    private void AddInline(ElementNode extension)
    {
        if (extension.StringAt("url") is not { } url) return;
        if (!url.Contains("sec-label", StringComparison.Ordinal) && !url.Contains("security-label", StringComparison.Ordinal)) return;
        if (extension["valueCoding"] is { } coding) AddSecurity(coding, isInner: true);
        foreach (var one in extension["valueCodeableConcept"]?.ItemsAt("coding") ?? []) AddSecurity(one, isInner: true);
    }

    private void AddAuthor(ElementNode node, bool isInner)
    {
        // A performer or attester may be a part with an actor or party.
        var reference = node.StringAt("reference") ?? node["actor"]?.StringAt("reference") ?? node["party"]?.StringAt("reference");
        if (reference is null || !FhirReference.TryParse(FhirReference.Local(reference, ownBase), out var author)) return;
        _links.Add(new RecordLink(isInner ? LinkKind.PartWrittenBy : LinkKind.WrittenBy, $"{author.Type}/{author.Id}"));
    }

    private void Refer(string text, bool isInner)
    {
        if (!FhirReference.TryParse(FhirReference.Local(text, ownBase), out var target)) return;
        // A document's references are to its own entries first, or to the server that it came from.
        if (target.Type == "Patient" && _isEnclosed) _mentions.Add(new PatientMention(target.Id, "", ""));
        else if (target.Type == "Patient") _patients.Add(target.Id);
        _links.Add(new RecordLink(isInner ? LinkKind.PartRefersTo : LinkKind.RefersTo, $"{target.Type}/{target.Id}"));
    }

    private void AddSecurities(ElementNode node)
    {
        AddSecurity(node, isInner: true);
        foreach (var coding in node.ItemsAt("coding")) AddSecurity(coding, isInner: true);
    }

    private void AddSecurity(ElementNode coding, bool isInner)
    {
        if (coding.StringAt("code") is { } code) Add(LabelKind.Security, coding.StringAt("system") ?? "", code, isInner);
    }

    private void Add(LabelKind kind, string system, string code, bool isInner) =>
        _labels.Add(new RecordLabel(kind, system, code, isInner));
}
