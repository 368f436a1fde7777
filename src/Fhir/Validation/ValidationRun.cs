namespace PmrGateway.Fhir;

/// <summary>
/// One validation of one document: what the rules share. <see cref="TypeWalk"/> goes over the elements by the types of R4 and calls the
/// rules that look at more than one of them, each where it applies.
/// </summary>
internal sealed class ValidationRun
{
    private readonly FhirSchema _schema;
    private readonly FhirPathContext _context;
    private HashSet<string>? _broken;
    private List<string>? _unknown;
    private Item _resource;
    private Item _root;

    public ValidationRun(
        ResourceDocument document, FhirSchema schema, ProfileSet profiles, ValidationOptions options, FhirPathContext context)
    {
        (Document, _schema, Profiles, Options, _context) = (document, schema, profiles, options, context);
        Sink = new IssueSink(document, options.MaxIssues);
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
            if (_broken is null)
                Sink.Error(IssueCode.NotSupported, Document.Root, $"the profile {IssueSink.Shown(profile)} is not known here");
            return new ValidationReport(Sink.Issues, Sink.Errors);
        }
        new TypeWalk(this, _schema).Check(Document.Root);
        if (profile is not null && Document.Root.Type is { } type) Against(profile, type);
        foreach (var problem in Profiles.BrokenValueSets)
            Sink.Warning(IssueCode.NotSupported, Document.Root, "a value set cannot be used: " + problem);
        return new ValidationReport(Sink.Issues, Sink.Errors);
    }

    private void Against(string profile, TypeDefinition type)
    {
        if (_schema.Type(TypeOf(profile)!) is { } wanted && !type.Is(wanted))
        {
            var name = IssueSink.Shown(profile);
            Sink.Error(IssueCode.Structure, Document.Root, $"the profile {name} is one of {wanted.Name}, the resource is a {type.Name}");
            return;
        }
        if (Profile(profile) is not { } found) return;
        var outer = Enter(Document.Root);
        Sink.Push(type.Name);
        new ProfileRun(this, found).Check(Document.Root);
        Sink.Pop();
        Leave(outer);
    }

    /// <summary>
    /// Looks at a resource from inside it. Of a contained resource %rootResource is what contains it; an entry's is its own.
    /// https://hl7.org/fhir/R4/fhirpath.html#variables
    /// </summary>
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

    /// <summary>
    /// A profile by canonical URL; null: it is not known, or cannot be used, which is an error where it is first asked for.
    /// </summary>
    public Profile? Profile(string canonical)
    {
        try
        {
            return Profiles.Find(canonical);
        }
        catch (InvalidProfileException e)
        {
            if ((_broken ??= new HashSet<string>(StringComparer.Ordinal)).Add(canonical))
                Sink.Error(IssueCode.NotSupported, Document.Root, "a profile cannot be used: " + e.Message);
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
    public bool IsOf(ElementNode node, string canonical)
    {
        if (Profile(canonical) is { } profile) return node.Type?.Name == profile.Type && Probe(node, profile);
        return _schema.TypeOfCanonical(canonical) is { } type && node.Type?.Is(type) == true;
    }

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
        new ValidationRun(
            node.Document, _schema, Profiles, Options, new FhirPathContext(_schema, Profiles.Terminology)).Conforms(node, profile);

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

    /// <summary>Whether an expression over a resource selects an element; an expression that cannot be evaluated is taken to.</summary>
    public bool Selects(string expression, in Item resource, ElementNode element)
    {
        try
        {
            _context.Begin(resource, resource, _root);
            FhirPathExpression.Compile(expression).Body.Eval(_context, resource);
            foreach (var found in _context.Slice(0))
                if (found.Row == element.Index || found.Sibling == element.Index) return true;
            return false;
        }
        catch (FhirPathException)
        {
            return true;
        }
    }

    /// <summary>Says what an invariant comes to for an item.</summary>
    public void Check(Invariant invariant, in Item item, ElementNode at) => Report(invariant, Holds(invariant, item), at);

    /// <summary>Says what an invariant came to.</summary>
    /// <param name="invariant">The rule.</param>
    /// <param name="holds">Whether it holds; null: it could not be evaluated.</param>
    /// <param name="at">The element.</param>
    public void Report(Invariant invariant, bool? holds, ElementNode at)
    {
        if (holds == true) return;
        var text = $"the rule {invariant.Key} {(holds is null ? "cannot be evaluated" : "does not hold")}: {Short(invariant.Expression)}";
        if (holds is null || invariant.IsWarning) Sink.Warning(IssueCode.Invariant, at, text);
        else Sink.Error(IssueCode.Invariant, at, text);
    }

    private static string Short(string expression) => expression.Length > 1000 ? expression[..1000] + "..." : expression;
}
