using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>Checks an element against a profile: what the profile says beyond the type, which the walk over the types has checked.</summary>
internal sealed class ProfileRun(ValidationRun run, Profile profile)
{
    private const int MaxDepth = 40;

    /// <summary>Profiles inside profiles: a cycle of them ends here.</summary>
    [ThreadStatic]
    private static int _depth;

    public void Check(ElementNode node)
    {
        if (_depth >= MaxDepth) return;
        _depth++;
        try
        {
            Element(Item.OfNode(node), node, profile.Root);
        }
        finally
        {
            _depth--;
        }
    }

    private void Element(in Item item, ElementNode at, ProfileElement element)
    {
        foreach (var rule in element.Rules) rule.Check(run, item, at);
        if (element.Children.Count == 0) return;
        var context = run.Scratch;
        foreach (var child in element.Children)
        {
            context.Truncate(0);
            if (run.Document.Schema.Names.TryGetId(child.Name, out var id)) context.PushChildren(item, id);
            Children(context.Slice(0), at, child);
        }
    }

    private void Children(Item[] items, ElementNode parent, ProfileElement element)
    {
        if (items.Length < element.Min) run.Sink.Error(IssueCode.Required, parent, $"{Named(element)}: at least {element.Min} is required by {profile.Url}, {items.Length} given", element.Name);
        if (element.Max >= 0 && items.Length > element.Max) run.Sink.Error(IssueCode.Structure, parent, $"{Named(element)}: at most {element.Max} is allowed by {profile.Url}, {items.Length} given", element.Name);
        for (var i = 0; i < items.Length; i++) Instance(items[i], element, items.Length > 1 || IsArray(items[i]) ? i : -1);
        if (element.Slices.Count > 0) Slices(items, parent, element);
    }

    private static bool IsArray(in Item item) => item.Row >= 0 && item.Node.Property?.Element.IsArray == true;

    private void Instance(in Item item, ProfileElement element, int index)
    {
        var at = new ElementNode(item.Document!, item.Row >= 0 ? item.Row : item.Sibling);
        run.Sink.Push(element.Name, index);
        Types(item, at, element);
        Element(item, at, element);
        run.Sink.Pop();
    }

    private void Types(in Item item, ElementNode at, ProfileElement element)
    {
        if (element.Types.Count == 0 || item.Type is not { } type) return;
        var allowed = element.Types.Where(t => t.Code.Length == 0 || IsOf(type, t.Code)).ToList();
        if (allowed.Count == 0)
        {
            run.Sink.Error(IssueCode.Structure, at, $"{profile.Url} allows {string.Join(", ", element.Types.Select(t => t.Code))} here, not {type.Name}");
            return;
        }
        if (item.Row < 0) return;
        var profiles = allowed.SelectMany(t => t.Profiles).ToList();
        // An extension is checked against its definition wherever it stands.
        if (profiles.Count > 0 && type.Name != "Extension" && allowed.All(t => t.Profiles.Count > 0)) Conforms(item.Node, profiles);
        if (type.Name == "Reference") Target(item.Node, [.. allowed.SelectMany(t => t.Targets)]);
    }

    private bool IsOf(TypeDefinition type, string code) =>
        type.Kind == TypeKind.Backbone ? code is "BackboneElement" or "Element" : run.Document.Schema.Type(code) is { } wanted && type.Is(wanted);

    private void Conforms(ElementNode node, List<string> urls)
    {
        var known = urls.Select(run.Profiles.Find).OfType<Profile>().ToList();
        if (known.Count < urls.Distinct().Count() && urls.Any(u => run.Profiles.Find(u) is null)) return;
        if (known.Count == 1) new ProfileRun(run, known[0]).Check(node);
        else if (!known.Exists(p => Probe(node, p))) run.Sink.Error(IssueCode.Structure, node, $"it conforms to none of {string.Join(", ", urls)}");
    }

    private bool Probe(ElementNode node, Profile candidate) => node.Type?.Name == candidate.Type && run.Probe(node, candidate);

