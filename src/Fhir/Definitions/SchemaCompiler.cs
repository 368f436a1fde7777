using System.Globalization;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Compiles the snapshot of an official StructureDefinition to types: one for the root, one for each element that has children of its own.
/// Corrects what the official definitions get wrong (<see cref="Corrections"/>; <c>Resource.id</c> is an id, they type it as a string).
/// </summary>
internal static class SchemaCompiler
{
    public const string CoreTypes = "http://hl7.org/fhir/StructureDefinition/";
    private const string FhirPathTypes = "http://hl7.org/fhirpath/System.";

    /// <summary>
    /// Invariants of 4.0.1 that are wrong as published. matches() finds a part, so patterns of the whole need anchors; '#' alone is the
    /// containing resource; a text of a search index is no system. Later versions of FHIR made the same corrections.
    /// </summary>
    public static IReadOnlyDictionary<string, string> Corrections { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["ref-1"] = "reference.exists().not() or reference = '#' or reference.startsWith('#').not() "
            + "or (reference.substring(1) in %rootResource.contained.id)",
        ["eld-11"] = "binding.empty() or type.code.empty() or type.select((code = 'code') or (code = 'Coding') "
            + "or (code = 'CodeableConcept') or (code = 'Quantity') or (code = 'string') or (code = 'uri') "
            + "or (code = 'Duration')).exists(true)",
        ["eld-19"] = @"path.matches('^[^\\s.,:;\'""/|?!@#$%&*()\\[\\]{}]{1,64}"
            + @"(\\.[^\\s.,:;\'""/|?!@#$%&*()\\[\\]{}]{1,64}(\\[x\\])?(\\:[^\\s\\.]+)?)*$')",
        ["eld-20"] = @"path.matches('^[A-Za-z][A-Za-z0-9]*(\\.[a-z][A-Za-z0-9]*(\\[x])?)*$')",
        ["que-7"] = "operator = 'exists' implies (answer is boolean)",
        ["opd-3"] = "targetProfile.exists() implies (type.exists() and (type = 'Reference' or type = 'canonical' "
            + "or type.memberOf('http://hl7.org/fhir/ValueSet/all-resource-types')))",
        ["ppc-2"] = Privacy("patient-privacy"),
        ["ppc-3"] = Privacy("research"),
        ["ppc-4"] = Privacy("adr"),
        ["ppc-5"] = Privacy("treatment"),
    };

    /// <summary>
    /// Invariants whose expression is empty where something is missing or is no number, and whose text leaves no doubt that this is a
    /// breach: ElementDefinition.max is a number or "*", so "x" is neither. Of all others, nothing said is nothing broken
    /// (docs/decisions/0010).
    /// </summary>
    private static readonly HashSet<string> MustSayTrue = ["eld-3", "md-1", "opd-2", "que-13", "ras-1", "vsd-9"];

    /// <summary>The types that a StructureDefinition of the core defines.</summary>
    /// <exception cref="InvalidOperationException">It has no snapshot of the expected shape.</exception>
    public static List<TypeDefinition> Compile(JsonElement definition)
    {
        var root = definition.GetProperty("type").GetString()!;
        var url = definition.GetProperty("url").GetString()!;
        var kind = definition.GetProperty("kind").GetString() switch
        {
            "resource" => TypeKind.Resource,
            "primitive-type" => TypeKind.Primitive,
            _ => TypeKind.Complex,
        };
        var isAbstract = definition.GetProperty("abstract").GetBoolean();
        var baseType = definition.TryGetProperty("baseDefinition", out var b)
            ? b.GetString()![(b.GetString()!.LastIndexOf('/') + 1)..]
            : null;

        var elements = definition.GetProperty("snapshot").GetProperty("element").EnumerateArray().ToList();
        var children = new Dictionary<string, List<JsonElement>>(StringComparer.Ordinal) { [root] = [] };
        foreach (var element in elements.Skip(1))
        {
            var path = element.GetProperty("path").GetString()!;
            var parent = path[..path.LastIndexOf('.')];
            if (!children.TryGetValue(parent, out var list)) children[parent] = list = [];
            // The value of a primitive is the JSON scalar itself.
            if (kind != TypeKind.Primitive || !path.EndsWith(".value", StringComparison.Ordinal)) list.Add(element);
        }
        var ofRoot = Invariants(elements[0], null);
        return [.. children.Select(c => new TypeDefinition(
            c.Key,
            c.Key == root ? kind : TypeKind.Backbone,
            isAbstract && c.Key == root,
            c.Key == root ? baseType : BackboneBase(elements, c.Key),
            [.. c.Value.Select(e => Element(e, url, children, elements))],
            c.Key == root ? ofRoot : []))];
    }

    private static string Privacy(string scope) =>
        "patient.exists() or "
        + $"scope.coding.where(system='http://terminology.hl7.org/CodeSystem/consentscope' and code='{scope}').exists().not()";

    private static string BackboneBase(List<JsonElement> elements, string path) =>
        Find(elements, path).GetProperty("type")[0].GetProperty("code").GetString()!;

