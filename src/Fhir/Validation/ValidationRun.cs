using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// One walk over one document by the types of R4. The rules that look at more than one element (<see cref="BundleRules"/>,
/// <see cref="ReferenceRules"/>, <see cref="ExtensionRules"/>, profiles) are called from here, each where it applies.
/// </summary>
internal sealed class ValidationRun
{
    private readonly FhirSchema _schema;
    private readonly FhirPathContext _context;
    private readonly TypeDefinition _element;
    private HashSet<string>? _broken;
    private List<string>? _unknown;
    private Item _resource;
    private Item _root;
    private ExtensionOwner _owner;

    public ValidationRun(ResourceDocument document, FhirSchema schema, ProfileSet profiles, ValidationOptions options, FhirPathContext context)
    {
        (Document, _schema, Profiles, Options, _context) = (document, schema, profiles, options, context);
        Sink = new IssueSink(document, options.MaxIssues);
        _element = schema.Type("Element")!;
        References = new ReferenceRules(this);
    }

    public ResourceDocument Document { get; }

    public ProfileSet Profiles { get; }

    public ValidationOptions Options { get; }

    public IssueSink Sink { get; }

    /// <summary>A stack to collect children on; what is taken from it is copied before anything else uses it.</summary>
    public FhirPathContext Scratch => field ??= new FhirPathContext(_schema, Profiles.Terminology);

    /// <summary>%resource: the resource that holds what is being looked at.</summary>
    public Item Resource => _resource;

    /// <summary>%rootResource: the same, or what contains it.</summary>
    public Item Root => _root;

    public ReferenceRules References { get; }

    public ValidationReport Validate(string? profile)
    {
        if (profile is not null && TypeOf(profile) is null)
        {
            if (_broken is null) Sink.Error(IssueCode.NotSupported, Document.Root, $"the profile {IssueSink.Shown(profile)} is not known here");
            return new ValidationReport(Sink.Issues, Sink.Errors);
        }
        CheckResource(Document.Root);
        if (profile is not null && Document.Root.Type is { } actual && _schema.Type(TypeOf(profile)!) is { } wanted && !actual.Is(wanted))
        {
            Sink.Error(IssueCode.Structure, Document.Root, $"the profile {IssueSink.Shown(profile)} is one of {wanted.Name}, the resource is a {actual.Name}");
            return new ValidationReport(Sink.Issues, Sink.Errors);
        }
        if (profile is not null && Document.Root.Type is { } type && Profile(profile) is { } found)
        {
            var outer = Enter(Document.Root);
            Sink.Push(type.Name);
            new ProfileRun(this, found).Check(Document.Root);
            Sink.Pop();
            Leave(outer);
        }
        foreach (var problem in Profiles.BrokenValueSets) Sink.Warning(IssueCode.NotSupported, Document.Root, "a value set cannot be used: " + problem);
        return new ValidationReport(Sink.Issues, Sink.Errors);
    }

    /// <summary>Looks at a resource from inside it. Of a contained resource %rootResource is what contains it; an entry's is its own. https://hl7.org/fhir/R4/fhirpath.html#variables</summary>
    /// <returns>Where the view was: for <see cref="Leave"/>.</returns>
    public (Item Resource, Item Root) Enter(ElementNode resource)
    {
        var outer = (_resource, _root);
        _resource = Item.OfNode(resource);
        if (resource.Property?.Element.Name != "contained") _root = _resource;
        return outer;
    }

    /// <summary>Looks from where the view was again.</summary>
    public void Leave((Item Resource, Item Root) outer) => (_resource, _root) = outer;

    /// <summary>A profile by canonical URL; null: it is not known, or cannot be used, which is an error where it is first asked for.</summary>
    public Profile? Profile(string canonical)
    {
        try
        {
            return Profiles.Find(canonical);
        }
        catch (InvalidProfileException e)
        {
            if ((_broken ??= new HashSet<string>(StringComparer.Ordinal)).Add(canonical)) Sink.Error(IssueCode.NotSupported, Document.Root, "a profile cannot be used: " + e.Message);
            return null;
        }
    }

    /// <summary>Says, once in a validation, that something could not be looked at because it is not known here.</summary>
    public void Unknown(string what, ReadOnlySpan<char> name, ElementNode at)
    {
        var text = UnknownNames.Text(what, name);
        _unknown ??= new List<string>(4);
        if (_unknown.Contains(text)) return;
        // A document may name systems without end; after some the list is full of them anyway.
        if (_unknown.Count < Options.MaxIssues) _unknown.Add(text);
        Sink.Warning(IssueCode.NotSupported, at, text);
    }