    private void Target(ElementNode node, List<string> targets)
    {
        if (targets.Count == 0 || node["reference"] is not { Kind: JsonTokenType.String } text) return;
        var resolved = run.References.Resolve(text.Text);
        var type = resolved?.Type?.Name ?? FhirReference.TypeNamed(text.Text);
        if (type is null) return;
        var types = targets.Select(TypeOfTarget).ToList();
        if (types.Contains(null)) return;
        if (!types.Contains(type) && !types.Contains("Resource"))
        {
            run.Sink.Error(IssueCode.Structure, text, $"{profile.Url} allows a reference to {string.Join(", ", types.Distinct())} here, not to {type}");
            return;
        }
        if (resolved is not { } target) return;
        var profiles = targets.Where(t => TypeOfTarget(t) == type).Select(run.Profiles.Find).ToList();
        if (profiles.Count == 0 || profiles.Contains(null) || targets.Exists(t => t == SchemaCompiler.CoreTypes + type)) return;
        if (!profiles.Exists(p => Probe(target, p!))) run.Sink.Error(IssueCode.Structure, text, $"what it points to conforms to none of {string.Join(", ", profiles.Select(p => p!.Url))}");
    }

    private string? TypeOfTarget(string url) => run.Profiles.Find(url)?.Type ?? run.Document.Schema.TypeOfCanonical(url)?.Name;

    private void Slices(Item[] items, ElementNode parent, ProfileElement element)
    {
        if (SlicingOf(element) is not { } slicing) return;
        var matcher = new SliceMatcher(run, slicing);
        var counts = new int[element.Slices.Count];
        var (last, sawOther) = (0, false);
        for (var i = 0; i < items.Length; i++)
        {
            var found = -1;
            for (var s = 0; s < element.Slices.Count && found < 0; s++)
                if (matcher.Matches(items[i], element.Slices[s])) found = s;
            var at = new ElementNode(items[i].Document!, items[i].Row >= 0 ? items[i].Row : items[i].Sibling);
            if (found < 0)
            {
                sawOther = true;
                if (slicing.Rules == "closed") run.Sink.Error(IssueCode.Structure, at, $"it is none of the slices that {profile.Url} closes {element.Id} to", $"{element.Name}[{i}]");
                continue;
            }
            if (sawOther && slicing.Rules == "openAtEnd") run.Sink.Error(IssueCode.Structure, at, $"the slice {element.Slices[found].SliceName} comes after what is of no slice", $"{element.Name}[{i}]");
            if (slicing.IsOrdered && found < last) run.Sink.Error(IssueCode.Structure, at, $"the slice {element.Slices[found].SliceName} is not in its place", $"{element.Name}[{i}]");
            (last, counts[found]) = (found, counts[found] + 1);
            Instance(items[i], element.Slices[found], IsArray(items[i]) ? i : -1);
        }
        for (var s = 0; s < counts.Length; s++)
        {
            var slice = element.Slices[s];
            if (counts[s] < slice.Min) run.Sink.Error(IssueCode.Required, parent, $"{Named(slice)}: at least {slice.Min} is required by {profile.Url}, {counts[s]} given", slice.Name);
            if (slice.Max >= 0 && counts[s] > slice.Max) run.Sink.Error(IssueCode.Structure, parent, $"{Named(slice)}: at most {slice.Max} is allowed by {profile.Url}, {counts[s]} given", slice.Name);
        }
    }

    // What an implementation guide may leave out: extensions are told by their url, a choice by its type.
    private static Slicing? SlicingOf(ProfileElement element) => element.Slicing
        ?? (element.Name is "extension" or "modifierExtension" ? new Slicing([new Discriminator("value", "url")], "open", false)
            : element.Slices.TrueForAll(s => s.Types.Count == 1) ? new Slicing([new Discriminator("type", "$this")], "open", false)
            : null);

    private static string Named(ProfileElement element) => element.SliceName is null ? element.Name : $"{element.Name}:{element.SliceName}";
}
