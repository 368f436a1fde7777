using System.Globalization;
using System.Text.RegularExpressions;

namespace PmrGateway.Tools.Cases;

/// <summary>A length of time in words: <c>10 min</c>, <c>60 s</c>, <c>1 h</c>; a bare number is of seconds.</summary>
internal static partial class Duration
{
    /// <summary>The forms of one, for expressions that hold it among other words.</summary>
    public const string Form = @"\d+(?:\.\d+)? ?(?:ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)";

    /// <summary>The length; null: it is none.</summary>
    public static TimeSpan? Of(string text)
    {
        if (Words().Match(text) is not { Success: true } m) return null;
        var number = double.Parse(m.Groups["number"].Value, CultureInfo.InvariantCulture);
        return m.Groups["unit"].Value switch
        {
            "ms" => TimeSpan.FromMilliseconds(number),
            ['m', ..] => TimeSpan.FromMinutes(number),
            ['h', ..] => TimeSpan.FromHours(number),
            ['d', ..] => TimeSpan.FromDays(number),
            _ => TimeSpan.FromSeconds(number),
        };
    }

    [GeneratedRegex(@"^(?<number>\d+(?:\.\d+)?) ?(?<unit>ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?|)$")]
    private static partial Regex Words();
}
