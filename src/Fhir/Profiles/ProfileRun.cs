namespace PmrGateway.Fhir;

/// <summary>
/// Checks an element against a profile: what the profile says beyond the type, which the walk over the types has checked.
/// </summary>
internal sealed class ProfileRun(ValidationRun run, Profile profile)
{
    private const int MaxDepth = 40;

    /// <summary>Profiles inside profiles: a cycle of them ends here.</summary>
    [ThreadStatic]
    private static int _depth;

    /// <summary>The validation that this is a part of.</summary>
    public ValidationRun Validation => run;

    public Profile Profile => profile;

    public void Check(ElementNode node)
    {
        if (_depth >= MaxDepth) return;
        _depth++;
        try
        {
            Element(Item.OfNode(node), node, profile.Root);
        }
        finally
        {
            _depth--;
        }
    }

    /// <summary>Checks one instance of an element, or of a slice of it.</summary>
    public void Instance(Repetition instance, ProfileElement element)
    {
        run.Sink.Push(element.Name, instance.Index);
        Element(instance.Item, instance.At, element);
        run.Sink.Pop();
    }

    public void Error(IssueCode code, ElementNode at, string text, string? below = null) => run.Sink.Error(code, at, text, below);

    private void Element(in Item item, ElementNode at, ProfileElement element)
    {
        foreach (var rule in element.Rules) rule.Check(this, item, at);
        if (element.Children.Count == 0) return;
        // The rules of a contained resource or an entry are asked from where they stand, those of its elements from inside it.
        var isInner = item.Type?.Kind == TypeKind.Resource && item.Row != run.Resource.Row;
        var outer = isInner ? run.Enter(item.Node) : default;
        foreach (var child in element.Children) Child(item, at, child);
        if (isInner) run.Leave(outer);
    }

    private void Child(in Item item, ElementNode at, ProfileElement child)
    {
        var context = run.Scratch;
        context.Truncate(0);
        if (run.Document.Schema.Names.TryGetId(child.Name, out var id)) context.PushChildren(item, id);
        var repetitions = new Repetition[context.Count];
        for (var i = 0; i < repetitions.Length; i++)
            repetitions[i] = new Repetition(context[i], repetitions.Length > 1 || IsArray(context[i]) ? i : -1);
        foreach (var rule in child.RepetitionRules) rule.Check(this, repetitions, at);
        foreach (var repetition in repetitions) Instance(repetition, child);
    }

    private static bool IsArray(in Item item) => item.Row >= 0 && item.Node.Property?.Element.IsArray == true;
}