    /// <summary>The type that a canonical URL names, of the core or by a profile of it; null: the URL is not known.</summary>
    public string? TypeOf(string canonical) => Profile(canonical)?.Type ?? _schema.TypeOfCanonical(canonical)?.Name;

    /// <summary>Whether an element is of the type that a canonical URL names, and conforms where that is a profile.</summary>
    public bool IsOf(ElementNode node, string canonical) =>
        Profile(canonical) is { } profile ? node.Type?.Name == profile.Type && Probe(node, profile) : _schema.TypeOfCanonical(canonical) is { } type && node.Type?.Is(type) == true;

    /// <summary>Whether an element conforms to a profile; findings are not kept.</summary>
    public bool Conforms(ElementNode node, Profile profile)
    {
        _resource = _root = Item.OfNode(node);
        Sink.Push(node.Type?.Name ?? "");
        new ProfileRun(this, profile).Check(node);
        return Sink.Errors == 0;
    }

    /// <summary>Whether an element conforms to a profile, asked in the middle of a validation: by a run and a stack of their own.</summary>
    public bool Probe(ElementNode node, Profile profile) =>
        new ValidationRun(node.Document, _schema, Profiles, Options, new FhirPathContext(_schema, Profiles.Terminology)).Conforms(node, profile);

    /// <summary>Whether an invariant holds; null where it could not be evaluated.</summary>
    public bool? Holds(Invariant invariant, in Item item)
    {
        _context.Begin(item, _resource, _root);
        try
        {
            // Nothing to say is no breach: a comparison of dates of different precision, a rule over an element that is absent.
            return invariant.Compiled.Body.Test(_context, item) ?? true;
        }
        catch (FhirPathException)
        {
            return null;
        }
    }

    /// <summary>Whether an expression over the resource at hand selects an element; an expression that cannot be evaluated is taken to.</summary>
    public bool Selects(string expression, ElementNode element)
    {
        try
        {
            _context.Begin(_root, _root, _root);
            FhirPathExpression.Compile(expression).Body.Eval(_context, _root);
            foreach (var found in _context.Slice(0))
                if (found.Row == element.Index || found.Sibling == element.Index) return true;
            return false;
        }
        catch (FhirPathException)
        {
            return true;
        }
    }

    public void Check(Invariant invariant, in Item item, ElementNode at)
    {
        Report(invariant, Holds(invariant, item), at);
    }

    /// <summary>Says what an invariant came to.</summary>
    /// <param name="invariant">The rule.</param>
    /// <param name="holds">Whether it holds; null: it could not be evaluated.</param>
    /// <param name="at">The element.</param>
    public void Report(Invariant invariant, bool? holds, ElementNode at)
    {
        if (holds == true) return;
        var text = holds is null ? $"the rule {invariant.Key} cannot be evaluated: {Short(invariant.Expression)}" : $"the rule {invariant.Key} does not hold: {Short(invariant.Expression)}";
        if (holds is null || invariant.IsWarning) Sink.Warning(IssueCode.Invariant, at, text);
        else Sink.Error(IssueCode.Invariant, at, text);
    }

    private static string Short(string expression) => expression.Length > 1000 ? expression[..1000] + "..." : expression;

    private void CheckResource(ElementNode node)
    {
        var isRoot = node.Index == 0;
        if (node.Kind != JsonTokenType.StartObject)
        {
            Sink.Error(IssueCode.Structure, node, "a resource is an object");
            return;
        }
        if (node.Type is not { Kind: TypeKind.Resource, IsAbstract: false } type)
        {
            var name = node["resourceType"];
            Sink.Error(IssueCode.Structure, name ?? node, name is null ? "resourceType is missing" : name.Value.Kind != JsonTokenType.String ? "resourceType is a string" : $"'{IssueSink.Shown(name.Value.Text)}' is not a resource type of R4");
            return;
        }
        var outer = Enter(node);
        if (isRoot) Sink.Push(type.Name);
        Object(node, type, isResource: true);
        if (node["contained"] is not null) ContainedRules.Check(this, node);
        if (type.Name == "Bundle") new BundleRules(this, node).Check();
        if (type.Name == "Questionnaire") new QuestionnaireRules(this, node).Check();
        if (type.Name == "QuestionnaireResponse") new QuestionnaireResponseRules(this, node).Check();
        Invariants(type, Item.OfNode(node), node);
        Claims(node);
        if (isRoot) Sink.Pop();
        Leave(outer);
    }

