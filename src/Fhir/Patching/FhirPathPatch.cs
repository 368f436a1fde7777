using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PmrGateway.Fhir;

/// <summary>FHIRPath Patch: operations in a Parameters resource. https://hl7.org/fhir/R4/fhirpatch.html</summary>
internal static class FhirPathPatch
{
    /// <summary>A resource with the operations applied in their order, all or none.</summary>
    /// <param name="document">The resource.</param>
    /// <param name="parameters">A Parameters with a parameter <c>operation</c> for each.</param>
    /// <param name="limits">How large and deep the resource may be after each operation.</param>
    /// <param name="issue">Why not, when null.</param>
    public static byte[]? Apply(ResourceDocument document, ResourceDocument parameters, ResourceLimits limits, out ValidationIssue? issue)
    {
        issue = null;
        var current = document;
        var options = new JsonDocumentOptions { MaxDepth = limits.JsonDepth };
        var number = 0;
        foreach (var operation in parameters.Root.ItemsAt("parameter").Where(p => p.StringAt("name") == "operation"))
        {
            number++;
            try
            {
                if (number > ResourcePatch.MaxOperations)
                    throw new PatchException($"a patch has at most {ResourcePatch.MaxOperations} operations");
                var root = JsonNode.Parse(current.Bytes.Span, documentOptions: options)!;
                var changed = Encoding.UTF8.GetBytes(new Operation(current, root, operation).Run().ToJsonString(JsonPatch.Plain));
                if (!ResourceDocument.TryParse(changed, out var next, out var broken, limits)) throw new PatchException(broken!.Text);
                current = next!;
            }
            catch (Exception e) when (e is PatchException or FhirPathException)
            {
                var place = $"Parameters.parameter[{number - 1}]";
                issue = new ValidationIssue(IssueSeverity.Error, IssueCode.Value, place, $"operation {number}: {e.Message}");
                return null;
            }
        }
        return current.Bytes.ToArray();
    }

    private sealed class Operation(ResourceDocument document, JsonNode root, ElementNode parameter)
    {
        // What was parsed before is as deep as it may be.
        private static readonly JsonDocumentOptions Deep = new() { MaxDepth = JsonPatch.Plain.MaxDepth };

        public JsonNode Run()
        {
            var path = Text("path");
            switch (Text("type"))
            {
                case "add":
                    Add(Single(path));
                    break;
                case "insert":
                    var list = List(path);
                    list.Insert(Number("index", list.Count), Value(Select(path)[0].Type));
                    break;
                case "delete":
                    // What is not there need not be deleted.
                    if (Select(path).Count > 0) Remove(Element(path));
                    break;
                case "replace":
                    var target = Element(path);
                    Find(target).ReplaceWith(Value(target.Type));
                    break;
                case "move":
                    var items = List(path);
                    var (from, to) = (Number("source", items.Count - 1), Number("destination", items.Count - 1));
                    var moved = items[from];
                    items.RemoveAt(from);
                    items.Insert(to, moved);
                    break;
                default:
                    throw new PatchException("there is no such operation");
            }
            return root;
        }

        private List<ElementNode> Select(string path)
        {
            var found = FhirPathExpression.Compile(path).Evaluate(document);
            return
            [
                .. found.Select(r => r.Node
                    ?? throw new PatchException($"{IssueSink.Shown(path)} selects no element of the resource")),
            ];
        }

        private ElementNode Single(string path) => Select(path) switch
        {
            [var one] => one,
            [] => throw new PatchException($"{IssueSink.Shown(path)} selects nothing"),
            _ => throw new PatchException($"{IssueSink.Shown(path)} selects several elements"),
        };

        private ElementNode Element(string path) => Single(path) is var one && one.Index != document.Root.Index
            ? one
            : throw new PatchException($"{IssueSink.Shown(path)} is the resource itself: a patch changes its elements");

        private ElementNode? Part(string name)
        {
            foreach (var part in parameter.ItemsAt("part"))
                if (part.StringAt("name") == name) return part;
            return null;
        }

        private string Text(string name) =>
            Part(name) is { } part && ValueOf(part) is { Kind: JsonTokenType.String } value
                ? value.Text
                : throw new PatchException($"the part {name} is missing");

