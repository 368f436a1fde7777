namespace PmrGateway.Fhir;

/// <summary>From a syntax tree to closures.</summary>
internal sealed class Compiler
{
    /// <summary>Longest regular expression, in characters.</summary>
    public const int MaxRegexLength = 1000;
    private int _lambdas;

    public static Expr Compile(Syntax syntax) => new Compiler().Build(syntax, isStart: true);

    // A whole path that is fixed is kept while a lambda goes over its items; its beginnings need not be.
    private Expr Build(Syntax syntax, bool isStart = false, bool isBeginning = false)
    {
        var built = Make(syntax, isStart);
        return _lambdas > 0 && !isBeginning && built is MemberExpr or CallExpr && built.IsFixed ? new FixedExpr(built) : built;
    }

    private Expr Make(Syntax syntax, bool isStart)
    {
        switch (syntax)
        {
            case Syntax.Literal literal:
                return new LiteralExpr(literal.Value);
            case Syntax.Variable variable:
                return Variable(variable.Name);
            case Syntax.Member { On: null } member:
                // A capital letter is a type's: Patient.name; should there be none of that name, an element's.
                return char.IsAsciiLetterUpper(member.Name[0])
                    ? new RootTypeExpr(member.Name, new MemberExpr(null, member.Name))
                    : new MemberExpr(null, member.Name);
            case Syntax.Member member:
                return new MemberExpr(Build(member.On!, isBeginning: true), member.Name);
            case Syntax.Indexer indexer:
                return new IndexerExpr(Build(indexer.On), Build(indexer.Index));
            case Syntax.Unary unary:
                return new UnaryExpr(unary.Operator, Build(unary.Operand));
            case Syntax.TypeTest test:
                return new TypeTestExpr(test.Operator, Build(test.Operand), KnownType(test.Type));
            case Syntax.Binary binary:
                return new BinaryExpr(binary.Operator, Build(binary.Left), Build(binary.Right));
            case Syntax.Call call:
                return Call(call);
            default:
                throw new InvalidOperationException(syntax.GetType().Name);
        }
    }

    private Expr Call(Syntax.Call call)
    {
        if (!Functions.All.TryGetValue(call.Name, out var function))
            throw new FhirPathException(FhirPathFault.UnknownFunction, $"there is no function {call.Name}()");
        var on = call.On is null ? new ThisExpr() : Build(call.On, isBeginning: true);
        if (function.Make is not null) _lambdas++;
        var arguments = call.Arguments.Select(a => Build(a)).ToArray();
        if (function.Make is not null) _lambdas--;
        if (arguments.Length < function.Min || arguments.Length > function.Max)
            throw new FhirPathException(FhirPathFault.Syntax, $"{call.Name}() takes {function.Min} to {function.Max} arguments");
        if (call.Name is "is" or "as" or "ofType")
            return new TypeTestExpr(call.Name, on, KnownType((string)((LiteralExpr)arguments[0]).Value!));
        if (call.Name.StartsWith("matches", StringComparison.Ordinal)
            && arguments[0] is LiteralExpr { Value: string { Length: > MaxRegexLength } })
            throw new FhirPathException(FhirPathFault.Syntax, $"a regular expression has at most {MaxRegexLength} characters");
        return function.Make is { } make ? make(on, arguments) : new CallExpr(on, arguments, function.Body!);
    }

    private static string KnownType(string type)
    {
        var name = type;
        if (type.StartsWith("System.", StringComparison.Ordinal)) name = type[7..];
        else if (type.StartsWith("FHIR.", StringComparison.Ordinal)) name = type[5..];
        // A name in a namespace that does not have it is of no item; one in no namespace must be a type's.
        if (type.StartsWith("System.", StringComparison.Ordinal) || Functions.SystemTypes.Contains(name)
            || FhirSchema.R4.Type(name) is not null)
            return type;
        throw FhirPathException.Semantic($"there is no type {type}");
    }

    private static Expr Variable(string name) => name switch
    {
        "$this" => new ThisExpr(),
        "$index" => new ContextExpr(c => c.Push((object)c.Index)),
        "$total" => new ContextExpr(c =>
        {
            foreach (var item in c.Total) c.Push(item);
        }),
        "%context" => new ContextExpr(c => c.Push(c.Origin), isFixed: true),
        "%resource" => new ContextExpr(c => c.Push(c.Resource), isFixed: true),
        "%rootResource" => new ContextExpr(c => c.Push(c.RootResource), isFixed: true),
        "%sct" => new LiteralExpr("http://snomed.info/sct"),
        "%loinc" => new LiteralExpr("http://loinc.org"),
        "%ucum" => new LiteralExpr("http://unitsofmeasure.org"),
        _ when name.StartsWith("%vs-", StringComparison.Ordinal) => new LiteralExpr("http://hl7.org/fhir/ValueSet/" + name[4..]),
        _ when name.StartsWith("%ext-", StringComparison.Ordinal) =>
            new LiteralExpr("http://hl7.org/fhir/StructureDefinition/" + name[5..]),
        _ => new ContextExpr(c =>
        {
            if (c.Variables?.GetValueOrDefault(name[1..]) is not { } items)
                throw FhirPathException.Execution($"there is no variable {name}");
            foreach (var item in items) c.Push(item);
        }),
    };
}