    private void Claims(ElementNode node)
    {
        if (node["meta"] is not { Kind: JsonTokenType.StartObject } meta) return;
        foreach (var claim in meta.ItemsAt("profile"))
        {
            if (claim.Kind != JsonTokenType.String) continue;
            var url = claim.Text;
            if (Profile(url) is { } profile)
            {
                if (profile.Type == node.Type!.Name) new ProfileRun(this, profile).Check(node);
                else Sink.Error(IssueCode.Structure, claim, $"the profile {IssueSink.Shown(url)} is one of {profile.Type}", "meta.profile");
            }
            else if (_schema.TypeOfCanonical(url) is { } core)
            {
                if (!node.Type!.Is(core)) Sink.Error(IssueCode.Structure, claim, $"it is no {IssueSink.Shown(url)}", "meta.profile");
            }
            else
            {
                Sink.Warning(IssueCode.NotSupported, claim, $"the profile {IssueSink.Shown(url)} is not known here and was not checked", "meta.profile");
            }
        }
    }

    private void Object(ElementNode node, TypeDefinition type, bool isResource, PropertySpec? of = null)
    {
        var outer = _owner;
        _owner = new ExtensionOwner(of ?? node.Property, node, outer.Node);
        if (node.ChildCount == 0 && !isResource) Sink.Error(IssueCode.Structure, node, "an object is not empty");
        // ele-1, by hand: of the invariants this one is asked of everything.
        if (node.ChildCount == 1 && !isResource && of is null && node["id"] is not null) Sink.Error(IssueCode.Invariant, node, "an element has a value or children beside its id (ele-1)");
        Span<int> counts = stackalloc int[type.Elements.Count];
        Span<int> names = stackalloc int[type.Elements.Count];
        foreach (var child in node)
        {
            if (isResource && child.NameId == _schema.Names.ResourceType) continue;
            if (child.Property is not { } property)
            {
                Sink.Error(IssueCode.Structure, child, $"'{IssueSink.Shown(child.Name!)}' is not an element of {type.Name}");
                continue;
            }
            var value = property.IsSibling ? property.PairId : property.NameId;
            var ordinal = property.Element.Ordinal;
            if (counts[ordinal] > 0 && names[ordinal] != value) Sink.Error(IssueCode.Structure, child, "a choice element has one type only", property.Element.Name);
            names[ordinal] = value;
            if (property.IsSibling) counts[ordinal] = Math.Max(counts[ordinal], Sibling(node, child, property));
            else counts[ordinal] = Math.Max(counts[ordinal], Values(node, child, property));
        }
        for (var i = 0; i < type.Elements.Count; i++)
        {
            var element = type.Elements[i];
            if (counts[i] < element.Min) Sink.Error(IssueCode.Required, node, $"at least {element.Min} of {element.Name} is required, {counts[i]} given", element.Name);
            if (element.Max >= 0 && counts[i] > element.Max) Sink.Error(IssueCode.Structure, node, $"at most {element.Max} of {element.Name} is allowed, {counts[i]} given", element.Name);
        }
        _owner = outer;
    }

    private int Values(ElementNode parent, ElementNode node, PropertySpec property)
    {
        var sibling = property.PairId < 0 ? null : parent.Child(property.PairId);
        if (!property.Element.IsArray)
        {
            Sink.Push(property.Element.Name);
            if (node.Kind == JsonTokenType.StartArray) Sink.Error(IssueCode.Structure, node, "one value, not an array");
            else if (node.Kind == JsonTokenType.Null) Sink.Error(IssueCode.Structure, node, "null is no value");
            else Value(parent, node, sibling, property);
            Sink.Pop();
            return 1;
        }
        if (node.Kind != JsonTokenType.StartArray)
        {
            Sink.Error(IssueCode.Structure, node, "an array, even for one value", property.Element.Name);
            return 1;
        }
        if (node.ChildCount == 0) Sink.Error(IssueCode.Structure, node, "an array is not empty", property.Element.Name);
        var beside = sibling is { Kind: JsonTokenType.StartArray, ChildCount: > 0 } s ? s.Index + 1 : -1;
        var i = 0;
        foreach (var item in node)
        {
            Sink.Push(property.Element.Name, i++);
            ElementNode? other = beside >= 0 && Document.Rows[beside].Kind == JsonTokenType.StartObject ? new ElementNode(Document, beside) : null;
            // A null stands for "no value, see _name": it needs a _name array with an object at its place.
            if (item.Kind != JsonTokenType.Null) Value(node, item, other, property);
            else if (property.PairId < 0) Sink.Error(IssueCode.Structure, item, $"a {property.Type.Name} is an object");
            else if (other is null) Sink.Error(IssueCode.Structure, item, "null needs an extension at its place in _" + property.Name);
            if (beside >= 0) beside = Document.Rows[beside].Next;
            Sink.Pop();
        }
        return i;
    }

