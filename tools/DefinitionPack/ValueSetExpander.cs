using System.Text.Json;

namespace PmrGateway.Tools.DefinitionPack;

/// <summary>Lists the codes of a value set out of the definitions; null where it holds a filter over a system that is not all there.</summary>
internal sealed class ValueSetExpander
{
    private readonly Dictionary<string, JsonElement> _valueSets = [];
    private readonly Dictionary<string, JsonElement> _codeSystems = [];

    public ValueSetExpander(string folder)
    {
        foreach (var file in Directory.GetFiles(folder, "ValueSet-*.json").Concat(Directory.GetFiles(folder, "CodeSystem-*.json")))
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(file));
            var root = json.RootElement;
            if (!root.TryGetProperty("url", out var url)) continue;
            (root.GetProperty("resourceType").GetString() == "ValueSet" ? _valueSets : _codeSystems).TryAdd(url.GetString()!, root.Clone());
        }
    }

    public HashSet<(string System, string Code)>? Expand(string url)
    {
        if (!_valueSets.TryGetValue(url.Split('|')[0], out var valueSet) || !valueSet.TryGetProperty("compose", out var compose)) return null;
        var codes = new HashSet<(string, string)>();
        foreach (var include in compose.GetProperty("include").EnumerateArray())
        {
            if (Include(include) is not { } some) return null;
            codes.UnionWith(some);
        }
        if (!compose.TryGetProperty("exclude", out var excludes)) return codes;
        foreach (var exclude in excludes.EnumerateArray())
        {
            if (Include(exclude) is not { } some) return null;
            codes.ExceptWith(some);
        }
        return codes;
    }

    private HashSet<(string, string)>? Include(JsonElement include)
    {
        HashSet<(string, string)>? codes = null;
        if (include.TryGetProperty("system", out var systemElement))
        {
            var system = systemElement.GetString()!;
            if (include.TryGetProperty("concept", out var concepts)) codes = [.. concepts.EnumerateArray().Select(c => (system, c.GetProperty("code").GetString()!))];
            else if (!_codeSystems.TryGetValue(system, out var codeSystem) || codeSystem.GetProperty("content").GetString() != "complete") return null;
            else if (include.TryGetProperty("filter", out var filters)) codes = Filter(system, codeSystem, filters);
            else codes = [.. All(codeSystem).Select(c => (system, c.GetProperty("code").GetString()!))];
            if (codes is null) return null;
        }
        if (include.TryGetProperty("valueSet", out var sets))
        {
            foreach (var set in sets.EnumerateArray())
            {
                if (Expand(set.GetString()!) is not { } some) return null;
                if (codes is null) codes = some;
                else codes.IntersectWith(some);
            }
        }
        return codes;
    }

    private static HashSet<(string, string)>? Filter(string system, JsonElement codeSystem, JsonElement filters)
    {
        var codes = All(codeSystem).Select(c => c.GetProperty("code").GetString()!).ToHashSet();
        foreach (var filter in filters.EnumerateArray())
        {
            var (property, op, value) = (filter.GetProperty("property").GetString(), filter.GetProperty("op").GetString(), filter.GetProperty("value").GetString()!);
            if (property != "concept" || op is not ("is-a" or "descendent-of" or "is-not-a")) return null;
            var below = Below(codeSystem, value);
            if (op == "descendent-of") below.Remove(value);
            if (op == "is-not-a") codes.ExceptWith(below);
            else codes.IntersectWith(below);
        }
        return [.. codes.Select(c => (system, c))];
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
                        if (p.GetProperty("code").GetString() == "subsumedBy") parents.Add((code, p.GetProperty("valueCode").GetString()!));
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
