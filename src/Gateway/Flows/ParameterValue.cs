using System.Globalization;
using System.Text;
using PmrGateway.Fhir;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// What the value of a search parameter says: its alternatives, its parts, and its number or span of time. A comma, bar or dollar sign
/// behind a backslash stands for itself. https://hl7.org/fhir/R4/search.html#escaping
/// </summary>
internal static class ParameterValue
{
    private const int MaxNumber = 60;
    private const int MaxExponent = 300;
    private static readonly string[] Prefixes = ["eq", "ne", "lt", "le", "gt", "ge", "sa", "eb", "ap"];

    /// <summary>The parts of a value between separators; what is escaped stays so.</summary>
    public static IEnumerable<string> Split(string value, char separator)
    {
        var start = 0;
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] == '\\') i++;
            else if (value[i] == separator)
            {
                yield return value[start..i];
                start = i + 1;
            }
        }
        yield return value[start..];
    }

    /// <summary>A value, or a part of it, without its escapes.</summary>
    public static string Plain(string text)
    {
        if (!text.Contains('\\')) return text;
        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++) plain.Append(text[i] == '\\' && i + 1 < text.Length ? text[++i] : text[i]);
        return plain.ToString();
    }

    /// <summary>
    /// A token: without a bar of any system, with nothing before it of none; with nothing behind it any code. R4 search.html#token
    /// </summary>
    public static (string? System, string Code) Token(string text)
    {
        var parts = Split(text, '|').ToList();
        return parts.Count == 1 ? (null, Plain(text)) : (Plain(parts[0]), Plain(string.Join('|', parts[1..])));
    }

    /// <summary>The prefix of a value that is ordered, and what stands behind it. R4 search.html#prefix</summary>
    public static (string Prefix, string Value) Prefixed(string text) =>
        Prefixes.FirstOrDefault(p => text.StartsWith(p, StringComparison.Ordinal)) is { } prefix ? (prefix, text[2..]) : ("eq", text);

    /// <summary>A date with its prefix; null: it is none. R4 search.html#date</summary>
    /// <param name="text">The value.</param>
    /// <param name="now">What <c>ap</c> is measured by: a tenth of the time from here to there.</param>
    public static SearchValue? Date(string text, DateTimeOffset now)
    {
        var (prefix, date) = Prefixed(text);
        // A plus that was not escaped in the URL came as a space.
        date = date.Replace(' ', '+');
        if ((FhirDate.Range(date) ?? Minute(date)) is not var (from, to)) return null;
        if (prefix == "ap")
        {
            var tenth = TimeSpan.FromTicks(Math.Abs((now - from).Ticks) / 10);
            (from, to) = (Clamped(from.Ticks - tenth.Ticks), Clamped(to.Ticks + tenth.Ticks));
        }
        return new SearchValue(null, null, prefix, from.ToUnixTimeMilliseconds(), to.ToUnixTimeMilliseconds());
    }

    private static DateTimeOffset Clamped(long ticks) => new(Math.Clamp(ticks, 0, DateTime.MaxValue.Ticks), TimeSpan.Zero);

    /// <summary>A number with its prefix; null: it is none. Its precision is a half of its last digit. R4 search.html#number</summary>
    public static SearchValue? Number(string text)
    {
        var (prefix, written) = Prefixed(text);
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (written.Length > MaxNumber || !double.TryParse(written, Style, CultureInfo.InvariantCulture, out var number)
            || !double.IsFinite(number)) return null;
        var (exponent, power) = (written.IndexOfAny(['e', 'E']), 0);
        if (exponent >= 0 && (!int.TryParse(written[(exponent + 1)..], Style, CultureInfo.InvariantCulture, out power)
            || Math.Abs(power) > MaxExponent)) return null;
        var digits = exponent < 0 ? written : written[..exponent];
        var point = digits.IndexOf('.');
        var last = (point < 0 ? 0 : point + 1 - digits.Length) + power;
        var half = Math.Pow(10, last) / 2;
        // In decimals where they hold: 5.4 is from 5.35, and not from what doubles make of it.
        var (low, high) = last is > -28 and < 28 && Math.Abs(number) < 1e27
            && decimal.TryParse(written, Style, CultureInfo.InvariantCulture, out var exact)
                ? ((double)(exact - (decimal)half), (double)(exact + (decimal)half))
                : (number - half, number + half);
        return new SearchValue(null, null, prefix) { Number = number, Low = low, High = high };
    }

    // R4 takes a time without seconds and without an offset in a search; it is UTC then.
    private static (DateTimeOffset From, DateTimeOffset To)? Minute(string text)
    {
        if (FhirDate.Range(text + "Z") is { } withoutZone) return withoutZone;
        if (text.Length < 16 || text[10] != 'T') return null;
        var zone = text[16..];
        return FhirDate.Range($"{text[..16]}:00{(zone.Length == 0 ? "Z" : zone)}") is { } second
            ? (second.From, Clamped(second.From.Ticks + TimeSpan.TicksPerMinute))
            : null;
    }
}
