using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>What a Reference points to, as far as the document tells. Nothing is fetched. https://hl7.org/fhir/R4/references.html</summary>
internal sealed class ReferenceRules(ValidationRun run)
{
    public void Check(ElementNode node, TypeReference type)
    {
        var stated = node["type"] is { Kind: JsonTokenType.String } t && !t.Text.Contains('/') ? t : (ElementNode?)null;
        if (stated is { } says && type.Targets.Count > 0 && run.Document.Schema.IsResourceType(says.Text) && !type.Targets.Contains(says.Text))
            run.Sink.Error(IssueCode.Structure, says, $"a reference to {says.Text} is not allowed here, only to {string.Join(", ", type.Targets)}", "type");
        if (node["reference"] is not { Kind: JsonTokenType.String } text) return;
        var reference = text.Text;
        var named = FhirReference.TypeNamed(reference);
        var target = Resolve(reference)?.Type?.Name ?? named;
        if (target is null) return;
        if (named is not null && named != target) run.Sink.Error(IssueCode.Structure, text, $"the reference names a {named}, what it points to is a {target}");
        if (type.Targets.Count > 0 && !type.Targets.Contains(target))
            run.Sink.Error(IssueCode.Structure, text, $"a reference to {target} is not allowed here, only to {string.Join(", ", type.Targets)}");
        if (stated is { } other && other.Text != target)
            run.Sink.Error(IssueCode.Structure, other, $"the reference points to {target}, its type says otherwise", "type");
    }

    /// <summary>A canonical that is known here names a resource of the kind that its place asks for.</summary>
    public void CheckCanonical(ElementNode node, TypeReference type)
    {
        if (type.Targets.Contains("ValueSet") || type.Targets.Contains("StructureDefinition")) return;
        var url = node.Text.Split('|')[0];
        var kind = run.Profiles.Terminology.ValueSet(url) is not null ? "ValueSet" : run.Document.Schema.TypeOfCanonical(url) is not null ? "StructureDefinition" : null;
        if (kind is not null) run.Sink.Error(IssueCode.Structure, node, $"{IssueSink.Shown(url)} is a {kind}, not one of {string.Join(", ", type.Targets)}");
    }

    /// <summary>The resource of this document that a reference names, or null.</summary>
    public ElementNode? Resolve(string reference) => ReferenceResolver.Find(run.Document, run.Root, reference);
}
