using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Goes over a document by the types of R4: names, cardinality, arrays, values, invariants. What looks at more than one element is a rule
/// of its own (<see cref="BundleRules"/>, <see cref="ReferenceRules"/>, <see cref="ExtensionRules"/>, profiles), called where it applies.
/// </summary>
internal sealed class TypeWalk(ValidationRun run, FhirSchema schema)
{
    private readonly IssueSink _sink = run.Sink;
    private readonly TypeDefinition _element = schema.Type("Element")!;
    private ExtensionOwner _owner;

    /// <summary>Checks a resource and what is in it.</summary>
    public void Check(ElementNode node)
    {
        var isRoot = node.Index == 0;
        if (node.Kind != JsonTokenType.StartObject)
        {
            _sink.Error(IssueCode.Structure, node, "a resource is an object");
            return;
        }
        if (node.Type is not { Kind: TypeKind.Resource, IsAbstract: false } type)
        {
            var name = node["resourceType"];
            _sink.Error(
                IssueCode.Structure,
                name ?? node,
                name is null
                    ? "resourceType is missing"
                    : name.Value.Kind != JsonTokenType.String
                    ? "resourceType is a string"
                    : $"'{IssueSink.Shown(name.Value.Text)}' is not a resource type of R4");
            return;
        }
        var outer = run.Enter(node);
        if (isRoot) _sink.Push(type.Name);
        Object(node, type, isResource: true);
        if (node["contained"] is not null) ContainedRules.Check(run, node);
        switch (type.Name)
        {
            case "Bundle":
                new BundleRules(run, node).Check();
                break;
            case "Questionnaire":
                new QuestionnaireRules(run, node).Check();
                break;
            case "QuestionnaireResponse":
                new QuestionnaireResponseRules(run, node).Check();
                break;
        }
        Invariants(type, Item.OfNode(node), node);
        Claims(node);
        if (isRoot) _sink.Pop();
        run.Leave(outer);
    }

    private void Claims(ElementNode node)
    {
        if (node["meta"] is not { Kind: JsonTokenType.StartObject } meta) return;
        foreach (var claim in meta.ItemsAt("profile"))
        {
            if (claim.Kind != JsonTokenType.String) continue;
            var url = claim.Text;
            if (run.Profile(url) is { } profile)
            {
                if (profile.Type == node.Type!.Name) new ProfileRun(run, profile).Check(node);
                else
                    _sink.Error(IssueCode.Structure, claim, $"the profile {IssueSink.Shown(url)} is one of {profile.Type}", "meta.profile");
            }
            else if (schema.TypeOfCanonical(url) is { } core)
            {
                if (!node.Type!.Is(core)) _sink.Error(IssueCode.Structure, claim, $"it is no {IssueSink.Shown(url)}", "meta.profile");
            }
            else
            {
                _sink.Warning(
                    IssueCode.NotSupported,
                    claim,
                    $"the profile {IssueSink.Shown(url)} is not known here and was not checked",
                    "meta.profile");
            }
        }
    }

    private void Object(ElementNode node, TypeDefinition type, bool isResource, PropertySpec? of = null)
    {
        var outer = _owner;
        _owner = new ExtensionOwner(of ?? node.Property, node, outer.Node);
        if (node.ChildCount == 0 && !isResource) _sink.Error(IssueCode.Structure, node, "an object is not empty");
        // ele-1, by hand: of the invariants this one is asked of everything.
        if (node.ChildCount == 1 && !isResource && of is null && node["id"] is not null)
            _sink.Error(IssueCode.Invariant, node, "an element has a value or children beside its id (ele-1)");
        Span<int> counts = stackalloc int[type.Elements.Count];
        Span<int> names = stackalloc int[type.Elements.Count];
        foreach (var child in node)
        {
            if (isResource && child.NameId == schema.Names.ResourceType) continue;
            if (child.Property is not { } property)
            {
                _sink.Error(IssueCode.Structure, child, $"'{IssueSink.Shown(child.Name!)}' is not an element of {type.Name}");
                continue;
            }
            var value = property.IsSibling ? property.PairId : property.NameId;
            var ordinal = property.Element.Ordinal;
            if (counts[ordinal] > 0 && names[ordinal] != value)
                _sink.Error(IssueCode.Structure, child, "a choice element has one type only", property.Element.Name);
            names[ordinal] = value;
            if (property.IsSibling) counts[ordinal] = Math.Max(counts[ordinal], Sibling(node, child, property));
            else counts[ordinal] = Math.Max(counts[ordinal], Values(node, child, property));
        }
        for (var i = 0; i < type.Elements.Count; i++)
        {
            var element = type.Elements[i];
            if (counts[i] < element.Min)
                _sink.Error(
                    IssueCode.Required, node, $"at least {element.Min} of {element.Name} is required, {counts[i]} given", element.Name);
            if (element.Max >= 0 && counts[i] > element.Max)
                _sink.Error(
                    IssueCode.Structure, node, $"at most {element.Max} of {element.Name} is allowed, {counts[i]} given", element.Name);
        }
        _owner = outer;
    }

