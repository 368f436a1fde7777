using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// A document: its Composition comes first, everything that it names is in it, and nothing else is.
/// https://hl7.org/fhir/R4/documents.html#content
/// </summary>
internal sealed class DocumentRules(ValidationRun run, ElementNode bundle)
{
    private static readonly string[] Named = ["subject", "encounter", "author", "custodian"];

    public void Check(ElementNode? first)
    {
        if (first is not { } composition || composition.Type?.Name != "Composition")
        {
            run.Sink.Error(IssueCode.Structure, bundle, "the first entry of a document is its Composition", "entry[0].resource");
            return;
        }
        foreach (var name in Named)
            foreach (var reference in composition.ItemsAt(name)) Inside(composition, reference, name);
        foreach (var attester in composition.ItemsAt("attester"))
            foreach (var party in attester.ItemsAt("party")) Inside(composition, party, "attester.party");
        Sections(composition, composition);
        Reach();
    }

    private void Sections(ElementNode composition, ElementNode holder)
    {
        foreach (var section in holder.ItemsAt("section"))
        {
            foreach (var entry in section.ItemsAt("entry")) Inside(composition, entry, "section.entry");
            foreach (var author in section.ItemsAt("author")) Inside(composition, author, "section.author");
            Sections(composition, section);
        }
    }

    private void Inside(ElementNode composition, ElementNode reference, string name)
    {
        if (reference.StringAt("reference") is not { } text || text.StartsWith('#') || text.Contains('?')) return;
        if (ReferenceResolver.InBundle(bundle, Item.OfNode(composition), text) is not null) return;
        var finding = $"the document does not hold what its Composition names: {IssueSink.Shown(text)}";
        run.Sink.Error(IssueCode.NotFound, reference, finding, "entry[0].resource." + name);
    }

    // What the Composition leads to, by links in either direction: a Provenance names what it is of. A stylesheet is named by nobody.
    private void Reach()
    {
        List<(ElementNode Resource, int Entry)> resources = [];
        foreach (var (i, entry) in bundle.ItemsAt("entry").Index())
            if (entry["resource"] is { Kind: JsonTokenType.StartObject } resource) resources.Add((resource, i));
        var places = resources.Index().ToDictionary(r => r.Item.Resource.Index, r => r.Index);
        var links = resources.ConvertAll(_ => new List<int>());
        foreach (var (i, (resource, _)) in resources.Index())
        {
            foreach (var target in Targets(resource))
            {
                if (!places.TryGetValue(target.Index, out var to) || to == i) continue;
                links[i].Add(to);
                links[to].Add(i);
            }
        }
        var reached = new bool[resources.Count];
        var open = new Stack<int>([0]);
        while (open.TryPop(out var at))
        {
            if (reached[at]) continue;
            reached[at] = true;
            foreach (var next in links[at]) open.Push(next);
        }
        foreach (var (i, (resource, entry)) in resources.Index())
        {
            if (reached[i] || (resource.Type?.Name == "Binary" && resource.StringAt("contentType") == "text/css")) continue;
            run.Sink.Error(
                IssueCode.Structure, resource, "a document holds only what its Composition leads to", $"entry[{entry}].resource");
        }
    }

    // The rows of a subtree lie next to each other.
    private IEnumerable<ElementNode> Targets(ElementNode resource)
    {
        var document = bundle.Document;
        for (var i = resource.Index + 1; i < document.Rows.Length && document.Rows[i].Start < resource.End; i++)
        {
            if (document.Rows[i].Kind != JsonTokenType.String || document.Rows[i].Property is not { IsSibling: false } property) continue;
            if (property.Path != "Reference.reference" && property.Type.Name is not ("canonical" or "uri" or "url")) continue;
            var text = new ElementNode(document, i).Text;
            if (!text.StartsWith('#') && ReferenceResolver.InBundle(bundle, Item.OfNode(resource), text) is { } target) yield return target;
        }
    }
}
