using System.Globalization;
using System.Text;

namespace PmrGateway.Fhir;

/// <summary>Which of FHIRPath's three temporal types a value has.</summary>
internal enum TemporalKind : byte
{
    Date,
    DateTime,
    Time,
}

/// <summary>
/// A date, dateTime or time as it was written: with the precision it has and the offset it has. Two values compare field by field until one
/// has no more fields; then the answer is unknown. https://hl7.org/fhirpath/N1/#datetime-equality
/// </summary>
internal sealed class FhirTemporal
{
    // Fields in use: 1 year, 2 month, 3 day, 4 hour, 5 minute, 6 second with its fraction.
    private readonly int _year, _month, _day, _hour, _minute;
    private readonly decimal _second;

    private FhirTemporal(
        TemporalKind kind, int fields, int year, int month, int day, int hour, int minute, decimal second, int? offset, int fractionDigits)
    {
        (Kind, Fields, Offset, FractionDigits) = (kind, fields, offset, fractionDigits);
        (_year, _month, _day, _hour, _minute, _second) = (year, month, day, hour, minute, second);
    }

    public TemporalKind Kind { get; }

    public int Fields { get; }

    /// <summary>Offset from UTC in minutes; null: none was given.</summary>
    public int? Offset { get; }

    public int FractionDigits { get; }

    public string TypeName => Kind.ToString();

    /// <summary>A literal without its @, or null.</summary>
    public static FhirTemporal? ParseLiteral(string text) =>
        text.StartsWith('T')
            ? Parse(TemporalKind.Time, text[1..])
            : Parse(text.Contains('T') ? TemporalKind.DateTime : TemporalKind.Date, text);

    /// <summary>A text of a temporal type, or null.</summary>
    public static FhirTemporal? Parse(TemporalKind kind, string text)
    {
        var at = 0;
        Span<int> parts = stackalloc int[5];
        parts[1] = parts[2] = 1;
        var fields = 0;
        if (kind != TemporalKind.Time)
        {
            if (!Digits(text, ref at, 4, out parts[0]) || parts[0] == 0) return null;
            for (fields = 1; fields < 3 && at < text.Length && text[at] == '-'; fields++)
            {
                at++;
                if (!Digits(text, ref at, 2, out parts[fields])) return null;
            }
            if (parts[1] is < 1 or > 12 || parts[2] < 1 || parts[2] > DateTime.DaysInMonth(parts[0], parts[1])) return null;
            if (at == text.Length) return new FhirTemporal(kind, fields, parts[0], parts[1], parts[2], 0, 0, 0, null, 0);
            if (kind == TemporalKind.Date || text[at++] != 'T') return null;
            if (at == text.Length) return new FhirTemporal(kind, fields, parts[0], parts[1], parts[2], 0, 0, 0, null, 0);
            if (fields < 3) return null;
        }
        else
        {
            fields = 3;
        }
        decimal second = 0;
        var fraction = 0;
        if (!Digits(text, ref at, 2, out parts[3]) || parts[3] > 23) return null;
        fields = 4;
        if (at < text.Length && text[at] == ':')
        {
            at++;
            if (!Digits(text, ref at, 2, out parts[4]) || parts[4] > 59) return null;
            fields = 5;
            if (at < text.Length && text[at] == ':')
            {
                at++;
                if (!Digits(text, ref at, 2, out var whole) || whole > 60) return null;
                (fields, second) = (6, whole);
                if (at < text.Length && text[at] == '.')
                {
                    var start = ++at;
                    while (at < text.Length && char.IsAsciiDigit(text[at])) at++;
                    fraction = at - start;
                    if (fraction == 0) return null;
                    second += decimal.Parse("0." + text.AsSpan(start, Math.Min(fraction, 20)).ToString(), CultureInfo.InvariantCulture);
                }
            }
        }
        int? offset = null;
        if (kind == TemporalKind.DateTime && at < text.Length)
        {
            if (text[at] == 'Z')
            {
                (offset, at) = (0, at + 1);
            }
            else if (text[at] is '+' or '-')
            {
                var sign = text[at++] == '-' ? -1 : 1;
                if (!Digits(text, ref at, 2, out var hours) || at >= text.Length || text[at++] != ':'
                    || !Digits(text, ref at, 2, out var minutes) || hours > 14 || minutes > 59)
                    return null;
                offset = sign * (hours * 60 + minutes);
            }
        }
        return at == text.Length
            ? new FhirTemporal(kind, fields, parts[0], parts[1], parts[2], parts[3], parts[4], second, offset, fraction)
            : null;
    }