        private int Number(string name, int max)
        {
            var text = Part(name) is { } part && ValueOf(part) is { Kind: JsonTokenType.Number } value ? value.Text : null;
            var isPlace = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= max;
            return isPlace ? number : throw new PatchException($"the part {name} is no place in the list");
        }

        private static ElementNode? ValueOf(ElementNode part)
        {
            foreach (var child in part)
                if (child.Property is { IsSibling: false, Element.Name: "value" }) return child;
            return null;
        }

        // A value[x], or parts that make an element of a backbone. Parts are nested no deeper than the patch was parsed.
        private JsonNode Value(TypeDefinition? type) =>
            Part("value") is { } part ? Build(part, type) : throw new PatchException("the part value is missing");

        private static JsonNode Build(ElementNode part, TypeDefinition? type)
        {
            if (ValueOf(part) is { } value) return JsonNode.Parse(value.RawBytes, documentOptions: Deep)!;
            var made = new JsonObject();
            foreach (var inner in part.ItemsAt("part"))
            {
                var name = inner.StringAt("name") ?? throw new PatchException("a part has a name");
                var (property, isArray, below) = Property(type, name, inner);
                var node = Build(inner, below);
                if (!isArray && !made.TryAdd(property, node)) throw new PatchException($"{IssueSink.Shown(name)} is there twice");
                if (!isArray) continue;
                if (made[property] is JsonArray known) known.Add(node);
                else made[property] = new JsonArray(node);
            }
            return made.Count > 0 ? made : throw new PatchException("a value is missing");
        }

        // The JSON name of an element: of a choice with the type of the value.
        private static (string Name, bool IsArray, TypeDefinition? Type) Property(TypeDefinition? type, string element, ElementNode part)
        {
            var spec = type?.Elements.FirstOrDefault(e => e.Name == element)
                ?? throw new PatchException($"{type?.Name} has no element {IssueSink.Shown(element)}");
            var suffix = ValueOf(part)?.Name?[5..];
            var name = spec.IsChoice ? element + suffix : element;
            return (name, spec.IsArray, type!.Property(name)?.Type.Definition);
        }

        private void Add(ElementNode to)
        {
            var part = Part("value") ?? throw new PatchException("the part value is missing");
            var (name, isArray, type) = Property(to.Type, Text("name"), part);
            var holder = Find(to) as JsonObject ?? throw new PatchException("nothing can be added to a value that is no object");
            var value = Build(part, type);
            if (!isArray && holder.ContainsKey(name)) throw new PatchException($"{name} is there already");
            if (!isArray) holder[name] = value;
            else if (holder[name] is JsonArray known) known.Add(value);
            else holder[name] = new JsonArray(value);
        }

        // What is left empty goes as well: FHIR has no empty objects and arrays.
        private void Remove(ElementNode target)
        {
            var node = Find(target);
            while (node.Parent is { } parent)
            {
                if (parent is JsonArray array)
                {
                    array.Remove(node);
                    if (array.Count > 0) return;
                }
                else
                {
                    var name = node.GetPropertyName();
                    ((JsonObject)parent).Remove(name);
                    ((JsonObject)parent).Remove("_" + name);
                    if (((JsonObject)parent).Count > 0) return;
                }
                node = parent;
            }
        }

        private JsonArray List(string path)
        {
            var items = Select(path);
            if (items.Count == 0) throw new PatchException($"{IssueSink.Shown(path)} selects nothing");
            var lists = items.Select(i => Find(i).Parent).Distinct().ToList();
            return lists is [JsonArray only] ? only : throw new PatchException($"{IssueSink.Shown(path)} is not one list");
        }

        // From the document's node to the tree's: by the way that leads to its place in the bytes.
        private JsonNode Find(ElementNode target)
        {
            var (node, at) = (root, document.Root);
            while (at.Index != target.Index)
            {
                var i = 0;
                var found = false;
                foreach (var child in at)
                {
                    if (child.Start <= target.Start && target.End <= child.End)
                    {
                        node = (at.Kind == JsonTokenType.StartArray ? node[i] : node[child.Name!])!;
                        (at, found) = (child, true);
                        break;
                    }
                    i++;
                }
                if (!found) throw new PatchException("the element has no place of its own");
            }
            return node;
        }
    }
}