    private static ElementSpec Element(
        JsonElement element, string definition, Dictionary<string, List<JsonElement>> backbones, List<JsonElement> all)
    {
        var path = element.GetProperty("path").GetString()!;
        var name = path[(path.LastIndexOf('.') + 1)..];
        var isChoice = name.EndsWith("[x]", StringComparison.Ordinal);
        var basePath = element.TryGetProperty("base", out var b) ? b.GetProperty("path").GetString()! : path;

        List<TypeReference> types;
        if (backbones.ContainsKey(path)) types = [new TypeReference(path, [])];
        else if (ContentOf(element) is { } content) types = [new TypeReference(content, [])];
        else types = [.. element.GetProperty("type").EnumerateArray().Select(x => Type(x, path, basePath))];

        Binding? bound = null;
        if (element.TryGetProperty("binding", out var binding) && binding.TryGetProperty("valueSet", out var url))
        {
            var strength = binding.GetProperty("strength").GetString() switch
            {
                "required" => BindingStrength.Required,
                "extensible" => BindingStrength.Extensible,
                _ => BindingStrength.None,
            };
            if (strength != BindingStrength.None) bound = new Binding(strength, url.GetString()!.Split('|')[0]);
        }
        return new ElementSpec(
            isChoice ? name[..^3] : name,
            element.GetProperty("min").GetInt32(),
            Max(element.GetProperty("max")),
            isChoice,
            types,
            bound,
            // The rules of an element come with its content.
            // https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.contentReference
            ContentOf(element) is { } at
                ? [.. Invariants(Find(all, at), definition), .. Invariants(element, definition)]
                : Invariants(element, definition))
        {
            IsSummary = element.TryGetProperty("isSummary", out var summary) && summary.GetBoolean(),
            IsModifier = element.TryGetProperty("isModifier", out var modifier) && modifier.GetBoolean(),
        };
    }

    private static string? ContentOf(JsonElement element) =>
        element.TryGetProperty("contentReference", out var content) ? content.GetString()!.Split('#')[1] : null;

    private static JsonElement Find(List<JsonElement> elements, string path) =>
        elements.First(e => e.GetProperty("path").GetString() == path);

    /// <summary>The invariants that a definition gives an element, without those it repeats of the element's type.</summary>
    /// <param name="element">The ElementDefinition.</param>
    /// <param name="source">The definition; null: all of the element's are its own.</param>
    private static List<Invariant> Invariants(JsonElement element, string? source)
    {
        var invariants = new List<Invariant>();
        if (element.TryGetProperty("constraint", out var constraints))
        {
            foreach (var constraint in constraints.EnumerateArray())
            {
                var key = constraint.GetProperty("key").GetString()!;
                // ele-1 is how JSON is read: an object or value that is empty is an error of its own.
                if (key == "ele-1" || !constraint.TryGetProperty("expression", out var expression)) continue;
                if (source is not null && constraint.TryGetProperty("source", out var from) && from.GetString() != source) continue;
                invariants.Add(new Invariant(
                    key, constraint.GetProperty("severity").GetString() == "warning", Correct(key, expression.GetString()!)));
            }
        }
        // A SimpleQuantity is a Quantity by its type code; the profile's one rule goes with the element.
        if (source is not null && element.TryGetProperty("type", out var types)
            && types.EnumerateArray().Any(t => t.TryGetProperty("profile", out var p) && p[0].GetString() == CoreTypes + "SimpleQuantity"))
            invariants.Add(new Invariant("sqty-1", false, "comparator.empty()"));
        return invariants;
    }

    /// <summary>An invariant's expression as it was meant.</summary>
    internal static string Correct(string key, string expression) =>
        Corrections.TryGetValue(key, out var corrected) ? corrected
        : MustSayTrue.Contains(key) ? $"({expression}).where($this).exists()"
        : expression == "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')" ? "name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')"
        : expression;

    internal static int Max(JsonElement max) => max.GetString() switch
    {
        "*" => -1,
        { } text when uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var most) =>
            (int)Math.Min(most, int.MaxValue),
        var other => throw new MalformedElementException($"max is a number or *, not '{other}'"),
    };

    private static TypeReference Type(JsonElement type, string path, string basePath)
    {
        var code = type.GetProperty("code").GetString()!;
        if (code.StartsWith(FhirPathTypes, StringComparison.Ordinal))
        {
            // Element.id is a string; the id of a resource has the id regex, the url of an extension is a uri.
            code = basePath == "Resource.id" ? "id" : path == "Extension.url" ? "uri" : "string";
        }
        var targets = new List<string>();
        if (type.TryGetProperty("targetProfile", out var profiles))
            targets.AddRange(profiles.EnumerateArray().Select(p => p.GetString()!)
                .Where(p => p.StartsWith(CoreTypes, StringComparison.Ordinal)).Select(p => p[CoreTypes.Length..]));
        return new TypeReference(
            code.StartsWith(CoreTypes, StringComparison.Ordinal) ? code[CoreTypes.Length..] : code,
            targets.Contains("Resource") ? [] : targets);
    }
}
