using System.Text.Json;
using System.Text.Json.Nodes;

namespace PmrGateway.Tools.DefinitionPack;

/// <summary>Leaves of a StructureDefinition what a validator reads: no prose, no mappings, nothing that the type itself says.</summary>
internal static class ProfileStripper
{
    private static readonly HashSet<string> Kept =
        ["id", "path", "min", "max", "type", "contentReference", "slicing", "sliceName", "binding", "constraint", "maxLength"];

    private static readonly string[] Values = ["fixed", "pattern", "minValue", "maxValue"];

    public static string Strip(JsonElement definition)
    {
        var elements = new JsonArray();
        foreach (var element in definition.GetProperty("snapshot").GetProperty("element").EnumerateArray())
        {
            var kept = new JsonObject();
            foreach (var property in element.EnumerateObject())
            {
                var isValue = Values.Any(v => property.Name.StartsWith(v, StringComparison.Ordinal));
                if (property.Name == "binding") kept["binding"] = Only(property.Value, "strength", "valueSet");
                else if (property.Name == "constraint") kept["constraint"] = Constraints(property.Value);
                else if (Kept.Contains(property.Name) || isValue) kept[property.Name] = JsonNode.Parse(property.Value.GetRawText());
            }
            // Of an extension: whether it changes the meaning of what it stands on.
            if (elements.Count == 0 && element.TryGetProperty("isModifier", out var isModifier) && isModifier.GetBoolean())
                kept["isModifier"] = true;
            elements.Add(kept);
        }
        var result = Only(
            definition, "resourceType", "url", "kind", "abstract", "type", "baseDefinition", "derivation", "context", "contextInvariant");
        result["snapshot"] = new JsonObject { ["element"] = elements };
        return result.ToJsonString();
    }

    private static JsonArray Constraints(JsonElement constraints)
    {
        var kept = new JsonArray();
        foreach (var constraint in constraints.EnumerateArray())
        {
            if (constraint.GetProperty("key").GetString() is not ("ele-1" or "ext-1"))
                kept.Add(Only(constraint, "key", "severity", "expression", "source"));
        }
        return kept;
    }

    private static JsonObject Only(JsonElement element, params string[] names)
    {
        var kept = new JsonObject();
        foreach (var name in names)
            if (element.TryGetProperty(name, out var value)) kept[name] = JsonNode.Parse(value.GetRawText());
        return kept;
    }
}
