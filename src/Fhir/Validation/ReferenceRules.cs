using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>What a Reference points to, as far as the document tells. Nothing is fetched. https://hl7.org/fhir/R4/references.html</summary>
internal sealed class ReferenceRules(ValidationRun run)
{
    public void Check(ElementNode node, TypeReference type)
    {
        var stated = node["type"] is { Kind: JsonTokenType.String } t && !t.Text.Contains('/') ? t : (ElementNode?)null;
        if (stated is { } says && type.Targets.Count > 0 && run.Document.Schema.IsResourceType(says.Text)
            && !type.Targets.Contains(says.Text))
            run.Sink.Error(IssueCode.Structure, says, NotAllowed(says.Text, type), "type");
        if (node["reference"] is not { Kind: JsonTokenType.String } text) return;
        var reference = text.Text;
        if (IsRelative(reference) && !FhirReference.TryParse(reference, out _))
        {
            run.Sink.Error(IssueCode.Value, text, "a relative reference is of the form Type/id", "reference");
            return;
        }
        var named = FhirReference.TypeNamed(reference);
        var target = Resolve(reference)?.Type?.Name ?? named;
        if (target is null) return;
        if (named is not null && named != target)
            run.Sink.Error(IssueCode.Structure, text, $"the reference names a {named}, what it points to is a {target}");
        if (type.Targets.Count > 0 && !type.Targets.Contains(target)) run.Sink.Error(IssueCode.Structure, text, NotAllowed(target, type));
        if (stated is { } other && other.Text != target)
            run.Sink.Error(IssueCode.Structure, other, $"the reference points to {target}, its type says otherwise", "type");
    }

    /// <summary>
    /// A canonical that is known here names a resource of the kind that its place asks for; one that is a fragment names a contained
    /// resource. https://hl7.org/fhir/R4/references.html#canonical
    /// </summary>
    public void CheckCanonical(ElementNode node, TypeReference type)
    {
        var url = node.Text;
        if (url.StartsWith('#')) CheckFragment(node, url, type);
        if (type.Targets.Count == 0 || type.Targets.Contains("ValueSet") || type.Targets.Contains("StructureDefinition")) return;
        url = url.Split('|')[0];
        var kind = run.Profiles.Terminology.ValueSet(url) is not null ? "ValueSet"
            : run.Document.Schema.TypeOfCanonical(url) is not null ? "StructureDefinition" : null;
        if (kind is not null)
            run.Sink.Error(IssueCode.Structure, node, $"{IssueSink.Shown(url)} is a {kind}, not one of {string.Join(", ", type.Targets)}");
    }

    private void CheckFragment(ElementNode node, string fragment, TypeReference type)
    {
        if (fragment.Length == 1) return;
        // Examples of 4.0.1 itself leave out what they would contain.
        if (Resolve(fragment)?.Type is not { } found)
            run.Sink.Warning(IssueCode.NotFound, node, $"nothing is contained that {IssueSink.Shown(fragment)} could mean");
        else if (type.Targets.Count > 0 && !type.Targets.Contains(found.Name))
            run.Sink.Error(IssueCode.Structure, node, NotAllowed(found.Name, type));
    }

    private static string NotAllowed(string target, TypeReference type) =>
        $"a reference to {target} is not allowed here, only to {string.Join(", ", type.Targets)}";

    // Neither absolute nor a fragment nor conditional. https://hl7.org/fhir/R4/references.html#literal
    private static bool IsRelative(string reference) =>
        reference.Length > 0 && reference[0] != '#' && reference.AsSpan().IndexOfAny(':', '?') < 0;

    /// <summary>The resource of this document that a reference names, or null.</summary>
    public ElementNode? Resolve(string reference) => ReferenceResolver.Find(run.Document, run.Root, reference);
}