    private int Sibling(ElementNode parent, ElementNode node, PropertySpec property)
    {
        // An attribute in XML, which has neither id nor extensions.
        if (property.Path == "Extension.url") Sink.Error(IssueCode.Structure, node, "the url of an extension has no extensions", "url");
        var value = parent.Child(property.PairId);
        if (!property.Element.IsArray)
        {
            Sink.Push(property.Element.Name);
            if (node.Kind != JsonTokenType.StartObject) Sink.Error(IssueCode.Structure, node, $"{property.Name} is an object");
            else Primitive(node, property, value);
            Sink.Pop();
            return 1;
        }
        if (node.Kind != JsonTokenType.StartArray || node.ChildCount == 0)
        {
            Sink.Error(IssueCode.Structure, node, $"{property.Name} is an array with items", property.Element.Name);
            return 1;
        }
        if (value is { } values && values.ChildCount != node.ChildCount)
            Sink.Error(IssueCode.Structure, node, $"{property.Name} has as many items as its values", property.Element.Name);
        var i = 0;
        foreach (var item in node)
        {
            Sink.Push(property.Element.Name, i++);
            if (item.Kind == JsonTokenType.StartObject) Primitive(item, property, value);
            else if (item.Kind != JsonTokenType.Null) Sink.Error(IssueCode.Structure, item, "an object or null");
            else if (value is null) Sink.Error(IssueCode.Structure, item, "null needs a value at its place");
            Sink.Pop();
        }
        return i;
    }

    // Id and extensions of a primitive.
    private void Primitive(ElementNode node, PropertySpec property, ElementNode? value)
    {
        Object(node, _element, isResource: false, property);
        if (value is null && node["extension"] is null) Sink.Error(IssueCode.Structure, node, "an element without a value has an extension");
        if (value is null && property.Type.Definition is { } type) Invariants(property.Element.Invariants, Item.OfNode(Document, -1, node.Index, type), node);
    }

    private void Value(ElementNode parent, ElementNode node, ElementNode? sibling, PropertySpec property)
    {
        var type = node.Property?.Type.Definition;
        if (type is { Kind: TypeKind.Resource })
        {
            CheckResource(node);
            return;
        }
        if (type is null)
        {
            Sink.Error(IssueCode.NotSupported, node, $"the type {property.Type.Name} is not known here");
            return;
        }
        var element = property.Element;
        if (type.Kind == TypeKind.Primitive)
        {
            if (Primitives.Check(type.Name, node) is { } problem) Sink.Error(IssueCode.Value, node, problem);
            else if (Options.RefusesTagsInTexts && type.Name is "string" or "code" or "uri" && HoldsTag(node.Utf8Text.Span)) Sink.Error(IssueCode.Value, node, "the text holds an HTML tag");
            else if (element.Name == "id" && type.Name == "string" && node.Utf8Text.Span.Contains((byte)' ')) Sink.Error(IssueCode.Value, node, "the id of an element holds no spaces");
            else if (element.Name == "language" && _schema.Type(property.Path[..^9])?.Kind == TypeKind.Resource && !CodeGrammar.IsLanguageTag(node.Text)) Sink.Error(IssueCode.CodeInvalid, node, "a language is a tag of BCP 47");
            else if (property.Type is { Name: "canonical", Targets.Count: > 0 }) References.CheckCanonical(node, property.Type);
            else if (element.Binding is { } binding) BindingRules.Check(this, binding, node);
        }
        else if (node.Kind != JsonTokenType.StartObject)
        {
            Sink.Error(IssueCode.Structure, node, $"a {type.Name} is an object");
            return;
        }
        else
        {
            Object(node, type, isResource: false);
            switch (type.Name)
            {
                case "Reference":
                    References.Check(node, property.Type);
                    break;
                case "Extension":
                    ExtensionRules.Check(this, _owner, property, node);
                    break;
                case "Coding":
                    BindingRules.CheckSystem(this, node);
                    break;
                case "Attachment":
                    AttachmentRules.Check(this, node);
                    break;
            }
            if (element.Binding is { } binding) BindingRules.Check(this, binding, node);
        }
        var item = Item.OfNode(Document, node.Index, sibling?.Index ?? -1, type);
        Invariants(element.Invariants, item, node);
        Invariants(type, item, node);
    }

    private static bool HoldsTag(ReadOnlySpan<byte> text)
    {
        for (var at = text.IndexOf((byte)'<'); at >= 0 && at + 1 < text.Length; text = text[(at + 1)..], at = text.IndexOf((byte)'<'))
            if (char.IsAsciiLetter((char)text[at + 1]) || text[at + 1] is (byte)'/' or (byte)'!') return true;
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
                if (!native(this, node)) Check(invariant, item, node);
            }
            else
            {
                Check(invariant, item, node);
            }
        }
    }
}
