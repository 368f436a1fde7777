using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>A profile, package or value set that cannot be used; the text names it and the place.</summary>
public sealed class InvalidProfileException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>What is wrong with one element of a profile; who compiles the profile adds its canonical and the element's id.</summary>
internal sealed class MalformedElementException(string message, Exception? cause = null) : FormatException(message, cause);

/// <summary>
/// Compiles a StructureDefinition that constrains a type, from its snapshot.
/// </summary>
internal static class ProfileCompiler
{
    private const int MaxId = 2000;
    private const int MaxElements = 20_000;

    /// <summary>Extensions of 4.0.1 that the official definitions themselves use elsewhere than they say.</summary>
    private static readonly Dictionary<string, string> FurtherContexts = new(StringComparer.Ordinal)
    {
        [SchemaCompiler.CoreTypes + "regex"] = "ElementDefinition.type",
        [SchemaCompiler.CoreTypes + "structuredefinition-fhir-type"] = "ElementDefinition.type",
        [SchemaCompiler.CoreTypes + "structuredefinition-normative-version"] = "Element",
        [SchemaCompiler.CoreTypes + "capabilitystatement-expectation"] = "Element",
        [SchemaCompiler.CoreTypes + "capabilitystatement-prohibited"] = "Element",
    };

    /// <summary>One for each kind of rule. The types come before what they point to.</summary>
    private static readonly IReadOnlyList<Action<RuleSource>> Builders =
    [
        CardinalityRule.Build, SlicingRule.Build, TypeRule.Build, TargetRule.Build, ValueRule.Build, RangeRule.Build,
        MaxLengthRule.Build, BindingRule.Build, InvariantRule.Build,
    ];

