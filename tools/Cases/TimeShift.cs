using System.Globalization;
using System.Text.Json.Nodes;

namespace PmrGateway.Tools.Cases;

/// <summary>
/// Moves a case's instants so that its now is the moment of the request: date-times by the exact difference, dates by whole days.
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

    public string Move(string text) => text.Contains('T', StringComparison.Ordinal)
        ? Move(Parse(text)).ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.FFF'Z'", CultureInfo.InvariantCulture)
        : Date(text).AddDays(_days).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)[..text.Length];

    /// <summary>Moves dateTime and the periods of all provisions of a Consent; clinical periods stay.</summary>
    public void MoveConsent(JsonObject consent)
    {
        if ((string?)consent["dateTime"] is { } written) consent["dateTime"] = Move(written);
        foreach (var period in Periods(consent))
            foreach (var bound in new[] { "start", "end" })
                if ((string?)period[bound] is { } text) period[bound] = Move(text);
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

    private static DateOnly Date(string text) =>
        DateOnly.ParseExact(text + "-01-01"[Math.Min(6, text.Length - 4)..], "yyyy-MM-dd", CultureInfo.InvariantCulture);
}
