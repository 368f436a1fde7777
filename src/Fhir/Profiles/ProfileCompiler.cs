using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>A profile, package or value set that cannot be used; the text names it and the place.</summary>
public sealed class InvalidProfileException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>
/// Compiles a StructureDefinition that constrains a type, from its snapshot.
/// </summary>
internal static class ProfileCompiler
{
    /// <summary>The compiled profile.</summary>
    /// <param name="schema">The types of the core.</param>
    /// <param name="definition">The StructureDefinition.</param>
    /// <param name="view">Which of its views: snapshot; or differential, to see whether that is well formed.</param>
    /// <exception cref="InvalidProfileException">It is not one, or an element of it is malformed.</exception>
    public static Profile Compile(FhirSchema schema, JsonElement definition, string view)
    {
        var url = definition.TryGetProperty("url", out var u) && u.ValueKind == JsonValueKind.String ? u.GetString()! : throw new InvalidProfileException("a StructureDefinition without url");
        var id = "";
        try
        {
            var type = definition.GetProperty("type").GetString()!;
            var root = new ProfileElement { Id = type, Name = type };
            var byId = new Dictionary<string, ProfileElement>(StringComparer.Ordinal) { [type] = root };
            var ids = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var element in Elements(definition, view, url))
            {
                id = element.TryGetProperty("id", out var i) ? i.GetString()! : IdOf(element, ids);
                var target = At(byId, id, type);
                Read(schema, target, element, type);
            }
            // Where the profile writes the content out, that is what it says of it.
            foreach (var element in byId.Values.Where(e => e.ContentReference is not null && e.Children.Count == 0 && e.Slices.Count == 0))
                if (byId.TryGetValue(element.ContentReference!, out var content)) element.Children.AddRange(content.Children);
            return new Profile(url, type, root, Contexts(definition));
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException or FhirPathException)
        {
            throw new InvalidProfileException($"{url}, element {(id.Length == 0 ? "(none)" : id)}: {e.Message}", e);
        }
    }

    private static JsonElement.ArrayEnumerator Elements(JsonElement definition, string view, string url) =>
        definition.TryGetProperty(view, out var found) && found.TryGetProperty("element", out var elements) ? elements.EnumerateArray() : throw new InvalidProfileException($"{url} has neither snapshot nor differential");

    private static List<(string Type, string Expression)> Contexts(JsonElement definition) => definition.TryGetProperty("context", out var contexts)
        ? [.. contexts.EnumerateArray().Where(c => c.TryGetProperty("type", out _) && c.TryGetProperty("expression", out _)).Select(c => (c.GetProperty("type").GetString()!, c.GetProperty("expression").GetString()!))]
        : [];

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
        if (colon < 0) return byId[id] = Add(parent.Children, new ProfileElement { Id = id, Name = Plain(name) });
        var sliced = At(byId, id[..dot] + "." + name, root);
        return byId[id] = Add(sliced.Slices, new ProfileElement { Id = id, Name = Plain(name), SliceName = segment[(colon + 1)..] });
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

    private static void Read(FhirSchema schema, ProfileElement target, JsonElement element, string type)
    {
        if (element.TryGetProperty("min", out var min)) target.Min = min.GetInt32();
        if (element.TryGetProperty("max", out var max)) target.Max = SchemaCompiler.Max(max);
        if (element.TryGetProperty("type", out var types)) target.Types = [.. types.EnumerateArray().Select(ReadType)];
        if (element.TryGetProperty("contentReference", out var content)) target.ContentReference = content.GetString()!.Split('#')[^1];
        if (element.TryGetProperty("slicing", out var slicing)) target.Slicing = ReadSlicing(slicing);
        foreach (var property in element.EnumerateObject())
        {
            if (property.Name.StartsWith("fixed", StringComparison.Ordinal)) target.Rules.Add(new ValueRule(property.Value.GetRawText(), true));
            else if (property.Name.StartsWith("pattern", StringComparison.Ordinal)) target.Rules.Add(new ValueRule(property.Value.GetRawText(), false));
            else if (property.Name.StartsWith("minValue", StringComparison.Ordinal)) target.Rules.Add(new RangeRule(property.Name[8..], Raw(property.Value), true));
            else if (property.Name.StartsWith("maxValue", StringComparison.Ordinal)) target.Rules.Add(new RangeRule(property.Name[8..], Raw(property.Value), false));
            else if (property.Name == "maxLength") target.Rules.Add(new MaxLengthRule(property.Value.GetInt32()));
        }
        var path = element.TryGetProperty("path", out var p) ? p.GetString()! : target.Id;
        var core = CoreOf(schema, path, type);
        if (element.TryGetProperty("binding", out var binding) && ReadBinding(binding) is { } bound && bound != core?.Binding) target.Rules.Add(new BindingRule(bound));
        if (!element.TryGetProperty("constraint", out var constraints)) return;
        foreach (var constraint in constraints.EnumerateArray())
        {
            if (!constraint.TryGetProperty("expression", out var expression) || !constraint.TryGetProperty("key", out var key)) continue;
            // What a core definition says, the walk over the types has checked.
            if (constraint.TryGetProperty("source", out var source) && source.GetString() is { } from && schema.TypeOfCanonical(from) is not null) continue;
            if (key.GetString() is "ele-1" or "ext-1" || IsOfCore(schema, core, path, type, key.GetString()!)) continue;
            var invariant = new Invariant(key.GetString()!, constraint.TryGetProperty("severity", out var s) && s.GetString() == "warning", SchemaCompiler.Correct(key.GetString()!, expression.GetString()!));
            target.Rules.Add(new InvariantRule(invariant));
        }
    }

    private static string Raw(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();

    private static bool IsOfCore(FhirSchema schema, ElementSpec? core, string path, string type, string key) =>
        (path == type && schema.Type(type)?.Invariants.Any(i => i.Key == key) == true)
        || core?.Invariants.Any(i => i.Key == key) == true
        || core?.Types.Any(t => t.Definition?.Invariants.Any(i => i.Key == key) == true) == true;

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

    private static Binding? ReadBinding(JsonElement binding)
    {
        if (!binding.TryGetProperty("valueSet", out var url)) return null;
        var strength = binding.GetProperty("strength").GetString() switch { "required" => BindingStrength.Required, "extensible" => BindingStrength.Extensible, _ => BindingStrength.None };
        return strength == BindingStrength.None ? null : new Binding(strength, url.GetString()!.Split('|')[0]);
    }

    private static ProfileType ReadType(JsonElement type)
    {
        var code = type.TryGetProperty("code", out var c) ? c.GetString()! : "";
        if (code.StartsWith("http://hl7.org/fhirpath/System.", StringComparison.Ordinal)) code = "";
        return new ProfileType(code, Urls(type, "profile"), Urls(type, "targetProfile"));
    }

    private static List<string> Urls(JsonElement type, string name) =>
        type.TryGetProperty(name, out var urls) ? [.. urls.EnumerateArray().Where(u => u.ValueKind == JsonValueKind.String).Select(u => u.GetString()!.Split('|')[0])] : [];

    private static Slicing ReadSlicing(JsonElement slicing) => new(
        slicing.TryGetProperty("discriminator", out var list) ? [.. list.EnumerateArray().Select(d => new Discriminator(d.GetProperty("type").GetString()!, d.GetProperty("path").GetString()!))] : [],
        slicing.TryGetProperty("rules", out var rules) ? rules.GetString()! : "open",
        slicing.TryGetProperty("ordered", out var ordered) && ordered.GetBoolean());
}