    private int Values(ElementNode parent, ElementNode node, PropertySpec property)
    {
        var sibling = property.PairId < 0 ? null : parent.Child(property.PairId);
        if (!property.Element.IsArray)
        {
            _sink.Push(property.Element.Name);
            if (node.Kind == JsonTokenType.StartArray) _sink.Error(IssueCode.Structure, node, "one value, not an array");
            else if (node.Kind == JsonTokenType.Null) _sink.Error(IssueCode.Structure, node, "null is no value");
            else Value(parent, node, sibling, property);
            _sink.Pop();
            return 1;
        }
        if (node.Kind != JsonTokenType.StartArray)
        {
            _sink.Error(IssueCode.Structure, node, "an array, even for one value", property.Element.Name);
            return 1;
        }
        if (node.ChildCount == 0) _sink.Error(IssueCode.Structure, node, "an array is not empty", property.Element.Name);
        var beside = sibling is { Kind: JsonTokenType.StartArray, ChildCount: > 0 } s ? s.Index + 1 : -1;
        var i = 0;
        foreach (var item in node)
        {
            _sink.Push(property.Element.Name, i++);
            var hasOther = beside >= 0 && run.Document.Rows[beside].Kind == JsonTokenType.StartObject;
            ElementNode? other = hasOther ? new ElementNode(run.Document, beside) : null;
            // A null stands for "no value, see _name": it needs a _name array with an object at its place.
            if (item.Kind != JsonTokenType.Null) Value(node, item, other, property);
            else if (property.PairId < 0) _sink.Error(IssueCode.Structure, item, $"a {property.Type.Name} is an object");
            else if (other is null) _sink.Error(IssueCode.Structure, item, "null needs an extension at its place in _" + property.Name);
            if (beside >= 0) beside = run.Document.Rows[beside].Next;
            _sink.Pop();
        }
        return i;
    }

    private int Sibling(ElementNode parent, ElementNode node, PropertySpec property)
    {
        // An attribute in XML, which has neither id nor extensions.
        if (property.Path == "Extension.url") _sink.Error(IssueCode.Structure, node, "the url of an extension has no extensions", "url");
        var value = parent.Child(property.PairId);
        if (!property.Element.IsArray)
        {
            _sink.Push(property.Element.Name);
            if (node.Kind != JsonTokenType.StartObject) _sink.Error(IssueCode.Structure, node, $"{property.Name} is an object");
            else Primitive(node, property, value);
            _sink.Pop();
            return 1;
        }
        if (node.Kind != JsonTokenType.StartArray || node.ChildCount == 0)
        {
            _sink.Error(IssueCode.Structure, node, $"{property.Name} is an array with items", property.Element.Name);
            return 1;
        }
        if (value is { } values && values.ChildCount != node.ChildCount)
            _sink.Error(IssueCode.Structure, node, $"{property.Name} has as many items as its values", property.Element.Name);
        var i = 0;
        foreach (var item in node)
        {
            _sink.Push(property.Element.Name, i++);
            if (item.Kind == JsonTokenType.StartObject) Primitive(item, property, value);
            else if (item.Kind != JsonTokenType.Null) _sink.Error(IssueCode.Structure, item, "an object or null");
            else if (value is null) _sink.Error(IssueCode.Structure, item, "null needs a value at its place");
            _sink.Pop();
        }
        return i;
    }

    // Id and extensions of a primitive.
    private void Primitive(ElementNode node, PropertySpec property, ElementNode? value)
    {
        Object(node, _element, isResource: false, property);
        if (value is null && node["extension"] is null)
            _sink.Error(IssueCode.Structure, node, "an element without a value has an extension");
        if (value is null && property.Type.Definition is { } type)
            Invariants(property.Element.Invariants, Item.OfNode(run.Document, -1, node.Index, type), node);
    }

