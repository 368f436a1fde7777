using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>Tells which slice a repetition is of, by the discriminators. https://hl7.org/fhir/R4/profiling.html#discriminator</summary>
internal sealed class SliceMatcher(ValidationRun run, Slicing slicing, List<ProfileElement> slices)
{
    private readonly FhirPathContext _context = new(run.Document.Schema, run.Profiles.Terminology) { ResolvesToStubs = true };

    // Where each discriminator points to in the rules of each slice.
    private readonly (ProfileElement? Element, ElementNode? Pattern)[]?[] _places = new (ProfileElement?, ElementNode?)[slices.Count][];
    private readonly Item[][] _found = new Item[slicing.Discriminators.Count][];

    /// <summary>Number of the slice that a repetition is of; -1: of none.</summary>
    public int Find(in Item item)
    {
        for (var d = 0; d < _found.Length; d++) _found[d] = Select(item, slicing.Discriminators[d]);
        for (var s = 0; s < slices.Count; s++)
            if (IsOf(s)) return s;
        return -1;
    }

    private bool IsOf(int slice)
    {
        var places = _places[slice] ??= [.. slicing.Discriminators.Select(d => Walk(slices[slice], d.Steps))];
        var told = false;
        for (var d = 0; d < _found.Length; d++)
        {
            // A slice may leave one of several discriminators open; one at least tells.
            if (Matches(slicing.Discriminators[d].Type, _found[d], places[d].Element, places[d].Pattern) is not { } matches) continue;
            if (!matches) return false;
            told = true;
        }
        return told;
    }

    private bool? Matches(string type, Item[] found, ProfileElement? element, ElementNode? pattern) => type switch
    {
        "exists" => element?.Max == 0 ? found.Length == 0 : element is not { Min: > 0 } || found.Length > 0,
        "type" => found.Length > 0 && element is not null && Array.TrueForAll(found, f => IsOfType(f, element)),
        "profile" => found.Length > 0 && element is not null && Array.TrueForAll(found, f => IsOfProfile(f, element)),
        _ => IsOfValue(found, element, pattern),
    };

    private Item[] Select(in Item item, Discriminator discriminator)
    {
        _context.Begin(item, run.Resource, run.Root);
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
                    return Array.Exists(found, f => value.Holds(f));
                case BindingRule { Binding: { Strength: BindingStrength.Required } binding }:
                    return Array.Exists(found, f => Functions.MemberOf(_context, f, binding.ValueSet) == true);
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

    private static bool HasValue(ProfileElement element) =>
        element.Rules.Exists(r => r is ValueRule or BindingRule { Binding.Strength: BindingStrength.Required })
            || element.Children.Exists(HasValue);

    private bool IsOfType(in Item item, ProfileElement element)
    {
        if (item.Type is not { } type) return false;
        // A choice that a slice narrows says so by a slice of its own: content[x]:contentString.
        var narrowed = element.Slices.Find(s => s.Min > 0) ?? element;
        foreach (var allowed in narrowed.Types)
        {
            var name = allowed.Code;
            if (name is "Resource" or "" && allowed.Profiles.Count > 0 && run.TypeOf(allowed.Profiles[0]) is { } profiled) name = profiled;
            if (name == "Reference" && type.Kind == TypeKind.Resource && allowed.Targets.Any(t => run.TypeOf(t) == type.Name)) return true;
            if (run.Document.Schema.Type(name) is { } wanted && type.Is(wanted)) return true;
        }
        return false;
    }

    private bool IsOfProfile(Item item, ProfileElement element) =>
        item.Row >= 0 && item.IsNode
            && element.Types.SelectMany(t => item.Type?.Kind == TypeKind.Resource && t.Code == "Reference" ? t.Targets : t.Profiles)
                .Any(p => run.IsOf(item.Node, p));

    // The place in the slice's rules that a discriminator's path means, or the part of a pattern above it.
    private (ProfileElement? Element, ElementNode? Pattern) Walk(ProfileElement element, ReadOnlySpan<string> steps)
    {
        while (steps is ["resolve()", ..]) steps = steps[1..];
        if (steps.IsEmpty) return (element, null);
        if (element.Rules.OfType<ValueRule>().FirstOrDefault() is { } value) return (null, Descend(value.Value, steps));
        var here = steps[0].StartsWith("extension(", StringComparison.Ordinal)
            ? ExtensionSlice(element, steps[0])
            : element.Child(steps[0]);
        (ProfileElement?, ElementNode?) found = (null, null);
        foreach (var next in new[] { here, InProfile(element, steps[0]) })
        {
            if (next is null) continue;
            found = Walk(next, steps[1..]);
            if (IsTelling(found)) return found;
            // What is on the way may be sliced itself: the coding of a code.
            foreach (var slice in next.Slices)
                if (Walk(slice, steps[1..]) is var below && IsTelling(below)) return below;
        }
        return found;
    }

    private static bool IsTelling((ProfileElement? Element, ElementNode? Pattern) found) =>
        found.Pattern is not null || (found.Element is { } element && (HasValue(element) || element.Min > 0 || element.Max == 0));

    private ProfileElement? ExtensionSlice(ProfileElement element, string step)
    {
        var url = step[10..^1].Trim().Trim('\'', '"');
        return element.Child("extension")?.Slices
            .Find(s => s.Types.Any(t => t.Profiles.Contains(url))
                || s.Child("url")?.Rules.OfType<ValueRule>().Any(v => v.Value.Text == url) == true);
    }

    private ProfileElement? InProfile(ProfileElement element, string step)
    {
        var url = element.Types.SelectMany(t => t.Code == "Reference" ? t.Targets : t.Profiles).FirstOrDefault();
        if (url is null) return null;
        if (run.Profile(url)?.Root.Child(step) is { } found) return found;
        // The url of an extension is the canonical of its definition, also where that is not here.
        if (step != "url") return null;
        var made = new ProfileElement { Id = element.Id + ".url", Path = element.Path + ".url", Name = "url" };
        made.Rules.Add(new ValueRule(JsonSerializer.Serialize(url), true));
        return made;
    }

    private static ElementNode? Descend(ElementNode pattern, ReadOnlySpan<string> steps)
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
