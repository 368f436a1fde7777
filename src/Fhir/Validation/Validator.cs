using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Structural validation of a resource against a schema: names, types, cardinality, choice types, primitive formats, reference
/// targets, required bindings, narrative, and the patterns of a profile. Never throws on data. Source: R4 validation.html, json.html.
/// </summary>
public sealed class Validator(FhirSchema schema)
{
    private const int MaxIssues = 100;

    /// <summary>The findings, in document order; none: valid. At most 100.</summary>
    /// <param name="document">The resource. The profiles of the schema that its <c>meta.profile</c> claims are checked as well.</param>
    /// <param name="profile">Canonical URL of a further profile to check, or null.</param>
    public IReadOnlyList<ValidationIssue> Validate(ResourceDocument document, string? profile = null)
    {
        var run = new Run(schema);
        run.Resource(document.Root, "", isRoot: true);
        if (run.Issues.Count > 0) return run.Issues;
        var claimed = document.Root["meta"] is { } meta ? meta.ItemsAt("profile").Select(p => p.Text.Split('|')[0]).Where(p => schema.Profile(p) is not null) : [];
        foreach (var url in profile is null ? claimed : claimed.Append(profile).Distinct())
        {
            if (schema.Profile(url) is { } type) run.Object(document.Root, type, document.ResourceType, isResource: true);
            else run.Add(IssueCode.NotSupported, "", $"the profile {url} is not known here");
        }
        return run.Issues;
    }

    private sealed class Run(FhirSchema schema)
    {
        public List<ValidationIssue> Issues { get; } = [];

        public void Add(IssueCode code, string path, string text)
        {
            if (Issues.Count < MaxIssues) Issues.Add(new ValidationIssue(IssueSeverity.Error, code, path, text));
        }

        public void Resource(ElementNode node, string path, bool isRoot)
        {
            if (node.Kind != JsonTokenType.StartObject)
            {
                Add(IssueCode.Structure, path, "a resource is an object");
                return;
            }
            var name = node.StringAt("resourceType");
            if (name is null) Add(IssueCode.Structure, path, "resourceType is missing");
            else if (!schema.IsResourceType(name)) Add(IssueCode.Structure, path, $"'{Shown(name)}' is not a resource type of R4");
            else Object(node, schema.Type(name)!, isRoot ? name : path, isResource: true);
        }

        public void Object(ElementNode node, TypeDefinition type, string path, bool isResource)
        {
            if (node.ChildCount == 0) Add(IssueCode.Structure, path, "an object is not empty");
            var counts = new Dictionary<ElementSpec, (int Count, string Property)>(ReferenceEqualityComparer.Instance);
            foreach (var child in node)
            {
                if (isResource && child.Name == "resourceType") continue;
                if (type.Property(child.Name!) is not { } property)
                {
                    Add(IssueCode.Structure, path, $"'{Shown(child.Name!)}' is not an element of {Shown(ShortName(type.Name))}");
                    continue;
                }
                var at = path + "." + (property.Element.IsChoice ? property.Element.Name : child.Name!.TrimStart('_'));
                var count = property.IsSibling ? Sibling(node, child, property, at) : Values(node, child, property, at);
                if (property.IsSibling && node[child.Name![1..]] is not null) continue;
                if (counts.TryGetValue(property.Element, out var before) && before.Property != child.Name!.TrimStart('_'))
                    Add(IssueCode.Structure, at, "a choice element has one type only");
                counts[property.Element] = (count, child.Name!.TrimStart('_'));
            }
            foreach (var element in type.Elements)
            {
                var count = counts.TryGetValue(element, out var found) ? found.Count : 0;
                if (count < element.Min) Add(IssueCode.Required, path + "." + element.Name, $"at least {element.Min} of {element.Name} is required, {count} given");
                if (element.Max >= 0 && count > element.Max) Add(IssueCode.Structure, path + "." + element.Name, $"at most {element.Max} of {element.Name} is allowed, {count} given");
            }
        }

        private int Values(ElementNode parent, ElementNode node, PropertySpec property, string path)
        {
            if (!property.Element.IsArray)
            {
                if (node.Kind == JsonTokenType.StartArray) Add(IssueCode.Structure, path, "one value, not an array");
                else Value(node, property, path);
                return 1;
            }
            if (node.Kind != JsonTokenType.StartArray)
            {
                Add(IssueCode.Structure, path, "an array, even for one value");
                return 1;
            }
            if (node.ChildCount == 0) Add(IssueCode.Structure, path, "an array is not empty");
            var sibling = parent["_" + node.Name];
            var i = 0;
            foreach (var item in node)
            {
                var at = $"{path}[{i}]";
                // A null stands for "no value, see _name": it needs a _name array with an object at its place.
                if (item.Kind != JsonTokenType.Null || !char.IsAsciiLetterLower(property.Type.Name[0])) Value(item, property, at);
                else if (sibling is not { Kind: JsonTokenType.StartArray } s || Item(s, i) is not { Kind: JsonTokenType.StartObject })
                    Add(IssueCode.Structure, at, "null needs an extension at its place in _" + Shown(node.Name!));
                i++;
            }
            return i;
        }

