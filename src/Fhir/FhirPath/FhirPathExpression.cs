namespace PmrGateway.Fhir;

/// <summary>An item of a FHIRPath result.</summary>
/// <param name="Type">Its type: <c>Patient</c>, <c>code</c>, <c>boolean</c> of an element; <c>Boolean</c>, <c>String</c>, ... of a computed
/// value.</param>
/// <param name="Text">A scalar's value as text; of a complex element null.</param>
/// <param name="Node">Of an element with JSON of its own, that JSON; else null.</param>
public sealed record FhirPathResult(string Type, string? Text, ElementNode? Node);

/// <summary>
/// A FHIRPath expression compiled to closures over the raw document. The language: FHIRPath N1 with the functions that FHIR R4 adds, and of
/// FHIRPath 2.0 boundaries, precision, sort, encoding. https://hl7.org/fhirpath/N1/ https://hl7.org/fhir/R4/fhirpath.html
/// </summary>
public sealed class FhirPathExpression
{
    private FhirPathExpression(string text, Expr body) => (Text, Body) = (text, body);

    /// <summary>The expression.</summary>
    public string Text { get; }

    internal Expr Body { get; }

    /// <summary>Compiles an expression.</summary>
    /// <exception cref="FhirPathException">It does not parse, or uses a function or type that there is not.</exception>
    public static FhirPathExpression Compile(string text) => new(text, Compiler.Compile(Parser.Parse(text)));

    /// <summary>The items that the expression selects or computes on a resource.</summary>
    /// <param name="document">The resource.</param>
    /// <param name="isStrict">Whether an element name that the type does not have is an error.</param>
    /// <exception cref="FhirPathException">It cannot be evaluated on this resource.</exception>
    public IReadOnlyList<FhirPathResult> Evaluate(ResourceDocument document, bool isStrict = false)
    {
        var context = new FhirPathContext(document.Schema, document.Schema.Terminology)
        {
            IsStrict = isStrict,
            Now = TimeProvider.System.GetLocalNow()
        };
        Evaluate(context, document);
        return [.. context.Slice(0).Select(Result)];
    }

    /// <summary>Leaves the items that the expression selects or computes on a resource in a context.</summary>
    internal void Evaluate(FhirPathContext context, ResourceDocument document)
    {
        var root = Item.OfNode(document.Root);
        context.Begin(root, root, root);
        Body.Eval(context, root);
    }

    internal static FhirPathResult Result(Item item)
    {
        if (!item.IsNode)
            return new FhirPathResult(
                Functions.TypeOf(item).Name, item.Boxed is TypeInfo t ? $"{t.Namespace}.{t.Name}" : FhirPathValues.Text(item.Boxed), null);
        var type = item.Type?.Name ?? "";
        if (item.Row < 0) return new FhirPathResult(type, null, null);
        return new FhirPathResult(type, item.HasScalar ? item.Node.Text : null, item.Node);
    }
}