    public static FhirTemporal Of(DateTimeOffset moment) => new(
        TemporalKind.DateTime, 6, moment.Year, moment.Month, moment.Day, moment.Hour, moment.Minute, moment.Second
            + moment.Millisecond / 1000m, (int)moment.Offset.TotalMinutes, 3);

    public FhirTemporal To(TemporalKind kind) => kind switch
    {
        TemporalKind.Date => new FhirTemporal(kind, Math.Min(Fields, 3), _year, _month, _day, 0, 0, 0, null, 0),
        TemporalKind.Time => new FhirTemporal(kind, Fields, 0, 1, 1, _hour, _minute, _second, null, FractionDigits),
        _ => new FhirTemporal(kind, Fields, _year, _month, _day, _hour, _minute, _second, Offset, FractionDigits),
    };

    /// <summary>Less than, equal to, greater than 0; null: it cannot be told.</summary>
    public static int? Compare(FhirTemporal a, FhirTemporal b)
    {
        if ((a.Kind == TemporalKind.Time) != (b.Kind == TemporalKind.Time)) return null;
        // With both offsets known the moments are compared; with one, a day of difference is needed to tell.
        if (a.Offset is not null && b.Offset is not null) (a, b) = (a.ToUtc(), b.ToUtc());
        else if ((a.Offset is null) != (b.Offset is null) && a.Fields > 3 && b.Fields > 3) return null;
        var fields = Math.Min(a.Fields, b.Fields);
        for (var i = 1; i <= fields; i++)
            if (a.Field(i).CompareTo(b.Field(i)) is var order and not 0) return order;
        return a.Fields == b.Fields ? 0 : null;
    }

    /// <summary>This moment later by a number of calendar or UCUM units; null where the unit does not fit.</summary>
    /// <exception cref="FhirPathException">The unit is none of time.</exception>
    public FhirTemporal? Add(decimal amount, string unit, bool isCalendar)
    {
        var name = isCalendar
            ? unit
            : unit switch
            {
                "s" => "second",
                "ms" => "millisecond",
                "min" => "minute",
                "h" => "hour",
                "d" => "day",
                "wk" => "week",
                "month" or "year" or "week" or "day" or "hour" or "minute" or "second" => unit,
                _ => null
            };
        if (name is null) throw FhirPathException.Execution($"'{unit}' cannot be added to a date or time");
        try
        {
            var start = new DateTime(
                Math.Max(1, _year), _month, _day, _hour, _minute, 0).AddTicks((long)(_second * TimeSpan.TicksPerSecond));
            var whole = (int)decimal.Truncate(amount);
            // An amount finer than the precision counts in whole units of the precision.
            var moved = name switch
            {
                "year" => start.AddYears(whole),
                "month" when Fields >= 2 => start.AddMonths(whole),
                "month" => start.AddYears(whole / 12),
                "week" or "day" when Fields >= 3 => start.AddDays(whole * (name == "week" ? 7 : 1)),
                "week" or "day" when Fields == 2 => start.AddMonths(whole * (name == "week" ? 7 : 1) / 30),
                "week" or "day" => start.AddYears(whole * (name == "week" ? 7 : 1) / 365),
                "hour" => Smaller(start, whole, TimeSpan.TicksPerHour),
                "minute" => Smaller(start, whole, TimeSpan.TicksPerMinute),
                "second" => Smaller(start, amount, TimeSpan.TicksPerSecond),
                "millisecond" => Smaller(start, amount, TimeSpan.TicksPerMillisecond),
                _ => throw FhirPathException.Execution($"'{unit}' cannot be added to a date or time"),
            };
            var second = moved.Second + moved.TimeOfDay.Ticks % TimeSpan.TicksPerSecond / (decimal)TimeSpan.TicksPerSecond;
            return new FhirTemporal(
                Kind, Fields, moved.Year, moved.Month, moved.Day, moved.Hour, moved.Minute, second, Offset, FractionDigits);
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException)
        {
            return null;
        }
    }

