using System.Globalization;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// The formats of the primitive types (R4 datatypes.html). Written by hand in linear time: the official regexes are not anchored, the
/// one of base64Binary backtracks for seconds on a hostile value, and none sees that 30 February is no day.
/// </summary>
internal static class Primitives
{
    private const int MaxStringCharacters = 1 << 20;

    /// <summary>Why a value is not of its type, or null when it is.</summary>
    public static string? Check(string type, ElementNode node)
    {
        switch (type)
        {
            case "boolean":
                return node.Kind is JsonTokenType.True or JsonTokenType.False ? null : "a boolean is true or false, without quotes";
            case "integer" or "unsignedInt" or "positiveInt":
                return node.Kind == JsonTokenType.Number ? CheckInteger(type, node.Text) : $"a {type} is a number, without quotes";
            case "decimal":
                return node.Kind == JsonTokenType.Number ? null : "a decimal is a number, without quotes";
        }
        if (node.Kind != JsonTokenType.String) return $"a {type} is a string";
        // Only base64 and the long texts can be large; a copy of those is spared by looking at the bytes.
        if (type == "base64Binary") return IsBase64(node.Utf8Text.Span) ? null : "not base64 (RFC 4648, section 4)";
        if (type == "xhtml") return node.End - node.Start == 2 ? "a xhtml is not empty" : Narrative.Check(node.Text);
        if (node.End - node.Start > MaxStringCharacters + 2 && node.Text.EnumerateRunes().Skip(MaxStringCharacters).Any())
            return $"a {type} has at most {MaxStringCharacters} characters";
        return Check(type, node.TextIn(stackalloc char[256]));
    }

    private static string? Check(string type, ReadOnlySpan<char> text)
    {
        if (text.IsEmpty) return $"a {type} is not empty";
        return type switch
        {
            "code" => IsCode(text) ? null : "a code has no white space at its ends and single spaces inside",
            "id" => IsId(text) ? null : "an id has 1 to 64 letters, digits, '-' and '.'",
            "uri" or "url" or "canonical" => HasWhiteSpace(text) ? $"a {type} holds no white space and no control character" : null,
            "oid" => IsOid(text.ToString()) ? null : "an oid is urn:oid: and numbers with dots",
            "uuid" =>
                text.Length == 45 && text.StartsWith("urn:uuid:", StringComparison.Ordinal) && Guid.TryParseExact(text[9..], "D", out _)
                    && !text.ContainsAnyInRange('A', 'F')
                ? null : "a uuid is urn:uuid: and 36 characters in lower case",
            "date" => IsDate(text) ? null : "a date is YYYY, YYYY-MM or YYYY-MM-DD",
            "dateTime" => IsDateTime(text) ? null : "a dateTime is a date, or YYYY-MM-DDThh:mm:ss with an offset",
            "instant" => text.Contains('T') && IsDateTime(text) ? null : "an instant is YYYY-MM-DDThh:mm:ss with an offset",
            "time" => IsTime(text) ? null : "a time is hh:mm:ss",
            _ => CheckString(text),
        };
    }

    /// <summary>The first and the last instant (exclusive) that a date, dateTime or instant covers, or null where it is none.</summary>
    public static (DateTimeOffset From, DateTimeOffset To)? Range(string text)
    {
        if (!IsDateTime(text)) return null;
        var year = Number(text, 0, 4);
        if (text.Length == 4) return Span(year, 1, 1, d => year == 9999 ? DateTime.MaxValue : d.AddYears(1));
        var month = Number(text, 5, 2);
        if (text.Length == 7) return Span(year, month, 1, d => year == 9999 && month == 12 ? DateTime.MaxValue : d.AddMonths(1));
        var day = Number(text, 8, 2);
        if (text.Length == 10) return Span(year, month, day, d => d.Date == DateTime.MaxValue.Date ? DateTime.MaxValue : d.AddDays(1));

        var zone = text.IndexOfAny(['Z', '+', '-'], 19);
        var fraction = zone > 20 ? text[20..zone] : "";
        var ticks = fraction.Length == 0 ? 0 : long.Parse(fraction.PadRight(7, '0')[..7], CultureInfo.InvariantCulture);
        var offset = text[zone] == 'Z' ? TimeSpan.Zero : new TimeSpan(Number(text, zone + 1, 2), Number(text, zone + 4, 2), 0);
        if (text[zone] == '-') offset = -offset;
        // A leap second counts as the second after it; out of .NET's range is clamped, not thrown.
        var local = new DateTime(year, month, day, Number(text, 11, 2), Number(text, 14, 2), 0).Ticks
            + Number(text, 17, 2) * TimeSpan.TicksPerSecond + ticks;
        var from = Math.Clamp(local - offset.Ticks, 0, DateTime.MaxValue.Ticks - TimeSpan.TicksPerSecond);
        var precision = fraction.Length == 0 ? TimeSpan.TicksPerSecond : (long)Math.Pow(10, Math.Max(0, 7 - fraction.Length));
        return (new DateTimeOffset(from, TimeSpan.Zero), new DateTimeOffset(from + precision, TimeSpan.Zero));
    }

