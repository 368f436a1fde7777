using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>Tells which slice a repetition is of, by the discriminators. https://hl7.org/fhir/R4/profiling.html#discriminator</summary>
internal sealed class SliceMatcher(ValidationRun run, Slicing slicing)
{
    private readonly FhirPathContext _context = new(run.Document.Schema, run.Profiles.Terminology) { ResolvesToStubs = true };

    public bool Matches(in Item item, ProfileElement slice)
    {
        var told = false;
        foreach (var discriminator in slicing.Discriminators)
        {
            // A slice may leave one of several discriminators open; one at least tells.
            if (Matches(item, slice, discriminator) is not { } matches) continue;
            if (!matches) return false;
            told = true;
        }
        return told;
    }

    private bool? Matches(in Item item, ProfileElement slice, Discriminator discriminator)
    {
        var found = Select(item, discriminator);
        var steps = Steps(discriminator.Path);
        var (element, pattern) = Walk(slice, steps);
        switch (discriminator.Type)
        {
            case "exists":
                return element?.Max == 0 ? found.Length == 0 : element is not { Min: > 0 } || found.Length > 0;
            case "type":
                return found.Length > 0 && element is not null && Array.TrueForAll(found, f => IsOfType(f, element));
            case "profile":
                return found.Length > 0 && element is not null && Array.TrueForAll(found, f => IsOfProfile(f, element));
            default:
                return IsOfValue(found, element, pattern);
        }
    }

    private Item[] Select(in Item item, Discriminator discriminator)
    {
        _context.Begin(item, run.Resource, Item.OfNode(run.Document.Root));
        try
        {
            discriminator.Compiled.Body.Eval(_context, item);
            return _context.Slice(0);
        }
        catch (FhirPathException)
        {
            return [];
        }
    }

    private bool? IsOfValue(Item[] found, ProfileElement? element, ElementNode? pattern)
    {
        if (pattern is { } inherited) return Array.Exists(found, f => f.Row >= 0 && ValueRule.Holds(f.Node, inherited, false));
        if (element is null) return null;
        foreach (var rule in element.Rules)
        {
            switch (rule)
            {
                case ValueRule value:
                    return Array.Exists(found, f => f.Row >= 0 && ValueRule.Holds(f.Node, value.Value, value.IsFixed));
                case BindingRule { Binding: { Strength: BindingStrength.Required } binding }:
                    return Array.Exists(found, f => IsInValueSet(f, binding.ValueSet));
            }
        }
        // The value may be fixed deeper: the pattern of a CodeableConcept written out child by child.
        return element.Children.Exists(HasValue) ? Array.Exists(found, f => f.Row >= 0 && Below(f, element)) : null;
    }

    private bool Below(in Item item, ProfileElement element)
    {
        var (any, all) = (false, true);
        foreach (var child in element.Children.Concat(element.Children.SelectMany(c => c.Slices)))
        {
            if (!HasValue(child)) continue;
            _context.Truncate(0);
            _context.PushChildren(item, run.Document.Schema.Names.TryGetId(child.Name, out var id) ? id : int.MaxValue);
            var items = _context.Slice(0);
            any = true;
            all &= IsOfValue(items, child, null) == true;
        }
        return any && all;
    }

    private static bool HasValue(ProfileElement element) => element.Rules.Exists(r => r is ValueRule or BindingRule { Binding.Strength: BindingStrength.Required }) || element.Children.Exists(HasValue);

    private bool IsInValueSet(in Item item, string valueSet)
    {
        if (item.Row < 0) return false;
        if (item.Node.Kind == JsonTokenType.String) return run.Profiles.Terminology.Contains(valueSet, null, item.Node.Text) == true;
        foreach (var coding in item.Type?.Name == "CodeableConcept" ? item.Node.ItemsAt("coding") : [item.Node])
            if (coding.StringAt("code") is { } code && run.Profiles.Terminology.Contains(valueSet, coding.StringAt("system") ?? "", code) == true) return true;
        return false;
    }