    /// <summary>Number of digits written: year 4, month 6, ... millisecond 17; of a time from hour 2.</summary>
    public int Precision
    {
        get
        {
            var digits = Fields switch { 1 => 4, 2 => 6, 3 => 8, 4 => 10, 5 => 12, _ => FractionDigits > 0 ? 17 : 14 };
            return Kind == TemporalKind.Time ? digits - 8 : digits;
        }
    }

    /// <summary>The first or the last moment that the value can mean, at a precision in digits; null where the precision is none.</summary>
    public FhirTemporal? Boundary(bool high, int? digits)
    {
        var fields = (digits ?? (Kind == TemporalKind.Date ? 8 : Kind == TemporalKind.Time ? 9 : 17)) + (Kind == TemporalKind.Time ? 8 : 0);
        var wanted = fields switch { 4 => 1, 6 => 2, 8 => 3, 10 => 4, 12 => 5, 14 or 17 => 6, _ => 0 };
        if (wanted == 0 || (Kind == TemporalKind.Date && wanted > 3)) return null;
        var month = Fields >= 2 ? _month : high ? 12 : 1;
        var day = Fields >= 3 ? _day : high ? DateTime.DaysInMonth(_year, month) : 1;
        var hour = Fields >= 4 ? _hour : high ? 23 : 0;
        var minute = Fields >= 5 ? _minute : high ? 59 : 0;
        var second = Fields >= 6 && FractionDigits > 0 ? _second : high ? (Fields >= 6 ? _second : 59) + 0.999m : Fields >= 6 ? _second : 0;
        // Without an offset the moment is somewhere on earth.
        int? offset = Kind != TemporalKind.DateTime || wanted < 4 ? null : Offset ?? (high ? -12 * 60 : 14 * 60);
        return new FhirTemporal(Kind, wanted, _year, month, day, hour, minute, wanted < 6 ? 0 : second, offset, fields == 17 ? 3 : 0);
    }

    public decimal Field(int number) => number switch { 1 => _year, 2 => _month, 3 => _day, 4 => _hour, 5 => _minute, _ => _second };

    /// <inheritdoc/>
    public override string ToString()
    {
        var text = new StringBuilder();
        var invariant = CultureInfo.InvariantCulture;
        if (Kind != TemporalKind.Time)
        {
            text.Append(_year.ToString("0000", invariant));
            if (Fields >= 2) text.Append('-').Append(_month.ToString("00", invariant));
            if (Fields >= 3) text.Append('-').Append(_day.ToString("00", invariant));
            if (Fields > 3) text.Append('T');
        }
        if (Fields >= 4) text.Append(_hour.ToString("00", invariant));
        if (Fields >= 5) text.Append(':').Append(_minute.ToString("00", invariant));
        if (Fields >= 6)
            text.Append(':')
                .Append(_second.ToString(FractionDigits == 0 ? "00" : "00." + new string('0', Math.Min(FractionDigits, 20)), invariant));
        if (Offset is { } offset)
            text.Append(offset == 0 ? "Z" : $"{(offset < 0 ? '-' : '+')}{Math.Abs(offset) / 60:00}:{Math.Abs(offset) % 60:00}");
        return text.ToString();
    }

    private static DateTime Smaller(DateTime start, decimal amount, long ticks) => start.AddTicks((long)(amount * ticks));

    private static bool Digits(string text, ref int at, int count, out int number)
    {
        number = 0;
        if (at + count > text.Length) return false;
        for (var end = at + count; at < end; at++)
        {
            if (!char.IsAsciiDigit(text[at])) return false;
            number = number * 10 + (text[at] - '0');
        }
        return true;
    }

    private FhirTemporal ToUtc()
    {
        if (Offset is null or 0 || Fields < 4) return this;
        var minutes = new DateTime(_year, _month, _day, _hour, _minute, 0).Ticks / TimeSpan.TicksPerMinute - Offset.Value;
        if (minutes < 0 || minutes > DateTime.MaxValue.Ticks / TimeSpan.TicksPerMinute) return this;
        var utc = new DateTime(minutes * TimeSpan.TicksPerMinute);
        return new FhirTemporal(Kind, Fields, utc.Year, utc.Month, utc.Day, utc.Hour, utc.Minute, _second, 0, FractionDigits);
    }
}
