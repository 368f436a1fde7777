using System.Globalization;

namespace PmrGateway.Fhir;

/// <summary>
/// Recursive descent with precedence climbing over the grammar of FHIRPath N1. Depth is limited: an expression is input too.
/// </summary>
internal sealed class Parser
{
    private const int MaxLength = 100_000;
    private const int MaxDepth = 600;

    /// <summary>Steps and operators of one chain: a.b.c, a or b or c. Each is a level of the tree, which is walked by recursion.</summary>
    private const int MaxChain = 1000;

    private static readonly string[][] Levels =
    [
        ["implies"], ["or", "xor"], ["and"], ["in", "contains"], ["=", "~", "!=", "!~"], ["<=", "<", ">", ">="],
        ["|"], ["is", "as"], ["+", "-", "&"], ["*", "/", "div", "mod"],
    ];

    private static readonly HashSet<string> Units =
        [
            "year",
            "month",
            "week",
            "day",
            "hour",
            "minute",
            "second",
            "millisecond",
            "years",
            "months",
            "weeks",
            "days",
            "hours",
            "minutes",
            "seconds",
            "milliseconds"
        ];

    private readonly List<Token> _tokens;
    private int _at;
    private int _depth;

    private Parser(string text) =>
        _tokens = text.Length <= MaxLength
            ? Lexer.Tokenize(text)
            : throw new FhirPathException(FhirPathFault.Syntax, $"the expression has more than {MaxLength} characters");

    private Token Current => _tokens[_at];

    /// <summary>The tree of an expression.</summary>
    /// <exception cref="FhirPathException">It does not parse; the text names the place.</exception>
    public static Syntax Parse(string text)
    {
        var parser = new Parser(text);
        var tree = parser.Expression(0);
        return parser.Current.Kind == TokenKind.End ? tree : throw parser.Unexpected();
    }

    private FhirPathException Unexpected() =>
        new(
            FhirPathFault.Syntax,
            Current.Kind == TokenKind.End
                ? "the expression ends too early"
                : $"'{Current.Text}' is not expected at character {Current.At + 1}");

    private static FhirPathException TooLong() => new(FhirPathFault.Syntax, $"the expression chains more than {MaxChain} steps");

    private void Deeper()
    {
        if (++_depth > MaxDepth) throw new FhirPathException(FhirPathFault.Syntax, "the expression is nested too deeply");
    }

    private bool IsOperator(string text) => Current.Kind is TokenKind.Symbol or TokenKind.Identifier && Current.Text == text;

    private bool Take(string symbol)
    {
        if (Current.Kind != TokenKind.Symbol || Current.Text != symbol) return false;
        _at++;
        return true;
    }

    private void Expect(string symbol)
    {
        if (!Take(symbol)) throw Unexpected();
    }

    private Syntax Expression(int level)
    {
        Deeper();
        try
        {
            if (level == Levels.Length) return Polarity();
            var left = Expression(level + 1);
            for (var links = 0; Array.Find(Levels[level], IsOperator) is { } op; links++)
            {
                if (links > MaxChain) throw TooLong();
                _at++;
                left = op is "is" or "as"
                    ? new Syntax.TypeTest(op, left, TypeSpecifier())
                    : new Syntax.Binary(op, left, Expression(level + 1));
            }
            return left;
        }
        finally
        {
            _depth--;
        }
    }

    private Syntax Polarity()
    {
        if (IsOperator("-") || IsOperator("+"))
        {
            var sign = _tokens[_at++].Text[0];
            Deeper();
            var operand = Polarity();
            _depth--;
            return new Syntax.Unary(sign, operand);
        }
        var left = Term();
        for (var links = 0; ; links++)
        {
            if (links > MaxChain) throw TooLong();
            if (Take("."))
            {
                left = Invocation(left);
            }
            else if (Take("["))
            {
                left = new Syntax.Indexer(left, Expression(0));
                Expect("]");
            }
            else
            {
                return left;
            }
        }
    }

    private Syntax Term()
    {
        var token = Current;
        switch (token.Kind)
        {
            case TokenKind.Text:
                _at++;
                return new Syntax.Literal(token.Text);
            case TokenKind.Number:
                _at++;
                return Number(token);
            case TokenKind.Temporal:
                _at++;
                return new Syntax
                    .Literal(FhirTemporal.ParseLiteral(token.Text) ?? throw new FhirPathException(
                        FhirPathFault.Syntax, $"@{token.Text} is no date or time"));
            case TokenKind.External:
                _at++;
                return new Syntax.Variable("%" + token.Text);
            case TokenKind.Special when token.Text is "$this" or "$index" or "$total":
                _at++;
                return new Syntax.Variable(token.Text);
            case TokenKind.Identifier when token.Text is "true" or "false":
                _at++;
                return new Syntax.Literal(token.Text == "true");
            case TokenKind.Identifier or TokenKind.DelimitedIdentifier:
                return Invocation(null);
        }
        if (Take("("))
        {
            var inner = Expression(0);
            Expect(")");
            return inner;
        }
        if (Take("{"))
        {
            Expect("}");
            return new Syntax.Literal(null);
        }
        throw Unexpected();
    }

    private Syntax.Literal Number(Token token)
    {
        if (Current.Kind == TokenKind.Text) return new Syntax.Literal(new QuantityValue(Decimal(token), _tokens[_at++].Text, false));
        if (Current.Kind == TokenKind.Identifier && Units.Contains(Current.Text))
            return new Syntax.Literal(new QuantityValue(Decimal(token), _tokens[_at++].Text.TrimEnd('s'), true));
        if (token.Text.Contains('.')) return new Syntax.Literal(Decimal(token));
        return int.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? new Syntax.Literal(number)
            : long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var large) ? new Syntax.Literal(large)
            : throw new FhirPathException(FhirPathFault.Syntax, $"{token.Text} is too large for an integer");
    }

    private static decimal Decimal(Token token) =>
        decimal.TryParse(token.Text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new FhirPathException(FhirPathFault.Syntax, $"{token.Text} is too large for a decimal");

    private Syntax Invocation(Syntax? on)
    {
        var token = Current;
        if (token.Kind == TokenKind.Special && token.Text is "$this" or "$index" or "$total" && on is not null)
        {
            _at++;
            return new Syntax.Variable(token.Text);
        }
        if (token.Kind is not (TokenKind.Identifier or TokenKind.DelimitedIdentifier)) throw Unexpected();
        _at++;
        if (token.Kind != TokenKind.Identifier || !Take("(")) return new Syntax.Member(on, token.Text);
        var arguments = new List<Syntax>();
        if (!Take(")"))
        {
            do arguments.Add(Argument(token.Text));
            while (Take(","));
            Expect(")");
        }
        return new Syntax.Call(on, token.Text, arguments);
    }

    // A type is a name, but is(System.String) would read as a path.
    private Syntax Argument(string function) => function is "is" or "as" or "ofType" ? new Syntax.Literal(TypeSpecifier()) : Expression(0);

    private string TypeSpecifier()
    {
        if (Current.Kind is not (TokenKind.Identifier or TokenKind.DelimitedIdentifier)) throw Unexpected();
        var name = _tokens[_at++].Text;
        while (Take("."))
        {
            if (Current.Kind is not (TokenKind.Identifier or TokenKind.DelimitedIdentifier)) throw Unexpected();
            name += "." + _tokens[_at++].Text;
        }
        return name;
    }
}
