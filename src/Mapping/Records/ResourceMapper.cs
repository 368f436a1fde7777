using System.Text.Json;
using PmrGateway.Fhir;

namespace PmrGateway.Mapping;

/// <summary>An attachment that was inside a resource and becomes a Binary of its own.</summary>
/// <param name="Id">The Binary's id.</param>
/// <param name="ContentType">MIME type.</param>
/// <param name="Content">The bytes; null where they were cut out while they streamed in (<see cref="CutData"/>).</param>
public sealed record AttachmentDraft(string Id, string ContentType, byte[]? Content);

/// <summary>A resource ready to be sealed, with everything that the gateway knows of it in clear.</summary>
/// <param name="Json">The resource with id and meta, attachments replaced by Binary URLs.</param>
/// <param name="Facts">What the consent decision will know of it.</param>
/// <param name="Index">Its search values.</param>
/// <param name="Attachments">The Binaries split off.</param>
/// <param name="LinkedBinaries">Ids of Binaries already on the server that its attachments point to.</param>
/// <param name="Mentions">Patients of whom its parts tell: where they are known here, it concerns them too.</param>
public sealed record ResourceDraft(
    byte[] Json, RecordFacts Facts, IReadOnlyList<IndexEntry> Index, IReadOnlyList<AttachmentDraft> Attachments,
    IReadOnlyList<string> LinkedBinaries, IReadOnlyList<PatientMention> Mentions);

/// <summary>
/// What a validated resource means to the gateway: patients, labels, search values, attachments. Pure: same input, same draft.
/// </summary>
/// <param name="schema">The definitions.</param>
/// <param name="limits">Sizes that a resource may have; <see cref="ResourceLimits.Default"/> when null.</param>
public sealed class ResourceMapper(FhirSchema schema, ResourceLimits? limits = null)
{
    // meta with its two instants, and a url, size and hash for each data: what the gateway adds must not break the sender's limit.
    private const int AddedNodes = 8;
    private const int AddedNodesOfAttachment = 3;

    // Dates of a person's life, and until when something may be used, are not the time that a record is about.
    private static readonly HashSet<string> OtherDates = ["birthdate", "death-date", "expiration-date"];

    private readonly SearchIndexer _indexer = new(schema);

    // Of what is inside a record only the dates count.
    private readonly SearchIndexer _dates = new(schema, IsTime);
    private readonly CompartmentResolver _compartments = new(schema);

    /// <summary>The search values that resources have.</summary>
    public SearchIndexer Indexer => _indexer;

    /// <summary>Maps a validated resource in one pass of edits: attachments, own references, id and meta.</summary>
    /// <param name="document">The resource as it came.</param>
    /// <param name="id">Its logical id.</param>
    /// <param name="version">Its version, from 1.</param>
    /// <param name="lastUpdated">The instant for meta.lastUpdated.</param>
    /// <param name="origin">Who sends it.</param>
    /// <param name="scene">What the mapping needs from outside.</param>
    /// <param name="issues">What is wrong with its attachments, when the result is null.</param>
    public ResourceDraft? Map(
        ResourceDocument document, string id, long version, DateTimeOffset lastUpdated, RecordOrigin origin, MappingScene scene,
        out List<ValidationIssue> issues)
    {
        var edits = new JsonEdits(document);
        var splitter = new AttachmentSplitter(schema, limits, edits, scene);
        // A document Bundle is signed as a whole: it stays as it is. A Binary is its own content.
        if (document.ResourceType is not ("Binary" or "Bundle"))
            splitter.Split(document.Root, document.ResourceType, document.ResourceType);
        issues = splitter.Issues;
        if (issues.Count > 0) return null;
        if (document.ResourceType != "Bundle") MakeLocal(document.Root, edits, scene.OwnBase, splitter.Removed);

        var json = edits.ApplyUnder(id, version.ToString(System.Globalization.CultureInfo.InvariantCulture), lastUpdated);
        var final = Reparse(json, splitter.Attachments.Count);
        var index = _indexer.Index(final);
        var reader = Reader(scene);
        reader.Read(final, index.Where(e => !OtherDates.Contains(e.Parameter)));
        reader.AddWriters(origin.Writers);
        foreach (var (binary, inside) in splitter.Enclosed) reader.ReadEnclosed(inside, binary);
        if (Unread(reader, document.ResourceType) is { } unread)
        {
            issues.Add(unread);
            return null;
        }
        // Those of the compartments first: the first is whose key seals it. A Consent is its patient's, whoever else is named in it.
        var patients = _compartments.PatientsOf(final).Union(document.ResourceType == "Consent" ? [] : reader.Patients);
        var facts = new RecordFacts(document.ResourceType, id, origin.Custodian, [.. patients], reader.Labels)
        {
            Author = origin.Author,
            Details = reader.Details,
        };
        return new ResourceDraft(
            json, facts, index, splitter.Attachments, splitter.Linked, reader.Mentions);
    }