    private bool IsOfType(in Item item, ProfileElement element)
    {
        if (item.Type is not { } type) return false;
        foreach (var allowed in element.Types)
        {
            var name = allowed.Code;
            if (name is "Resource" or "" && allowed.Profiles.Count > 0 && run.Profiles.Find(allowed.Profiles[0]) is { } profile) name = profile.Type;
            if (name == "Reference" && type.Kind == TypeKind.Resource && allowed.Targets.Any(t => TypeNamed(t) == type.Name)) return true;
            if (run.Document.Schema.Type(name) is { } wanted && type.Is(wanted)) return true;
        }
        return false;
    }

    private string? TypeNamed(string url) => run.Profiles.Find(url)?.Type ?? run.Document.Schema.TypeOfCanonical(url)?.Name;

    private bool IsOfProfile(Item item, ProfileElement element)
    {
        if (item.Row < 0 || !item.IsNode) return false;
        var urls = element.Types.SelectMany(t => item.Type?.Kind == TypeKind.Resource && t.Code == "Reference" ? t.Targets : t.Profiles).ToList();
        return urls.Exists(u => run.Profiles.Find(u) is { } profile ? profile.Type == item.Type?.Name && run.Probe(item.Node, profile) : TypeNamed(u) == item.Type?.Name);
    }

    // $this, names, extension('url'); what only changes the view (resolve(), ofType()) stays where it is.
    private static List<string> Steps(string path)
    {
        var steps = new List<string>();
        var (depth, start) = (0, 0);
        for (var i = 0; i <= path.Length; i++)
        {
            if (i < path.Length && path[i] == '(') depth++;
            if (i < path.Length && path[i] == ')') depth--;
            if (i < path.Length && (path[i] != '.' || depth > 0)) continue;
            var step = path[start..i].Trim();
            if (step.Length > 0 && step != "$this" && !step.StartsWith("ofType(", StringComparison.Ordinal) && !step.StartsWith("as(", StringComparison.Ordinal)) steps.Add(step);
            start = i + 1;
        }
        return steps;
    }

    // The place in the slice's rules that a discriminator's path means, or the part of a pattern above it.
    private (ProfileElement? Element, ElementNode? Pattern) Walk(ProfileElement element, List<string> steps)
    {
        while (steps.Count > 0 && steps[0] == "resolve()") steps = steps[1..];
        if (steps.Count == 0) return (element, null);
        if (element.Rules.OfType<ValueRule>().FirstOrDefault() is { } value) return (null, Descend(value.Value, steps));
        var next = steps[0].StartsWith("extension(", StringComparison.Ordinal) ? ExtensionSlice(element, steps[0]) : element.Child(steps[0]);
        next ??= InProfile(element, steps[0]);
        if (next is null) return (null, null);
        // What is on the way may be sliced itself: the coding of a code.
        var rest = steps[1..];
        var first = Walk(next, rest);
        if (IsTelling(first)) return first;
        foreach (var slice in next.Slices)
            if (Walk(slice, rest) is var found && IsTelling(found)) return found;
        return first;
    }

    private static bool IsTelling((ProfileElement? Element, ElementNode? Pattern) found) => found.Pattern is not null || (found.Element is { } element && (HasValue(element) || element.Min > 0 || element.Max == 0));

    private ProfileElement? ExtensionSlice(ProfileElement element, string step)
    {
        var url = step[10..^1].Trim().Trim('\'', '"');
        return element.Child("extension")?.Slices.Find(s => s.Types.Any(t => t.Profiles.Contains(url)) || s.Child("url")?.Rules.OfType<ValueRule>().Any(v => v.Value.Text == url) == true);
    }

    private ProfileElement? InProfile(ProfileElement element, string step)
    {
        var url = element.Types.SelectMany(t => t.Code == "Reference" ? t.Targets : t.Profiles).FirstOrDefault();
        if (url is null) return null;
        if (run.Profiles.Find(url)?.Root.Child(step) is { } found) return found;
        // The url of an extension is the canonical of its definition, also where that is not here.
        if (step != "url") return null;
        var made = new ProfileElement { Id = element.Id + ".url", Name = "url" };
        made.Rules.Add(new ValueRule(JsonSerializer.Serialize(url), true));
        return made;
    }

    private static ElementNode? Descend(ElementNode pattern, List<string> steps)
    {
        ElementNode? node = pattern;
        foreach (var step in steps)
        {
            if (node is { Kind: JsonTokenType.StartArray, ChildCount: > 0 } array) node = new ElementNode(array.Document, array.Index + 1);
            node = node?[step];
        }
        return node;
    }
}