    private static (DateTimeOffset, DateTimeOffset) Span(int year, int month, int day, Func<DateTime, DateTime> end)
    {
        var from = new DateTime(year, month, day, 0, 0, 0, DateTimeKind.Utc);
        return (new DateTimeOffset(from), new DateTimeOffset(DateTime.SpecifyKind(end(from), DateTimeKind.Utc)));
    }

    private static string? CheckInteger(string type, string text)
    {
        if (text.AsSpan().ContainsAny('.', 'e', 'E')) return $"a {type} has no fraction and no exponent";
        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)) return $"a {type} has 32 bits";
        return type switch
        {
            "unsignedInt" when value < 0 || text[0] == '-' => "an unsignedInt is 0 or more",
            "positiveInt" when value < 1 => "a positiveInt is 1 or more",
            _ => text == "-0" ? "an integer is not -0" : null,
        };
    }

    private static string? CheckString(ReadOnlySpan<char> text)
    {
        var blank = true;
        foreach (var c in text)
        {
            if (c < ' ' && c is not ('\t' or '\r' or '\n'))
                return "a string holds no control character but tab, carriage return and line feed";
            blank &= char.IsWhiteSpace(c);
        }
        return blank ? "a string is not white space alone" : null;
    }

    private static bool IsCode(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsWhiteSpace(text[i])) continue;
            if (text[i] != ' ' || i == 0 || i == text.Length - 1 || char.IsWhiteSpace(text[i + 1])) return false;
        }
        foreach (var c in text)
            if (char.IsControl(c)) return false;
        return true;
    }

    internal static bool IsId(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '.')) return false;
        return text.Length is > 0 and <= 64;
    }

    private static bool HasWhiteSpace(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
            if (char.IsWhiteSpace(c) || char.IsControl(c)) return true;
        return false;
    }

    private static bool IsOid(string text)
    {
        if (!text.StartsWith("urn:oid:", StringComparison.Ordinal)) return false;
        var arcs = text[8..].Split('.');
        return arcs.Length > 1 && arcs[0] is "0" or "1" or "2"
            && arcs.All(a => a.Length > 0 && a.All(char.IsAsciiDigit) && (a.Length == 1 || a[0] != '0'));
    }

    private static bool IsDate(ReadOnlySpan<char> text)
    {
        if (text.Length is not (4 or 7 or 10) || !Digits(text, 0, 4)) return false;
        var year = Number(text, 0, 4);
        if (year == 0) return false;
        if (text.Length == 4) return true;
        if (text[4] != '-' || !Digits(text, 5, 2) || Number(text, 5, 2) is < 1 or > 12) return false;
        if (text.Length == 7) return true;
        return text[7] == '-' && Digits(text, 8, 2) && Number(text, 8, 2) is var day && day >= 1
            && day <= DateTime.DaysInMonth(year, Number(text, 5, 2));
    }

    private static bool IsDateTime(ReadOnlySpan<char> text)
    {
        if (text.Length <= 10) return IsDate(text);
        if (text.Length < 20 || text[10] != 'T' || !IsDate(text[..10])) return false;
        var zone = text[19..].IndexOfAny('Z', '+', '-') is var z and >= 0 ? z + 19 : -1;
        if (zone < 0 || !IsTime(text[11..zone])) return false;
        if (text[zone] == 'Z') return zone == text.Length - 1;
        return text.Length == zone + 6 && text[zone + 3] == ':' && Digits(text, zone + 1, 2) && Digits(text, zone + 4, 2)
            && Number(text, zone + 4, 2) <= 59
            && (Number(text, zone + 1, 2) <= 13 || (Number(text, zone + 1, 2) == 14 && Number(text, zone + 4, 2) == 0));
    }

    private static bool IsTime(ReadOnlySpan<char> text)
    {
        if (text.Length < 8 || !Digits(text, 0, 2) || text[2] != ':' || !Digits(text, 3, 2) || text[5] != ':' || !Digits(text, 6, 2))
            return false;
        if (Number(text, 0, 2) > 23 || Number(text, 3, 2) > 59 || Number(text, 6, 2) > 60) return false;
        return text.Length == 8 || (text.Length > 9 && text[8] == '.' && Digits(text, 9, text.Length - 9));
    }

    private static bool IsBase64(ReadOnlySpan<byte> text)
    {
        var (count, padding) = (0, 0);
        foreach (var c in text)
        {
            if (c is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n') continue;
            if (c == (byte)'=') padding++;
            else if (padding > 0 || !(char.IsAsciiLetterOrDigit((char)c) || c is (byte)'+' or (byte)'/')) return false;
            count++;
        }
        return count > 0 && count % 4 == 0 && padding <= 2;
    }

    private static bool Digits(ReadOnlySpan<char> text, int at, int count)
    {
        if (at + count > text.Length) return false;
        for (var i = at; i < at + count; i++)
            if (!char.IsAsciiDigit(text[i])) return false;
        return true;
    }

    private static int Number(ReadOnlySpan<char> text, int at, int count) =>
        int.Parse(text.Slice(at, count), NumberStyles.None, CultureInfo.InvariantCulture);
}