    /// <summary>Maps a Binary that is sent on its own. What links to it decides about it; a resource that it is counts besides.</summary>
    /// <param name="own">What is known of it without its content.</param>
    /// <param name="contentType">Its media type.</param>
    /// <param name="content">Its bytes; null: longer than can be read, or nothing that begins like a resource.</param>
    /// <param name="scene">What the mapping needs from outside.</param>
    /// <param name="issues">What is wrong with its content, when the result is null.</param>
    public ResourceDraft? MapBinary(
        RecordFacts own, string contentType, ReadOnlyMemory<byte>? content, MappingScene scene, out List<ValidationIssue> issues)
    {
        issues = [];
        var inside = EnclosedResource.Read(contentType, content, limits, out var problem);
        if (problem is not null) issues.Add(new ValidationIssue(IssueSeverity.Error, IssueCode.NotSupported, "Binary.data", problem));
        if (inside is null) return problem is null ? new ResourceDraft([], own, [], [], [], []) : null;
        var reader = Reader(scene);
        reader.ReadEnclosed(inside, own.Id);
        if (Unread(reader, "Binary.data") is { } unread) issues.Add(unread);
        if (issues.Count > 0) return null;
        var facts = own with { Labels = [.. own.Labels.Union(reader.Labels)], Details = reader.Details };
        return new ResourceDraft([], facts, [], [], [], reader.Mentions);
    }

    private FactsReader Reader(MappingScene scene) =>
        new(_dates.Index, limits, scene.FindCut, scene.OwnBase);

    private static bool IsTime(SearchParameterSpec parameter) => parameter.Type == "date" && !OtherDates.Contains(parameter.Code);

    private static ValidationIssue? Unread(FactsReader reader, string path)
    {
        var problem = reader.IsTooMuch ? "it names more codes, references or patients than can be kept" : reader.Problem;
        return problem is null ? null : new ValidationIssue(IssueSeverity.Error, IssueCode.NotSupported, path, problem);
    }

    // A reference by this server's own URL is one to this server: as such it counts for compartments and consent.
    private static void MakeLocal(ElementNode node, JsonEdits edits, string ownBase, HashSet<int> removed)
    {
        foreach (var child in node)
        {
            if (removed.Contains(child.Start)) continue;
            if (child.Kind is JsonTokenType.StartObject or JsonTokenType.StartArray) MakeLocal(child, edits, ownBase, removed);
            else if (child is { Name: "reference", Kind: JsonTokenType.String })
            {
                var (text, local) = (child.Text, FhirReference.Local(child.Text, ownBase));
                if (local != text) edits.ReplaceString(child, local);
            }
        }
    }

    private ResourceDocument Reparse(byte[] json, int attachments)
    {
        var sizes = limits ?? ResourceLimits.Default;
        sizes = sizes with { MaxNodes = sizes.MaxNodes + AddedNodes + (AddedNodesOfAttachment * attachments) };
        return ResourceDocument.TryParse(json, out var document, out var issue, sizes)
            ? document!
            : throw new InvalidOperationException("the gateway wrote a resource that does not parse: " + issue!.Text);
    }
}