    private void Value(ElementNode parent, ElementNode node, ElementNode? sibling, PropertySpec property)
    {
        var type = node.Property?.Type.Definition;
        if (type is { Kind: TypeKind.Resource })
        {
            Check(node);
            return;
        }
        if (type is null)
        {
            _sink.Error(IssueCode.NotSupported, node, $"the type {property.Type.Name} is not known here");
            return;
        }
        var element = property.Element;
        if (type.Kind == TypeKind.Primitive)
        {
            Primitive(type, node, property);
        }
        else if (node.Kind != JsonTokenType.StartObject)
        {
            _sink.Error(IssueCode.Structure, node, $"a {type.Name} is an object");
            return;
        }
        else
        {
            Object(node, type, isResource: false);
            switch (type.Name)
            {
                case "Reference":
                    run.References.Check(node, property.Type);
                    break;
                case "Extension":
                    ExtensionRules.Check(run, _owner, property, node);
                    break;
                case "Coding":
                    CodingRules.Check(run, node);
                    break;
                case "Identifier":
                    CheckSystem(node);
                    break;
                case "Attachment":
                    AttachmentRules.Check(run, node);
                    break;
            }
            if (element.Binding is { } binding) BindingRules.Check(run, binding, node);
        }
        var item = Item.OfNode(run.Document, node.Index, sibling?.Index ?? -1, type);
        Invariants(element.Invariants, item, node);
        Invariants(type, item, node);
    }

    // The value of a primitive; one finding is enough for it.
    private void Primitive(TypeDefinition type, ElementNode node, PropertySpec property)
    {
        var element = property.Element;
        if (Primitives.Check(type.Name, node) is { } problem)
            _sink.Error(IssueCode.Value, node, problem);
        else if (run.Options.RefusesTagsInTexts && type.Name is "string" or "markdown" or "code" or "uri" && HoldsTag(node.Utf8Text.Span))
            _sink.Error(IssueCode.Value, node, "the text holds an HTML tag");
        else if (element.Name == "id" && type.Name == "string" && node.Utf8Text.Span.Contains((byte)' '))
            _sink.Error(IssueCode.Value, node, "the id of an element holds no spaces");
        else if (element.Name == "language" && schema.Type(property.Path[..^9])?.Kind == TypeKind.Resource
            && !CodeGrammar.IsLanguageTag(node.Text))
            _sink.Error(IssueCode.CodeInvalid, node, "a language is a tag of BCP 47");
        else if (property.Type.Name == "canonical")
            run.References.CheckCanonical(node, property.Type);
        else if (element.Binding is { } binding)
            BindingRules.Check(run, binding, node);
    }

    // https://hl7.org/fhir/R4/datatypes-definitions.html#Identifier.system
    private void CheckSystem(ElementNode identifier)
    {
        if (identifier["system"] is { Kind: JsonTokenType.String } system && !system.Utf8Text.Span.Contains((byte)':'))
            _sink.Error(IssueCode.Value, system, "the system of an Identifier is an absolute URI", "system");
    }

    private static bool HoldsTag(ReadOnlySpan<byte> text)
    {
        for (var at = text.IndexOf((byte)'<'); at >= 0 && at + 1 < text.Length; at = text.IndexOf((byte)'<'))
        {
            text = text[(at + 1)..];
            // A sign of comparison stands before a blank or a digit, and is not closed.
            if ((char.IsAsciiLetter((char)text[0]) || text[0] is (byte)'/' or (byte)'!')
                && text.IndexOfAny((byte)'<', (byte)'>') is var end and > 0 && text[end] == '>')
                return true;
        }
        return false;
    }

    private void Invariants(TypeDefinition type, in Item item, ElementNode node)
    {
        for (var t = type; t is not null; t = t.Base)
        {
            Invariants(t.Invariants, item, node);
            // The snapshot of a resource or datatype repeats what it inherits.
            if (t.Kind != TypeKind.Backbone) break;
        }
    }

    private void Invariants(IReadOnlyList<Invariant> invariants, in Item item, ElementNode node)
    {
        for (var i = 0; i < invariants.Count; i++)
        {
            var invariant = invariants[i];
            if (NativeInvariants.Find(invariant.Key) is { } native)
            {
                if (!native(run, node)) run.Check(invariant, item, node);
            }
            else
            {
                run.Check(invariant, item, node);
            }
        }
    }
}