    /// <summary>The compiled profile.</summary>
    /// <param name="schema">The types of the core.</param>
    /// <param name="definition">The StructureDefinition.</param>
    /// <param name="view">Which of its views: snapshot; or differential, to see whether that is well formed.</param>
    /// <exception cref="InvalidProfileException">It is not one, or an element of it is malformed.</exception>
    public static Profile Compile(FhirSchema schema, JsonElement definition, string view)
    {
        var url = definition.TryGetProperty("url", out var u) && u.ValueKind == JsonValueKind.String
            ? u.GetString()!
            : throw new InvalidProfileException("a StructureDefinition without url");
        var id = "";
        try
        {
            if (!definition.TryGetProperty("baseDefinition", out _)) throw new MalformedElementException("it names no baseDefinition");
            var type = definition.GetProperty("type").GetString()!;
            var root = new ProfileElement { Id = type, Path = type, Name = type };
            var byId = new Dictionary<string, ProfileElement>(StringComparer.Ordinal) { [type] = root };
            var ids = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var element in Elements(definition, view, url))
            {
                id = element.TryGetProperty("id", out var i) ? i.GetString()! : IdOf(element, ids);
                if (id.Length > MaxId || byId.Count > MaxElements)
                    throw new MalformedElementException("the profile is too deep or has too many elements");
                var target = At(byId, id, type);
                if (view == "snapshot" && id.Contains('.') && !element.TryGetProperty("type", out _)
                    && !element.TryGetProperty("contentReference", out _))
                    throw new MalformedElementException($"{type} has no such element");
                Read(schema, target, element, type, url);
            }
            // Where the profile writes the content out, that is what it says of it.
            foreach (var element in byId.Values.Where(e => e.ContentReference is not null && e.Children.Count == 0 && e.Slices.Count == 0))
            {
                id = element.Id;
                if (byId.TryGetValue(element.ContentReference!, out var content)) element.Children.AddRange(content.Children);
                else if (view == "snapshot")
                    throw new MalformedElementException($"there is no element {element.ContentReference} to take the content from");
            }
            foreach (var element in byId.Values)
            {
                id = element.Id;
                SlicingRule.BuildImplied(element, view == "snapshot");
            }
            return new Profile(url, type, root, Contexts(definition, url))
            {
                IsModifier = Elements(definition, view, url).FirstOrDefault() is { ValueKind: JsonValueKind.Object } first
                    && first.TryGetProperty("isModifier", out var isModifier) && isModifier.GetBoolean(),
                ContextInvariants = definition.TryGetProperty("contextInvariant", out var rules)
                    ? [.. rules.EnumerateArray().Select((rule, n) => new Invariant($"context-{n + 1}", false, rule.GetString()!))]
                    : [],
            };
        }
        catch (Exception e) when (
            e is KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException or FhirPathException)
        {
            // What JsonElement throws speaks of JSON kinds and keys.
            var why = e is FhirPathException or MalformedElementException
                ? e.Message
                : "a property is missing, or of the wrong JSON type, or out of range";
            throw new InvalidProfileException(
                $"{url}, element {(id.Length == 0 ? "(none)" : id.Length > 200 ? id[..200] + "..." : id)}: {why}", e);
        }
    }

    private static JsonElement.ArrayEnumerator Elements(JsonElement definition, string view, string url) =>
        definition.TryGetProperty(view, out var found) && found.TryGetProperty("element", out var elements)
            ? elements.EnumerateArray()
            : throw new InvalidProfileException($"{url} has neither snapshot nor differential");

    private static List<(string Type, string Expression)> Contexts(JsonElement definition, string url)
    {
        if (!definition.TryGetProperty("context", out var contexts)) return [];
        var found = new List<(string Type, string Expression)>();
        foreach (var context in contexts.EnumerateArray())
            if (context.TryGetProperty("type", out var type) && context.TryGetProperty("expression", out var expression))
                found.Add((type.GetString()!, expression.GetString()!));
        if (FurtherContexts.TryGetValue(url, out var further)) found.Add(("element", further));
        return found;
    }

    // Ids are optional: path and slice names in their order make them.
    private static string IdOf(JsonElement element, Dictionary<string, string> ids)
    {
        var path = element.GetProperty("path").GetString()!;
        var dot = path.LastIndexOf('.');
        var id = dot < 0 ? path : $"{ids.GetValueOrDefault(path[..dot], path[..dot])}.{path[(dot + 1)..]}";
        if (element.TryGetProperty("sliceName", out var slice)) id += ":" + slice.GetString();
        return ids[path] = id;
    }

    // An element on the way that a snapshot leaves out is made without rules.
    private static ProfileElement At(Dictionary<string, ProfileElement> byId, string id, string root)
    {
        if (byId.TryGetValue(id, out var known)) return known;
        var dot = LastDot(id);
        if (dot < 0) return byId[root];
        var parent = At(byId, id[..dot], root);
        var segment = id[(dot + 1)..];
        var colon = segment.IndexOf(':');
        var name = colon < 0 ? segment : segment[..colon];
        if (colon < 0) return byId[id] = Add(parent.Children, Make());
        // A slice of a slice is named after it: mrn/temporary. https://hl7.org/fhir/R4/profiling.html#reslicing
        var slash = segment.LastIndexOf('/');
        var sliced = slash > colon && byId.TryGetValue(id[..dot] + "." + segment[..slash], out var outer)
            ? outer
            : At(byId, id[..dot] + "." + name, root);
        return byId[id] = Add(sliced.Slices, Make());

        ProfileElement Make() =>
            new() { Id = id, Path = parent.Path + "." + name, Name = Plain(name), SliceName = colon < 0 ? null : segment[(colon + 1)..] };
    }

    private static ProfileElement Add(List<ProfileElement> to, ProfileElement element)
    {
        to.Add(element);
        return element;
    }

    private static string Plain(string name) => name.EndsWith("[x]", StringComparison.Ordinal) ? name[..^3] : name;

    // The names of slices may hold dots after their colon.
    private static int LastDot(string id)
    {
        var slash = id.LastIndexOf(':');
        var dot = id.LastIndexOf('.');
        return slash > dot || slash < 0 ? dot : id.IndexOf('.', slash) >= 0 ? dot : id.LastIndexOf('.', slash);
    }

    private static void Read(FhirSchema schema, ProfileElement target, JsonElement element, string type, string profile)
    {
        // With a URL before the '#' the content of the core is meant, which the walk over the types knows.
        if (element.TryGetProperty("contentReference", out var content) && content.GetString()!.StartsWith('#'))
            target.ContentReference = content.GetString()![1..];
        var source = new RuleSource(schema, target, element, type, profile, CoreOf(schema, target.Path, type));
        foreach (var build in Builders) build(source);
    }

    private static ElementSpec? CoreOf(FhirSchema schema, string path, string type)
    {
        var definition = schema.Type(type);
        ElementSpec? element = null;
        foreach (var name in path.Split('.').Skip(1))
        {
            element = definition?.Elements.FirstOrDefault(e => e.Name == Plain(name));
            definition = element is { Types.Count: 1 } ? element.Types[0].Definition : null;
        }
        return element;
    }
}
