using System.Globalization;
using System.Text.Json.Nodes;

namespace PmrGateway.Tools.Cases;

/// <summary>
/// Moves a case's instants so that its now is the moment of the request: date-times by the exact difference, dates by whole days. A month
/// or a year moves as the day that it begins or ends with, since by days it would not stay one.
/// </summary>
internal sealed class TimeShift
{
    private static readonly TimeSpan Near = TimeSpan.FromMinutes(10);
    private readonly TimeSpan _exact;
    private readonly int _days;

    private TimeShift(DateTimeOffset suite, DateTimeOffset real)
    {
        (Moment, _exact) = (real, real - suite);
        _days = (real.UtcDateTime.Date - suite.UtcDateTime.Date).Days;
    }

    /// <summary>When the request is to be made.</summary>
    public DateTimeOffset Moment { get; }

    /// <summary>The shift of a case. Where a bound lies near its now, the moment is far enough ahead for what comes before it.</summary>
    public static TimeShift Of(DateTimeOffset suite, IEnumerable<string> bounds)
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());
        var isNear = bounds.Any(b => b.Contains('T', StringComparison.Ordinal) && (Parse(b) - suite).Duration() < Near);
        return new TimeShift(suite, isNear ? now.AddSeconds(7) : now);
    }

    public DateTimeOffset Move(DateTimeOffset instant) => instant + _exact;

    /// <summary>Moves an instant, a date, or what a month or a year begins with.</summary>
    public string MoveStart(string text) => Move(text, isEnd: false);

    /// <summary>Moves an instant, a date, or what a month or a year ends with.</summary>
    public string MoveEnd(string text) => Move(text, isEnd: true);

    /// <summary>Moves dateTime and the periods of all provisions of a Consent; clinical periods stay.</summary>
    public void MoveConsent(JsonObject consent)
    {
        if ((string?)consent["dateTime"] is { } written) consent["dateTime"] = MoveStart(written);
        foreach (var period in Periods(consent))
        {
            if ((string?)period["start"] is { } start) period["start"] = MoveStart(start);
            if ((string?)period["end"] is { } end) period["end"] = MoveEnd(end);
        }
    }

    /// <summary>The bounds of the periods of all provisions.</summary>
    public static IEnumerable<string> Bounds(JsonObject consent) =>
        Periods(consent).SelectMany(p => new[] { (string?)p["start"], (string?)p["end"] }).OfType<string>();

    private static IEnumerable<JsonObject> Periods(JsonObject consent) =>
        Provisions(consent["provision"]).Select(p => p["period"]).OfType<JsonObject>();

    private static IEnumerable<JsonObject> Provisions(JsonNode? provision) => provision is JsonObject one
        ? one["provision"].Items().SelectMany(Provisions).Prepend(one)
        : [];

    private static DateTimeOffset Parse(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);

    private string Move(string text, bool isEnd) => text.Contains('T', StringComparison.Ordinal)
        ? Move(Parse(text)).ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.FFF'Z'", CultureInfo.InvariantCulture)
        : Day(text, isEnd).AddDays(_days).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static DateOnly Day(string text, bool isEnd)
    {
        var first = DateOnly.ParseExact(text + "-01-01"[Math.Min(6, text.Length - 4)..], "yyyy-MM-dd", CultureInfo.InvariantCulture);
        return (isEnd, text.Length) switch
        {
            (true, 4) => first.AddYears(1).AddDays(-1),
            (true, 7) => first.AddMonths(1).AddDays(-1),
            _ => first,
        };
    }
}
