using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PmrGateway.Fhir;

/// <summary>FHIRPath Patch: operations in a Parameters resource, on a resource. https://hl7.org/fhir/R4/fhirpatch.html</summary>
internal sealed class FhirPathPatch
{
    private readonly ResourceLimits _limits;
    private readonly PatchBudget _budget;
    private readonly CancellationToken _cancellation;
    private readonly JsonDocumentOptions _options;
    private readonly FhirPathContext _context;
    private ResourceDocument _document;

    /// <summary>A patch of a resource.</summary>
    /// <param name="document">The resource; it stays as it is.</param>
    /// <param name="limits">How large and deep the resource may be after each operation.</param>
    /// <param name="budget">What was taken before.</param>
    /// <param name="cancellation">Stops it.</param>
    public FhirPathPatch(ResourceDocument document, ResourceLimits limits, PatchBudget budget, CancellationToken cancellation)
    {
        (_document, _limits, _budget, _cancellation) = (document, limits, budget, cancellation);
        _options = new JsonDocumentOptions { MaxDepth = limits.JsonDepth };
        // The operations are the sender's: what one may take, all take together.
        _context = new FhirPathContext(document.Schema, document.Schema.Terminology)
        {
            MaxSteps = PatchBudget.MaxSteps,
            Steps = budget.Steps,
            IsOneBudget = true,
            Cancellation = cancellation,
            Now = TimeProvider.System.GetLocalNow(),
        };
    }

    /// <summary>The resource with the operations applied in their order, all or none.</summary>
    /// <param name="parameters">A Parameters with a parameter <c>operation</c> for each.</param>
    /// <param name="issue">Why not, when null.</param>
    public byte[]? Apply(ResourceDocument parameters, out ValidationIssue? issue)
    {
        issue = null;
        var number = 0;
        foreach (var operation in parameters.Root.ItemsAt("parameter").Where(p => p.StringAt("name") == "operation"))
        {
            number++;
            try
            {
                if (number > ResourcePatch.MaxOperations)
                    throw new PatchException($"a patch has at most {ResourcePatch.MaxOperations} operations");
                Apply(operation, isFirst: number == 1);
            }
            catch (Exception e) when (e is PatchException or FhirPathException)
            {
                var code = e switch
                {
                    PatchException refused => refused.Code,
                    FhirPathException { Fault: FhirPathFault.TooCostly } => IssueCode.TooCostly,
                    _ => IssueCode.Value,
                };
                var place = $"Parameters.parameter[{number - 1}]";
                issue = new ValidationIssue(IssueSeverity.Error, code, place, $"operation {number}: {e.Message}");
                return null;
            }
            finally
            {
                _budget.Steps = _context.Steps;
            }
        }
        return _document.Bytes.ToArray();
    }

    private void Apply(ElementNode operation, bool isFirst)
    {
        _cancellation.ThrowIfCancellationRequested();
        // The resource is read anew for each operation. The first is free, so that none is too large to be patched at all.
        if (!isFirst) _context.Spend(PatchBudget.Reading(_document.Bytes.Length));
        var root = JsonNode.Parse(_document.Bytes.Span, documentOptions: _options)!;
        var changed = PatchedJson.Write(new Operation(_context, _document, root, operation, _options).Run(), _limits);
        if (!ResourceDocument.TryParse(changed, out var next, out var broken, _limits)) throw new PatchException(broken!.Text);
        _document = next!;
    }

    private sealed class Operation(
        FhirPathContext context, ResourceDocument document, JsonNode root, ElementNode parameter, JsonDocumentOptions options)
    {
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
            FhirPathExpression.Compile(path).Evaluate(context, document);
            return
            [
                .. context.Slice(0).Select(i => i is { IsNode: true, Row: >= 0 }
                    ? i.Node
                    : throw new PatchException($"{IssueSink.Shown(path)} selects no element of the resource")),
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

        private JsonNode Build(ElementNode part, TypeDefinition? type)
        {
            if (ValueOf(part) is { } value) return JsonNode.Parse(value.RawBytes, documentOptions: options)!;
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
            var (node, holder) = Place(items[0]);
            if (node.Parent is JsonArray list)
            {
                var places = new HashSet<int>();
                foreach (var item in holder) places.Add(item.Index);
                if (items.TrueForAll(i => places.Contains(i.Index))) return list;
            }
            throw new PatchException($"{IssueSink.Shown(path)} is not one list");
        }

        private JsonNode Find(ElementNode target) => Place(target).Node;

        // From the document's node to the tree's: by the way that leads to its place in the bytes. And what holds it.
        private (JsonNode Node, ElementNode Holder) Place(ElementNode target)
        {
            var (node, at, holder) = (root, document.Root, document.Root);
            while (at.Index != target.Index)
            {
                var i = 0;
                var found = false;
                foreach (var child in at)
                {
                    if (child.Start <= target.Start && target.End <= child.End)
                    {
                        node = (at.Kind == JsonTokenType.StartArray ? node[i] : node[child.Name!])!;
                        (holder, at, found) = (at, child, true);
                        break;
                    }
                    i++;
                }
                if (!found) throw new PatchException("the element has no place of its own");
            }
            return (node, holder);
        }
    }
}
