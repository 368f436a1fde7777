namespace PmrGateway.Fhir;

/// <summary>The syntax tree of an expression. https://hl7.org/fhirpath/N1/grammar.html</summary>
internal abstract record Syntax
{
    /// <summary>A constant; null is <c>{}</c>.</summary>
    public sealed record Literal(object? Value) : Syntax;

    /// <summary><c>$this</c>, <c>$index</c>, <c>$total</c>, or <c>%name</c>.</summary>
    public sealed record Variable(string Name) : Syntax;

    /// <summary>A name after a dot, or at the start (<paramref name="On"/> is null).</summary>
    public sealed record Member(Syntax? On, string Name) : Syntax;

    /// <summary>A function after a dot, or at the start.</summary>
    public sealed record Call(Syntax? On, string Name, IReadOnlyList<Syntax> Arguments) : Syntax;

    /// <summary><c>a[b]</c>.</summary>
    public sealed record Indexer(Syntax On, Syntax Index) : Syntax;

    /// <summary><c>-a</c> and <c>+a</c>.</summary>
    public sealed record Unary(char Operator, Syntax Operand) : Syntax;

    /// <summary><c>a op b</c>.</summary>
    public sealed record Binary(string Operator, Syntax Left, Syntax Right) : Syntax;

    /// <summary><c>a is T</c> and <c>a as T</c>.</summary>
    public sealed record TypeTest(string Operator, Syntax Operand, string Type) : Syntax;
}
