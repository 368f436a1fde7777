using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Makes <see cref="ValueSetDefinition"/>s of ValueSet resources, with the code systems among them. Source: R4 valueset.html, "Value Set
/// Expansion".
/// </summary>
internal sealed class ValueSetExpander(
    IReadOnlyDictionary<string, JsonElement> valueSets, IReadOnlyDictionary<string, JsonElement> codeSystems, Terminology? below)
{
    private const int MaxDepth = 100;
    private int _depth;
    private readonly Dictionary<string, ValueSetDefinition?> _done = new(StringComparer.Ordinal);

    /// <summary>All codes of a complete code system; null for one that is a fragment or elsewhere.</summary>
    public static IReadOnlySet<string>? CodesOf(JsonElement codeSystem) =>
        IsComplete(codeSystem) ? All(codeSystem).Select(c => c.GetProperty("code").GetString()!).ToHashSet(StringComparer.Ordinal) : null;

    /// <summary>Whether a CodeSystem lists all of its codes.</summary>
    public static bool IsComplete(JsonElement codeSystem)
    {
        if (!codeSystem.TryGetProperty("content", out var content) || content.ValueKind != JsonValueKind.String) return false;
        return content.ValueEquals("complete") && codeSystem.TryGetProperty("concept", out var concepts)
            && concepts.ValueKind == JsonValueKind.Array;
    }

    /// <summary>The displays of complete code systems, and those that value sets give codes of any system.</summary>
    public static Dictionary<string, Displays> DisplaysOf(
        IReadOnlyDictionary<string, JsonElement> codeSystems, IEnumerable<JsonElement> valueSets)
    {
        var names = new Dictionary<string, Dictionary<string, List<string>>>(StringComparer.Ordinal);
        foreach (var (url, codeSystem) in codeSystems)
        {
            if (!IsComplete(codeSystem)) continue;
            var ofSystem = names[url] = new(StringComparer.Ordinal);
            foreach (var concept in All(codeSystem)) Name(ofSystem, concept);
        }
        foreach (var valueSet in valueSets)
        {
            foreach (var include in Items(valueSet, "compose", "include"))
                foreach (var concept in Items(include, "concept")) Name(OfSystem(include), concept);
            Contained(Items(valueSet, "expansion", "contains"));
        }
        return names.ToDictionary(
            n => n.Key,
            n => new Displays(n.Value.ToDictionary(c => c.Key, c => c.Value.ToArray(), StringComparer.Ordinal)),
            StringComparer.Ordinal);

        void Contained(IEnumerable<JsonElement> concepts)
        {
            foreach (var concept in concepts)
            {
                Name(OfSystem(concept), concept);
                Contained(Items(concept, "contains"));
            }
        }

        Dictionary<string, List<string>> OfSystem(JsonElement element)
        {
            var system = TextOf(element, "system") ?? "";
            return names.TryGetValue(system, out var known) ? known : names[system] = new(StringComparer.Ordinal);
        }
    }

    private static void Name(Dictionary<string, List<string>> names, JsonElement concept)
    {
        if (TextOf(concept, "code") is not { } code) return;
        Add(TextOf(concept, "display"));
        foreach (var designation in Items(concept, "designation")) Add(TextOf(designation, "value"));

        void Add(string? name)
        {
            if (string.IsNullOrWhiteSpace(name)) return;
            if (!names.TryGetValue(code, out var known)) names[code] = known = [];
            if (!known.Contains(name)) known.Add(name);
        }
    }

    private static string? TextOf(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String
            ? text.GetString()
            : null;

    private static IEnumerable<JsonElement> Items(JsonElement element, params string[] path)
    {
        foreach (var name in path)
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element)) return [];
        return element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : [];
    }

    /// <summary>The definition of a value set; null where it is not here.</summary>
    public ValueSetDefinition? Expand(string canonical)
    {
        var url = canonical.Split('|')[0];
        if (_done.TryGetValue(url, out var done)) return done;
        // A set that includes itself is told by what else it includes.
        _done[url] = new ValueSetDefinition(url, [], true);
        if (!valueSets.TryGetValue(url, out var resource)) return _done[url] = below?.ValueSet(url);
        if (++_depth > MaxDepth) throw new InvalidProfileException($"{url}: value sets include each other more than {MaxDepth} deep");
        try
        {
            return _done[url] = Read(url, resource);
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidProfileException(
                $"{url}: an element of the value set, or of a code system that it includes, is missing or of the wrong JSON type", e);
        }
        finally
        {
            _depth--;
        }
    }

    /// <summary>The definition of a value set that lies inside another resource; one that cannot be read tells nothing.</summary>
    public static ValueSetDefinition Contained(ElementNode valueSet, Terminology below)
    {
        const string Here = "#";
        var options = new JsonDocumentOptions { MaxDepth = valueSet.Document.Limits.JsonDepth };
        using var json = JsonDocument.Parse(valueSet.RawBytes.ToArray(), options);
        try
        {
            var sets = new Dictionary<string, JsonElement> { [Here] = json.RootElement };
            return new ValueSetExpander(sets, new Dictionary<string, JsonElement>(), below).Expand(Here)!;
        }
        catch (InvalidProfileException)
        {
            return new ValueSetDefinition(Here, [], true);
        }
    }

    private ValueSetDefinition Read(string url, JsonElement resource)
    {
        if (!resource.TryGetProperty("compose", out var compose))
        {
            return resource.TryGetProperty("expansion", out var expansion) && expansion.TryGetProperty("contains", out var contains)
                ? new ValueSetDefinition(
                    url,
                    [.. Listed(contains).GroupBy(c => c.System)
                        .Select(g => new ValueSetPart(g.Key, g.Select(c => c.Code).ToHashSet(StringComparer.Ordinal)))],
                    false)
                : new ValueSetDefinition(url, [], true);
        }
        var parts = new List<ValueSetPart>();
        var open = false;
        if (compose.TryGetProperty("include", out var includes))
            foreach (var include in includes.EnumerateArray()) open |= !Include(include, parts);
        if (compose.TryGetProperty("exclude", out var excludes))
        {
            foreach (var exclude in excludes.EnumerateArray())
            {
                var taken = new List<ValueSetPart>();
                // What is taken out and cannot be listed makes those systems untold.
                if (!Include(exclude, taken)) open = true;
                parts = [.. parts.Select(p => Without(p, taken))];
            }
        }
        return new ValueSetDefinition(url, parts, open);
    }

    // False where what is included cannot be told, not even by system.
    private bool Include(JsonElement include, List<ValueSetPart> parts)
    {
        List<ValueSetPart>? own = null;
        if (include.TryGetProperty("system", out var systemElement))
        {
            var system = systemElement.GetString()!;
            IReadOnlySet<string>? codes = null;
            if (include.TryGetProperty("concept", out var concepts))
                codes = concepts.EnumerateArray().Select(c => c.GetProperty("code").GetString()!).ToHashSet(StringComparer.Ordinal);
            else if (include.TryGetProperty("filter", out var filters))
                codes = codeSystems.TryGetValue(system, out var codeSystem) && CodesOf(codeSystem) is not null
                    ? Filter(codeSystem, filters)
                    : null;
            own = [new ValueSetPart(system, codes)];
        }
        if (include.TryGetProperty("valueSet", out var sets))
        {
            // Several sets of one include, and a system beside them, are intersected.
            foreach (var set in sets.EnumerateArray())
            {
                if (Expand(set.GetString()!) is not { } definition || definition.IsOpen) return false;
                own = own is null ? [.. definition.Parts] : [.. own.Select(p => Intersect(p, definition)).OfType<ValueSetPart>()];
            }
        }
        if (own is null) return false;
        foreach (var part in own) Add(parts, part);
        return true;
    }

    // One part a system: sets that include each other again and again would double with each step.
    private static void Add(List<ValueSetPart> parts, ValueSetPart part)
    {
        var at = parts.FindIndex(p => p.System == part.System);
        if (at < 0) parts.Add(part);
        else if (parts[at].Codes is { } known)
            parts[at] = part.Codes is null ? part : part with { Codes = known.Union(part.Codes).ToHashSet(StringComparer.Ordinal) };
    }

    private ValueSetPart? Intersect(ValueSetPart part, ValueSetDefinition with)
    {
        HashSet<string>? codes = null;
        foreach (var other in with.Parts.Where(p => p.System == part.System))
        {
            var (mine, theirs) = (part.Codes ?? Whole(part.System), other.Codes ?? Whole(part.System));
            if (mine is null && theirs is null) return part;
            codes ??= new HashSet<string>(StringComparer.Ordinal);
            codes.UnionWith(mine is null ? theirs! : theirs is null ? mine : mine.Intersect(theirs));
        }
        return codes is null ? null : new ValueSetPart(part.System, codes);
    }

    private ValueSetPart Without(ValueSetPart part, List<ValueSetPart> taken)
    {
        foreach (var other in taken.Where(t => t.System == part.System))
        {
            if ((part.Codes ?? Whole(part.System)) is not { } mine || (other.Codes ?? Whole(part.System)) is not { } theirs) continue;
            part = part with { Codes = mine.Except(theirs).ToHashSet(StringComparer.Ordinal) };
        }
        return part;
    }

    private IReadOnlySet<string>? Whole(string system) =>
        codeSystems.TryGetValue(system, out var codeSystem) ? CodesOf(codeSystem) : below?.System(system);

    private static IEnumerable<(string System, string Code)> Listed(JsonElement contains)
    {
        foreach (var item in contains.EnumerateArray())
        {
            if (item.TryGetProperty("code", out var code))
                yield return (item.TryGetProperty("system", out var system) ? system.GetString()! : "", code.GetString()!);
            if (!item.TryGetProperty("contains", out var inner)) continue;
            foreach (var child in Listed(inner)) yield return child;
        }
    }

    private static HashSet<string>? Filter(JsonElement codeSystem, JsonElement filters)
    {
        var codes = All(codeSystem).Select(c => c.GetProperty("code").GetString()!).ToHashSet(StringComparer.Ordinal);
        foreach (var filter in filters.EnumerateArray())
        {
            var (property, op, value) = (
                filter.GetProperty("property").GetString(), filter.GetProperty("op").GetString(), filter.GetProperty("value").GetString()!);
            if (property is not ("concept" or "code") || op is not ("is-a" or "descendent-of" or "is-not-a" or "in" or "=")) return null;
            if (op is "in" or "=")
            {
                codes.IntersectWith(value.Split(',').Select(v => v.Trim()));
                continue;
            }
            var below = Below(codeSystem, value);
            if (op == "descendent-of") below.Remove(value);
            if (op == "is-not-a") codes.ExceptWith(below);
            else codes.IntersectWith(below);
        }
        return codes;
    }

    /// <summary>A concept and all below it: by nesting, and by the subsumedBy property of the v3 code systems.</summary>
    private static HashSet<string> Below(JsonElement codeSystem, string root)
    {
        var parents = new List<(string Child, string Parent)>();
        void Walk(JsonElement concepts, string? parent)
        {
            foreach (var concept in concepts.EnumerateArray())
            {
                var code = concept.GetProperty("code").GetString()!;
                if (parent is not null) parents.Add((code, parent));
                if (concept.TryGetProperty("property", out var properties))
                    foreach (var p in properties.EnumerateArray())
                        if (p.GetProperty("code").GetString() is "subsumedBy" or "parent" && p.TryGetProperty("valueCode", out var up))
                            parents.Add((code, up.GetString()!));
                if (concept.TryGetProperty("concept", out var children)) Walk(children, code);
            }
        }
        Walk(codeSystem.GetProperty("concept"), null);
        var below = new HashSet<string> { root };
        for (var grew = true; grew;)
        {
            grew = false;
            foreach (var (child, parent) in parents) grew |= below.Contains(parent) && below.Add(child);
        }
        return below;
    }

    private static IEnumerable<JsonElement> All(JsonElement element)
    {
        if (!element.TryGetProperty("concept", out var concepts)) yield break;
        foreach (var concept in concepts.EnumerateArray())
        {
            yield return concept;
            foreach (var child in All(concept)) yield return child;
        }
    }
}