        private int Sibling(ElementNode parent, ElementNode node, PropertySpec property, string path)
        {
            var element = schema.Type("Element")!;
            if (!property.Element.IsArray)
            {
                if (node.Kind == JsonTokenType.StartObject) Object(node, element, path, isResource: false);
                else Add(IssueCode.Structure, path, $"_{Shown(property.Element.Name)} is an object");
                return 1;
            }
            if (node.Kind != JsonTokenType.StartArray || node.ChildCount == 0)
            {
                Add(IssueCode.Structure, path, $"_{Shown(property.Element.Name)} is an array with items");
                return 1;
            }
            if (parent[node.Name![1..]] is { } values && values.ChildCount != node.ChildCount)
                Add(IssueCode.Structure, path, $"_{Shown(property.Element.Name)} has as many items as its values");
            var i = 0;
            foreach (var item in node)
            {
                if (item.Kind == JsonTokenType.StartObject) Object(item, element, $"{path}[{i}]", isResource: false);
                else if (item.Kind != JsonTokenType.Null) Add(IssueCode.Structure, $"{path}[{i}]", "an object or null");
                i++;
            }
            return i;
        }

        private void Value(ElementNode node, PropertySpec property, string path)
        {
            var name = property.Type.Name;
            if (name == "Resource")
            {
                Resource(node, path, isRoot: false);
                return;
            }
            var type = schema.Type(name);
            if (type is null)
            {
                Add(IssueCode.NotSupported, path, $"the type {Shown(name)} is not known here");
            }
            else if (type.Kind == TypeKind.Primitive)
            {
                if (Primitives.Check(name, node) is { } problem) Add(IssueCode.Value, path, problem);
                else Bind(property.Element, node, path);
            }
            else if (node.Kind != JsonTokenType.StartObject)
            {
                Add(IssueCode.Structure, path, $"a {Shown(ShortName(name))} is an object");
            }
            else
            {
                Object(node, type, path, isResource: false);
                if (name == "Reference") Reference(node, property.Type, path);
                Bind(property.Element, node, path);
            }
            if (property.Element.Pattern is { } pattern) Pattern(node, pattern, property.Element.IsFixed, path);
        }

        private void Reference(ElementNode node, TypeReference type, string path)
        {
            if (node.StringAt("reference") is { } reference && RelativeType(reference) is { } target)
            {
                if (!schema.IsResourceType(target)) return;
                if (type.Targets.Count > 0 && !type.Targets.Contains(target))
                    Add(IssueCode.Structure, path, $"a reference to {target} is not allowed here, only to {string.Join(", ", type.Targets)}");
                if (node.StringAt("type") is { } stated && !stated.Contains('/') && stated != target)
                    Add(IssueCode.Structure, path + ".type", $"the reference points to {target}, its type says otherwise");
            }
        }

        private void Bind(ElementSpec element, ElementNode node, string path)
        {
            if (element.RequiredValueSet is not { } valueSet) return;
            List<(string? System, string? Code)> codes = node.Kind switch
            {
                JsonTokenType.String => [(null, node.Text)],
                JsonTokenType.StartObject when node["coding"] is not null => [.. node.ItemsAt("coding").Select(Coding)],
                JsonTokenType.StartObject => [Coding(node)],
                _ => [],
            };
            codes.RemoveAll(c => c.Code is null);
            if (codes.Count > 0 && codes.All(c => schema.Contains(valueSet, c.System, c.Code!) == false))
                Add(IssueCode.CodeInvalid, path, $"the code is not in the required value set {valueSet}");
        }

        private void Pattern(ElementNode node, string pattern, bool isFixed, string path)
        {
            ResourceDocument.TryParse(System.Text.Encoding.UTF8.GetBytes($"{{\"p\":{pattern}}}"), out var document, out _);
            if (!Holds(node, document!.Root["p"]!.Value, isFixed)) Add(IssueCode.Value, path, "the value is not the one that the profile fixes");
        }

        private static bool Holds(ElementNode node, ElementNode pattern, bool isFixed)
        {
            if (node.Kind != pattern.Kind) return false;
            if (node.Kind is not (JsonTokenType.StartObject or JsonTokenType.StartArray)) return node.Text == pattern.Text;
            if (isFixed && node.ChildCount != pattern.ChildCount) return false;
            foreach (var wanted in pattern)
            {
                var found = false;
                foreach (var child in node) found |= child.Name == wanted.Name && Holds(child, wanted, isFixed);
                if (!found) return false;
            }
            return true;
        }

        private static (string? System, string? Code) Coding(ElementNode node) => (node.StringAt("system") ?? "", node.StringAt("code"));

        private static ElementNode? Item(ElementNode array, int index)
        {
            foreach (var item in array)
                if (index-- == 0) return item;
            return null;
        }

        /// <summary>The type of a literal reference, Type/id or http(s)://.../Type/id with or without a version; null for others.</summary>
        private static string? RelativeType(string reference)
        {
            if (reference.StartsWith('#') || reference.StartsWith("urn:", StringComparison.Ordinal)) return null;
            var parts = reference.Split('?')[0].Split('/');
            var history = Array.LastIndexOf(parts, "_history");
            var end = history > 0 ? history : parts.Length;
            if (reference.Contains('?')) return parts.Length == 1 ? parts[0] : null;
            return end >= 2 ? parts[end - 2] : null;
        }

        private static string ShortName(string type) => type[(type.LastIndexOf('/') + 1)..];

        // Names come from the sender: a page of them is cut, and control characters do not reach a log or a terminal.
        private static string Shown(string name)
        {
            var clean = new string([.. name.Where(c => !char.IsControl(c)).Take(64)]);
            return clean.Length < name.Length ? clean + "..." : clean;
        }
    }
}
