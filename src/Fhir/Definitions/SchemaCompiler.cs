using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Compiles the snapshot of a StructureDefinition to types: one for the root, one for each element that has children of its own.
/// Corrects what the official definitions get wrong: <c>Resource.id</c> is an id (they type it as a string).
/// </summary>
public static class SchemaCompiler
{
    private const string FhirPathTypes = "http://hl7.org/fhirpath/System.";
    private const string CoreTypes = "http://hl7.org/fhir/StructureDefinition/";

    /// <summary>The schema with the profile that a StructureDefinition defines.</summary>
    /// <exception cref="InvalidProfileException">It is no StructureDefinition with a snapshot; the text names it.</exception>
    public static FhirSchema WithProfile(this FhirSchema schema, ReadOnlyMemory<byte> structureDefinition)
    {
        try
        {
            using var json = JsonDocument.Parse(structureDefinition);
            return schema.WithProfile(Compile(json.RootElement));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new InvalidProfileException("not a StructureDefinition with a snapshot: " + e.Message, e);
        }
    }

    /// <summary>The types that a StructureDefinition defines; a profile's are named by its URL.</summary>
    internal static List<TypeDefinition> Compile(JsonElement definition)
    {
        var isProfile = definition.TryGetProperty("derivation", out var derivation) && derivation.GetString() == "constraint";
        var rootPath = definition.GetProperty("type").GetString()!;
        var rootName = isProfile ? definition.GetProperty("url").GetString()! : rootPath;
        var kind = definition.GetProperty("kind").GetString() switch
        {
            "resource" => TypeKind.Resource,
            "primitive-type" => TypeKind.Primitive,
            _ => TypeKind.Complex,
        };
        var isAbstract = definition.TryGetProperty("abstract", out var a) && a.GetBoolean();

        // A slice's own rules are not compiled here: elements whose id holds ':' are left out, the unsliced element stands for them.
        var elements = definition.GetProperty("snapshot").GetProperty("element").EnumerateArray()
            .Where(e => !e.GetProperty("id").GetString()!.Contains(':'))
            .ToList();
        var children = new Dictionary<string, List<JsonElement>>(StringComparer.Ordinal) { [rootPath] = [] };
        foreach (var element in elements.Skip(1))
        {
            var path = element.GetProperty("path").GetString()!;
            var parent = path[..path.LastIndexOf('.')];
            if (!children.TryGetValue(parent, out var list)) children[parent] = list = [];
            list.Add(element);
        }

        string TypeName(string path) => path == rootPath ? rootName : isProfile ? rootName + "#" + path : path;
        return [.. children.Select(c => new TypeDefinition(
            TypeName(c.Key),
            c.Key == rootPath ? kind : TypeKind.Backbone,
            isAbstract && c.Key == rootPath,
            [.. c.Value.Select(e => Element(e, path => children.ContainsKey(path) ? TypeName(path) : null, TypeName))]))];
    }

    private static ElementSpec Element(JsonElement element, Func<string, string?> ownType, Func<string, string> typeName)
    {
        var path = element.GetProperty("path").GetString()!;
        var name = path[(path.LastIndexOf('.') + 1)..];
        var isChoice = name.EndsWith("[x]", StringComparison.Ordinal);
        var max = Max(element.GetProperty("max"));
        var (baseMax, basePath) = element.TryGetProperty("base", out var b) ? (Max(b.GetProperty("max")), b.GetProperty("path").GetString()!) : (max, path);

        List<TypeReference> types;
        if (ownType(path) is { } own) types = [new TypeReference(own, [])];
        else if (element.TryGetProperty("contentReference", out var content)) types = [new TypeReference(typeName(content.GetString()!.Split('#')[1]), [])];
        else types = element.TryGetProperty("type", out var t) ? [.. t.EnumerateArray().Select(x => Type(x, path, basePath))] : [];

        string? valueSet = null;
        if (element.TryGetProperty("binding", out var binding)
            && binding.GetProperty("strength").GetString() == "required"
            && binding.TryGetProperty("valueSet", out var url)) valueSet = url.GetString()!.Split('|')[0];

        var (pattern, isFixed) = Pattern(element);
        return new ElementSpec(
            isChoice ? name[..^3] : name,
            element.GetProperty("min").GetInt32(),
            max,
            baseMax is -1 or > 1,
            isChoice,
            types,
            valueSet,
            pattern,
            isFixed);
    }

    private static (string? Json, bool IsFixed) Pattern(JsonElement element)
    {
        foreach (var property in element.EnumerateObject())
        {
            if (property.Name.StartsWith("fixed", StringComparison.Ordinal)) return (property.Value.GetRawText(), true);
            if (property.Name.StartsWith("pattern", StringComparison.Ordinal)) return (property.Value.GetRawText(), false);
        }
        return (null, false);
    }

    private static int Max(JsonElement max) => max.GetString() == "*" ? -1 : int.Parse(max.GetString()!, System.Globalization.CultureInfo.InvariantCulture);

    private static TypeReference Type(JsonElement type, string path, string basePath)
    {
        var code = type.GetProperty("code").GetString()!;
        if (code.StartsWith(FhirPathTypes, StringComparison.Ordinal))
        {
            // Element.id and the value of a primitive are strings; the id of a resource has the id regex, the url of an extension is a uri.
            code = basePath == "Resource.id" ? "id" : path == "Extension.url" ? "uri" : "string";
        }
        var targets = type.TryGetProperty("targetProfile", out var profiles)
            ? profiles.EnumerateArray().Select(p => p.GetString()!).Where(p => p.StartsWith(CoreTypes, StringComparison.Ordinal)).Select(p => p[CoreTypes.Length..]).ToList()
            : [];
        // A target outside the core definitions is a profile that this schema may not know: any type is let through then.
        if (profiles.ValueKind == JsonValueKind.Array && targets.Count != profiles.GetArrayLength()) targets = [];
        return new TypeReference(code.StartsWith(CoreTypes, StringComparison.Ordinal) ? code[CoreTypes.Length..] : code, targets.Contains("Resource") ? [] : targets);
    }
}

/// <summary>A StructureDefinition that cannot be compiled.</summary>
public sealed class InvalidProfileException(string message, Exception cause) : Exception(message, cause);
