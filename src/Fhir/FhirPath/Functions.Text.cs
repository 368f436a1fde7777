using System.Text;
using System.Text.RegularExpressions;

namespace PmrGateway.Fhir;

internal static partial class Functions
{
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<(string, bool), Regex> Patterns = new();

    private static void AddText()
    {
        AddText("indexOf", 1, 1, (s, a) => a[0] is { } t ? s.IndexOf(t, StringComparison.Ordinal) : null);
        AddText("lastIndexOf", 1, 1, (s, a) => a[0] is { } t ? s.LastIndexOf(t, StringComparison.Ordinal) : null);
        AddText("startsWith", 1, 1, (s, a) => a[0] is { } t ? s.StartsWith(t, StringComparison.Ordinal) : null);
        AddText("endsWith", 1, 1, (s, a) => a[0] is { } t ? s.EndsWith(t, StringComparison.Ordinal) : null);
        AddText("contains", 1, 1, (s, a) => a[0] is { } t ? s.Contains(t, StringComparison.Ordinal) : null);
        AddText("upper", 0, 0, (s, _) => s.ToUpperInvariant());
        AddText("lower", 0, 0, (s, _) => s.ToLowerInvariant());
        AddText("length", 0, 0, (s, _) => s.Length);
        AddText("trim", 0, 0, (s, _) => s.Trim());
        AddText("replace", 2, 2, (s, a) => (a[0], a[1]) is ({ } from, { } to) ? Replaced(s, from, to) : null);
        AddText("matches", 1, 2, (s, a) => a[0] is { } pattern ? IsMatch(Pattern(pattern, false), s) : null, true);
        AddText("matchesFull", 1, 2, (s, a) => a[0] is { } pattern ? IsMatch(Pattern(pattern, true), s) : null, true);
        AddText(
            "replaceMatches",
            2,
            2,
            (s, a) =>
                (a[0], a[1]) is ({ } pattern, { } to)
                    ? pattern.Length == 0
                    ? s
                    : Timed(() => ReplacedMatches(s, Pattern(pattern, false), to))
                    : null,
            true);
        AddText("encode", 1, 1, (s, a) => a[0] switch
        {
            "base64" => Convert.ToBase64String(Encoding.UTF8.GetBytes(s)),
            "urlbase64" => Convert.ToBase64String(Encoding.UTF8.GetBytes(s)).Replace('+', '-').Replace('/', '_'),
            "hex" => Convert.ToHexStringLower(Encoding.UTF8.GetBytes(s)),
            _ => null,
        });
        AddText("decode", 1, 1, (s, a) => a[0] switch
        {
            "base64" => Decoded(() => Convert.FromBase64String(s)),
            "urlbase64" => Decoded(() => Convert.FromBase64String(s.Replace('-', '+').Replace('_', '/'))),
            "hex" => Decoded(() => Convert.FromHexString(s)),
            _ => null,
        });
        AddText("escape", 1, 1, (s, a) => a[0] switch
        {
            "html" => s
                .Replace("&", "&amp;", StringComparison.Ordinal)
                .Replace("<", "&lt;", StringComparison.Ordinal)
                .Replace(">", "&gt;", StringComparison.Ordinal)
                .Replace("\"", "&quot;", StringComparison.Ordinal),
            "json" => s.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal),
            _ => null,
        });
        AddText("unescape", 1, 1, (s, a) => a[0] switch
        {
            "html" => System.Net.WebUtility.HtmlDecode(s),
            "json" => s.Replace("\\\"", "\"", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal),
            _ => null,
        });
        AddScalar("substring", 1, 2, (value, a) =>
        {
            var text = value as string ?? throw FhirPathException.Execution("substring() is asked of a text");
            if (a[0] is not int from || from < 0 || from >= text.Length) return null;
            var length = a.Length > 1 && a[1] is int n ? n : text.Length - from;
            return length <= 0 ? "" : text.Substring(from, Math.Min(length, text.Length - from));
        });
        AddLists();
    }

    private static void AddLists()
    {
        Add("toChars", 0, 0, (FhirPathContext c, int start, in Item _, Expr[] _) => Spread(c, start, s => s.Select(ch => ch.ToString())));
        Add("split", 1, 1, (FhirPathContext c, int start, in Item focus, Expr[] a) =>
        {
            var separator = a[0].Single(c, focus) as string ?? "";
            Spread(c, start, s =>
            {
                c.Spend((long)s.Length * separator.Length / 1024);
                return s.Split(separator);
            });
        });
        Add("join", 0, 1, (FhirPathContext c, int start, in Item focus, Expr[] a) =>
        {
            var separator = a.Length > 0 ? a[0].Single(c, focus) as string ?? "" : "";
            for (var i = start; i < c.Count; i++) c.Look(c[i]);
            var texts = c.Slice(start).Select(i => FhirPathValues.Text(i.Value)).OfType<string>().ToList();
            c.Truncate(start);
            if (texts.Count == 0) return;
            c.Charge(texts.Sum(t => (long)t.Length) + (long)separator.Length * texts.Count);
            c.Push((object)string.Join(separator, texts));
        });
    }

    private static void Spread(FhirPathContext c, int start, Func<string, IEnumerable<string>> parts)
    {
        if (c.Count > start + 1) throw FhirPathException.Execution("a text was expected, there are several items");
        if (c.Count > start) c.Look(c[start]);
        var text = c.Count == start ? null : c[start].Value as string ?? throw FhirPathException.Execution("a text was expected");
        c.Truncate(start);
        if (text is null) return;
        foreach (var part in parts(text)) c.Push((object)part);
    }

    private static void AddText(string name, int min, int max, Func<string, string?[], object?> of, bool isTimed = false) =>
        AddScalar(name, min, max, (value, arguments) =>
    {
        var text = value as string ?? (value as FhirTemporal)?.ToString()
            ?? throw FhirPathException.Execution($"{name}() is asked of a text");
        var texts = new string?[arguments.Length];
        for (var i = 0; i < texts.Length; i++)
            texts[i] = arguments[i] is null or string ? (string?)arguments[i] : throw FhirPathException.Execution($"{name}() takes texts");
        return of(text, texts);
    }, isTimed);

    private static string? Decoded(Func<byte[]> bytes)
    {
        try
        {
            return Encoding.UTF8.GetString(bytes());
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static string Replaced(string text, string from, string to)
    {
        // Counted before it is made: ten replacements of one character by ten make a gigabyte of nothing.
        var places = from.Length == 0 ? text.Length + 1 : text.AsSpan().Count(from);
        Bounded(text.Length + (long)places * (to.Length - from.Length));
        return from.Length == 0 ? to + string.Concat(text.Select(ch => ch + to)) : text.Replace(from, to, StringComparison.Ordinal);
    }

    private static string ReplacedMatches(string text, Regex pattern, string to)
    {
        var length = (long)text.Length;
        return pattern.Replace(text, match =>
        {
            var by = match.Result(to);
            Bounded(length += by.Length);
            return by;
        });
    }

    private static void Bounded(long length)
    {
        if (length > FhirPathContext.MaxText) throw FhirPathException.TooCostly("the expression computes a text that is too long");
    }

    private static bool IsMatch(Regex pattern, string text) => Timed(() => pattern.IsMatch(text));

    private static T Timed<T>(Func<T> match)
    {
        try
        {
            return match();
        }
        catch (RegexMatchTimeoutException)
        {
            throw FhirPathException.TooCostly("the regular expression takes too long");
        }
    }

    private static Regex Pattern(string pattern, bool full) =>
        pattern.Length > Compiler.MaxRegexLength
            ? throw FhirPathException.TooCostly($"a regular expression has at most {Compiler.MaxRegexLength} characters")
            : Patterns.Count > 2000 ? Make((pattern, full)) : Patterns.GetOrAdd((pattern, full), Make);

    // Without backtracking where the pattern allows: linear in the text. Where it does not (look-around), a short time limit stands in.
    private static Regex Make((string Pattern, bool Full) key)
    {
        var text = key.Full ? $@"\A(?:{key.Pattern})\z" : key.Pattern;
        try
        {
            return new Regex(
                text, RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.NonBacktracking, TimeSpan.FromSeconds(1));
        }
        catch (NotSupportedException)
        {
            return new Regex(text, RegexOptions.CultureInvariant | RegexOptions.Singleline, TimeSpan.FromMilliseconds(100));
        }
        catch (ArgumentException)
        {
            throw FhirPathException.Execution("the regular expression is not well-formed");
        }
    }
}
