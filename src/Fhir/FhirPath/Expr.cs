namespace PmrGateway.Fhir;

/// <summary>A part of a compiled expression: reads the focus and pushes its items.</summary>
internal abstract class Expr
{
    /// <summary>
    /// Whether it gives the same throughout an evaluation, whatever the focus: a path from %resource, %rootResource or %context.
    /// </summary>
    public virtual bool IsFixed => false;

    public abstract void Eval(FhirPathContext c, in Item focus);

    /// <summary>The truth of the collection: of one Boolean its value, of one item of another type true, of none null.</summary>
    /// <exception cref="FhirPathException">There are several items.</exception>
    public virtual bool? Test(FhirPathContext c, in Item focus)
    {
        var start = c.Count;
        Eval(c, focus);
        var result = Truth(c, start);
        c.Truncate(start);
        return result;
    }

    /// <summary>The only item's value; null for none.</summary>
    /// <exception cref="FhirPathException">There are several items.</exception>
    public object? Single(FhirPathContext c, in Item focus)
    {
        var start = c.Count;
        Eval(c, focus);
        if (c.Count > start + 1) throw FhirPathException.Execution("one item was expected, there are several");
        if (c.Count == start) return null;
        c.Look(c[start]);
        var value = c[start].Value;
        c.Truncate(start);
        return value;
    }

    public static bool? Truth(FhirPathContext c, int start)
    {
        if (c.Count == start) return null;
        if (c.Count > start + 1) throw FhirPathException.Execution("a Boolean was expected, there are several items");
        c.Look(c[start]);
        return c[start].Value is bool b ? b : true;
    }
}

internal sealed class LiteralExpr(object? value) : Expr
{
    private readonly Item _item = value is null ? default : value is bool b ? Item.Of(b) : Item.Of(value);

    public object? Value => value;

    public override void Eval(FhirPathContext c, in Item focus)
    {
        if (value is not null) c.Push(_item);
    }
}

internal sealed class ThisExpr : Expr
{
    public override void Eval(FhirPathContext c, in Item focus)
    {
        if (focus.IsSomething) c.Push(focus);
    }
}

/// <summary>What a short function of the context is: $index, %resource, ...</summary>
internal sealed class ContextExpr(Action<FhirPathContext> push, bool isFixed = false) : Expr
{
    public override bool IsFixed => isFixed;

    public override void Eval(FhirPathContext c, in Item focus) => push(c);
}

/// <summary>The name of a type at the start of an expression: the focus, if it is of the type.</summary>
internal sealed class RootTypeExpr(string type, Expr member) : Expr
{
    public override void Eval(FhirPathContext c, in Item focus)
    {
        if (focus.Type is { } actual && c.Schema.Type(type) is { } named && actual.Is(named)) c.Push(focus);
        else member.Eval(c, focus);
    }
}

/// <summary>The children under an element name.</summary>
internal sealed class MemberExpr(Expr? on, string name) : Expr
{
    private FhirSchema? _schema;
    private int _nameId;

    public override bool IsFixed => on?.IsFixed == true;

    public override void Eval(FhirPathContext c, in Item focus)
    {
        if (!ReferenceEquals(Volatile.Read(ref _schema), c.Schema))
        {
            // A name that no type has selects nothing. Every thread writes the same, the number before what says that it is there.
            _nameId = c.Schema.Names.TryGetId(name, out var id) ? id : int.MaxValue;
            Volatile.Write(ref _schema, c.Schema);
        }
        if (on is null)
        {
            Children(c, focus);
            return;
        }
        var start = c.Count;
        on.Eval(c, focus);
        var end = c.Count;
        for (var i = start; i < end; i++) Children(c, c[i]);
        c.Remove(start, end);
    }

    private void Children(FhirPathContext c, in Item of)
    {
        var before = c.Count;
        if (of.Boxed is TypeInfo info)
        {
            if (name == "name") c.Push((object)info.Name);
            if (name == "namespace") c.Push((object)info.Namespace);
            return;
        }
        c.PushChildren(of, _nameId);
        if (c.IsStrict && c.Count == before && of.Type is { } type && !Knows(type))
            throw FhirPathException.Semantic($"{type.Name} has no element {name}");
    }

    private bool Knows(TypeDefinition type)
    {
        if (type.IsAbstract) return true;
        foreach (var element in type.Elements)
            if (element.Name == name) return true;
        return type.Kind == TypeKind.Primitive && name == "value";
    }
}

internal sealed class IndexerExpr(Expr on, Expr index) : Expr
{
    public override void Eval(FhirPathContext c, in Item focus)
    {
        var start = c.Count;
        on.Eval(c, focus);
        var at = index.Single(c, focus) switch { int i => i, null => -1, _ => throw FhirPathException.Execution("an index is an integer") };
        var found = at >= 0 && start + at < c.Count ? c[start + at] : default;
        var has = at >= 0 && start + at < c.Count;
        c.Truncate(start);
        if (has) c.Push(found);
    }
}

/// <summary>A function of a collection and arguments that are evaluated on the outer focus.</summary>
/// <param name="on">The collection.</param>
/// <param name="arguments">The arguments.</param>
/// <param name="body">Finds the collection on the stack from the given place on, and leaves its result there instead.</param>
internal sealed class CallExpr(Expr on, Expr[] arguments, FunctionBody body) : Expr
{
    public override bool IsFixed { get; } = on.IsFixed && Array.TrueForAll(arguments, a => a.IsFixed || a is LiteralExpr);

    public override void Eval(FhirPathContext c, in Item focus)
    {
        var start = c.Count;
        on.Eval(c, focus);
        body(c, start, focus, arguments);
    }
}

/// <summary>A fixed expression in the body of a lambda: what it gives is kept, so that it is not worked out again for each item.</summary>
internal sealed class FixedExpr(Expr inner) : Expr
{
    public override bool IsFixed => true;

    public override void Eval(FhirPathContext c, in Item focus)
    {
        foreach (var item in c.ItemsOf(inner)) c.Push(item);
    }
}

/// <summary>See <see cref="CallExpr"/>.</summary>
internal delegate void FunctionBody(FhirPathContext c, int start, in Item focus, Expr[] arguments);

internal sealed class UnaryExpr(char sign, Expr operand) : Expr
{
    public override void Eval(FhirPathContext c, in Item focus)
    {
        var value = operand.Single(c, focus);
        if (value is null) return;
        c.Push(sign == '+' ? value : value switch
        {
            int i when i != int.MinValue => -i,
            int i => -(long)i,
            long l => l == 2147483648 ? int.MinValue : -l,
            decimal d => -d,
            QuantityValue q => q with { Value = -q.Value },
            // sort(-$this): the reverse order of what has no negative.
            string or FhirTemporal => new Reversed(value),
            _ => throw FhirPathException.Execution("only a number has a negative"),
        });
    }
}

/// <summary>A sort key that sorts the other way round.</summary>
internal sealed record Reversed(object Value);

internal sealed class TypeTestExpr(string op, Expr operand, string type) : Expr
{
    public override void Eval(FhirPathContext c, in Item focus)
    {
        var start = c.Count;
        operand.Eval(c, focus);
        Functions.TypeTest(c, start, op, type);
    }
}
