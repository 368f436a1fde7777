namespace PmrGateway.Store;

/// <summary>
/// Dates of birth as names of the spans of time that they lie in: of a day, its century, year, month and day. A search names the spans that
/// make up what it asks for, so that an index of hashes answers it. What is known to the month or the year alone has a name of its own
/// besides, since it lies in no shorter span.
/// </summary>
internal static class PersonDates
{
    private const long MillisecondsADay = 86_400_000;

    /// <summary>The names of a date in the index.</summary>
    /// <param name="from">First millisecond.</param>
    /// <param name="to">The millisecond behind the last.</param>
    public static IEnumerable<string> Of(long from, long to)
    {
        var day = DayOf(from);
        var days = (to - from) / MillisecondsADay;
        yield return Century(day.Year);
        yield return Year(day.Year);
        if (days > 31) yield return Only(Year(day.Year));
        else yield return Month(day.Year, day.Month);
        if (days is > 1 and <= 31) yield return Only(Month(day.Year, day.Month));
        if (days <= 1) yield return Day(day);
    }

    /// <summary>The names of which a date has one if a search's value matches it.</summary>
    /// <param name="value">The value; its prefix is not ne.</param>
    public static IReadOnlyList<string> Matching(SearchValue value)
    {
        // A time of a day begins behind the day's beginning, and ends before its end.
        return value.Prefix switch
        {
            "lt" => [.. Before(DayFrom(value.From))],
            "le" => [.. Before(DayFrom(value.From)), .. Inside(DayFrom(value.From), DayOf(value.To))],
            "gt" => [.. After(DayOf(value.To))],
            "ge" => [.. After(DayOf(value.To)), .. Inside(DayFrom(value.From), DayOf(value.To))],
            "sa" => [.. Inside(DayFrom(value.To), null)],
            "eb" => [.. Inside(null, DayOf(value.From))],
            "ap" => [.. Inside(DayOf(value.From), DayFrom(value.To)), .. Across(DayOf(value.From)), .. Across(DayFrom(value.To))],
            _ => [.. Inside(DayFrom(value.From), DayOf(value.To))],
        };
    }

    // What begins before a day.
    private static IEnumerable<string> Before(DateOnly day) => [.. Inside(null, day), .. Across(day)];

    // What ends behind a day's beginning.
    private static IEnumerable<string> After(DateOnly day) => [.. Inside(day, null), .. Across(day)];

    // Of what is not known to the day, what lies on both sides of a day's beginning.
    private static IEnumerable<string> Across(DateOnly day)
    {
        if (day.DayOfYear > 1) yield return Only(Year(day.Year));
        if (day.Day > 1) yield return Only(Month(day.Year, day.Month));
    }

    // The spans that lie from one day up to another, the longest that fit.
    private static IEnumerable<string> Inside(DateOnly? from, DateOnly? to)
    {
        // Nobody is born on the last day that there is.
        var end = to ?? DateOnly.MaxValue;
        for (var day = from ?? DateOnly.MinValue; day < end;)
        {
            var beginsYear = day is { Month: 1, Day: 1 };
            if (beginsYear && day.Year % 100 == 0 && Later(day, 1200) is var century && century <= end)
            {
                yield return Century(day.Year);
                day = century;
            }
            else if (beginsYear && Later(day, 12) is var year && year <= end)
            {
                yield return Year(day.Year);
                day = year;
            }
            else if (day.Day == 1 && Later(day, 1) is var month && month <= end)
            {
                yield return Month(day.Year, day.Month);
                day = month;
            }
            else
            {
                yield return Day(day);
                day = day.AddDays(1);
            }
        }
    }

    private static DateOnly Later(DateOnly day, int months) =>
        (day.Year * 12) + day.Month - 1 + months >= (DateOnly.MaxValue.Year + 1) * 12 ? DateOnly.MaxValue : day.AddMonths(months);

    private static DateOnly DayOf(long milliseconds) =>
        DateOnly.FromDateTime(DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).UtcDateTime);

    // A day that has begun is not the one from which on.
    private static DateOnly DayFrom(long milliseconds)
    {
        var day = DayOf(milliseconds);
        return milliseconds % MillisecondsADay == 0 || day == DateOnly.MaxValue ? day : day.AddDays(1);
    }

    private static string Century(int year) => $"c{year / 100}";

    private static string Year(int year) => $"{year:0000}";

    private static string Month(int year, int month) => $"{year:0000}-{month:00}";

    private static string Day(DateOnly day) => $"{day:yyyy-MM-dd}";

    private static string Only(string span) => "=" + span;
}
