using System.Globalization;
using System.Text;

namespace PmrGateway.Fhir;

internal enum TokenKind
{
    End,
    Symbol,
    Identifier,
    DelimitedIdentifier,
    Text,
    Number,
    Temporal,
    Special,
    External,
}

internal readonly record struct Token(TokenKind Kind, string Text, int At);

/// <summary>Cuts an expression into tokens; comments and white space fall out. Linear in its length.</summary>
internal sealed class Lexer(string text)
{
    private static readonly string[] Symbols =
    [
        "<=", ">=", "!=", "!~", "(", ")", "[", "]", "{", "}", ".", ",", "+", "-", "*", "/", "|", "&", "=", "~", "<", ">"
    ];
    private int _at;

    public static List<Token> Tokenize(string text)
    {
        var lexer = new Lexer(text);
        var tokens = new List<Token>();
        do tokens.Add(lexer.Next());
        while (tokens[^1].Kind != TokenKind.End);
        return tokens;
    }

    private static FhirPathException Bad(string what, int at) => new(FhirPathFault.Syntax, $"{what} at character {at + 1}");

    private Token Next()
    {
        SkipSpace();
        if (_at >= text.Length) return new Token(TokenKind.End, "", _at);
        var (c, start) = (text[_at], _at);
        if (char.IsAsciiLetter(c) || c == '_')
            return new Token(TokenKind.Identifier, While(ch => char.IsAsciiLetterOrDigit(ch) || ch == '_'), start);
        if (char.IsAsciiDigit(c)) return Number();
        switch (c)
        {
            case '\'':
                return new Token(TokenKind.Text, Quoted('\''), start);
            case '`' or '"':
                return new Token(TokenKind.DelimitedIdentifier, Quoted(c), start);
            case '@':
                _at++;
                return new Token(TokenKind.Temporal, Temporal(), start);
            case '$':
                _at++;
                return new Token(TokenKind.Special, "$" + While(char.IsAsciiLetter), start);
            case '%':
                _at++;
                if (_at < text.Length && text[_at] is '`' or '\'' or '"') return new Token(TokenKind.External, Quoted(text[_at]), start);
                return new Token(TokenKind.External, While(ch => char.IsAsciiLetterOrDigit(ch) || ch is '_' or '-'), start);
        }
        foreach (var symbol in Symbols)
        {
            if (string.CompareOrdinal(text, _at, symbol, 0, symbol.Length) != 0) continue;
            _at += symbol.Length;
            return new Token(TokenKind.Symbol, symbol, start);
        }
        throw Bad($"'{c}' is not expected", _at);
    }

    private void SkipSpace()
    {
        while (_at < text.Length)
        {
            if (char.IsWhiteSpace(text[_at])) _at++;
            else if (text[_at] == '/' && _at + 1 < text.Length && text[_at + 1] == '/')
                _at = text.IndexOf('\n', _at) is var end and >= 0 ? end : text.Length;
            else if (text[_at] == '/' && _at + 1 < text.Length && text[_at + 1] == '*')
                _at = text.IndexOf("*/", _at + 2, StringComparison.Ordinal) is var close and >= 0
                    ? close + 2
                    : throw Bad("a comment is not closed", _at);
            else return;
        }
    }

    private string While(Func<char, bool> of)
    {
        var start = _at;
        while (_at < text.Length && of(text[_at])) _at++;
        return text[start.._at];
    }

    private Token Number()
    {
        var start = _at;
        While(char.IsAsciiDigit);
        // 1.toString() is a call, 1.5 a number.
        if (_at + 1 < text.Length && text[_at] == '.' && char.IsAsciiDigit(text[_at + 1]))
        {
            _at++;
            While(char.IsAsciiDigit);
        }
        return new Token(TokenKind.Number, text[start.._at], start);
    }

    private string Temporal()
    {
        var start = _at;
        if (_at < text.Length && text[_at] == 'T') _at++;
        While(c => char.IsAsciiDigit(c) || c is '-' or ':');
        // A date before a T that is nothing else: @2015T is a dateTime of a year.
        if (_at < text.Length && text[_at] == 'T')
        {
            _at++;
            While(c => char.IsAsciiDigit(c) || c == ':');
        }
        if (_at + 1 < text.Length && text[_at] == '.' && char.IsAsciiDigit(text[_at + 1]))
        {
            _at++;
            While(char.IsAsciiDigit);
        }
        if (text.AsSpan(start, _at - start).Contains('T') && _at < text.Length)
        {
            if (text[_at] == 'Z') _at++;
            else if (text[_at] is '+' or '-' && _at + 6 <= text.Length && text[_at + 3] == ':') _at += 6;
        }
        return text[start.._at];
    }

    private string Quoted(char quote)
    {
        var start = _at++;
        var value = new StringBuilder();
        while (_at < text.Length && text[_at] != quote)
        {
            if (text[_at] != '\\')
            {
                value.Append(text[_at++]);
                continue;
            }
            if (++_at >= text.Length) break;
            var c = text[_at++];
            if (c == 'u')
            {
                if (_at + 4 > text.Length
                    || !ushort.TryParse(text.AsSpan(_at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code))
                    throw Bad("an escape is not of four digits", _at);
                value.Append((char)code);
                _at += 4;
                continue;
            }
            value.Append(c switch
            {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'f' => '\f',
                '\'' or '"' or '`' or '\\' or '/' => c,
                // The definitions of R4 escape what needs none ('\d' for a pattern): it stands for itself with its backslash.
                _ => '\0',
            });
            if (value[^1] == '\0') value[^1] = '\\';
            if (value[^1] == '\\' && c != '\\') value.Append(c);
        }
        if (_at >= text.Length) throw Bad("a text is not closed", start);
        _at++;
        return value.ToString();
    }
}
