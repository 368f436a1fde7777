using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace PmrGateway.Tools.Cases;

/// <summary>What a case says of the node: that it gives no answer, or always the same head, and for how long.</summary>
/// <param name="Answers">Whether the node answers all the same: it is its head that stands still.</param>
/// <param name="IsBeyond">Whether it is so for longer than the gateway may trust what it saw last.</param>
internal sealed partial record Outage(bool Answers, bool IsBeyond)
{
    /// <summary>Whether a member of a case's chain is about this.</summary>
    public static bool Knows(string name) => name is "rpc" || IsLimit(name) || IsAge(name);

    /// <summary>Reads it; null: the node is as it should be.</summary>
    /// <param name="chain">The case's chain.</param>
    /// <param name="now">The case's now.</param>
    public static Outage? Of(JsonObject chain, DateTimeOffset now)
    {
        var limit = Stage.MaxStaleness;
        TimeSpan? age = null;
        // What is not known of the chain is not known because nobody answers.
        var isOut = chain.Any(m => m.Key is "head" or "grant" or "revoke" && m.Value?.ToString() == "unknown");
        var isStill = false;
        foreach (var (name, value) in chain)
        {
            if (value is null || !Knows(name)) continue;
            var text = value.ToString();
            if (name == "rpc") (isOut, isStill, age) = OfNode(text, isOut, age);
            else if (IsLimit(name)) limit = LengthOf(name, text);
            else if (text is "true" or "false") isOut |= text == "true";
            else
            {
                age = DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var since)
                    && text.Contains('T', StringComparison.Ordinal) ? now - since : LengthOf(name, text);
                // Of a head's age the node itself tells, where nothing is said of it.
                if (HeadAge().IsMatch(name)) isStill |= !chain.ContainsKey("rpc");
                else isOut = true;
            }
        }
        return isOut || isStill ? new Outage(!isOut, age is null || age > limit) : null;
    }

    /// <summary>Makes it so, and waits for as long as it takes.</summary>
    public async Task PlayAsync(Stage stage)
    {
        // Where blocks come only when they are asked for, a head stands still by itself.
        if (!Answers) await stage.Chain.SetRunningAsync(false);
        await Task.Delay(IsBeyond ? Stage.MaxStaleness + TimeSpan.FromSeconds(2) : TimeSpan.FromSeconds(2));
    }

    private static (bool IsOut, bool IsStill, TimeSpan? Age) OfNode(string text, bool isOut, TimeSpan? age)
    {
        if (Well().IsMatch(text)) return (isOut, false, age);
        if (Node().Match(text) is not { Success: true } m) throw CaseFailed.NotApplicable($"chain.rpc '{text}'");
        var length = m.Groups["length"].Success ? LengthOf("rpc", m.Groups["length"].Value) : age;
        return m.Groups["still"].Success ? (isOut, true, length) : (true, false, length);
    }

    private static TimeSpan LengthOf(string name, string text)
    {
        var length = Duration.Of(text) ?? throw CaseFailed.NotUnderstood($"chain.{name} '{text}'");
        if (!double.TryParse(text, CultureInfo.InvariantCulture, out var number)) return length;
        return name.EndsWith("Minutes", StringComparison.Ordinal) ? TimeSpan.FromMinutes(number)
            : name.EndsWith("Ms", StringComparison.Ordinal) ? TimeSpan.FromMilliseconds(number)
            : length;
    }

    private static bool IsLimit(string name) => Limit().IsMatch(name);

    private static bool IsAge(string name) => Age().IsMatch(name) || HeadAge().IsMatch(name);

    [GeneratedRegex("^(?:(?:max|limit)(?:Staleness|Stale|Age)?|stale(?:ness)?Limit|limit)(?:Seconds|Minutes|Ms)?$")]
    private static partial Regex Limit();

    [GeneratedRegex("^(?:(?:rpc)?(?:stale(?:ness|For|Since)?|down(?:For|Since)?|age)|lastSeen|lastAnswer|since)(?:Seconds|Minutes|Ms)?$",
        RegexOptions.IgnoreCase)]
    private static partial Regex Age();

    [GeneratedRegex("^(?:head|lastBlock|block)Age(?:Seconds|Minutes|Ms)?$")]
    private static partial Regex HeadAge();

    [GeneratedRegex("^(?:up|ok|healthy|synced)$")]
    private static partial Regex Well();

    [GeneratedRegex("^(?:(?:is )?(?:down|unreachable|offline|disconnected|refused|hangs|no answer|times? ?out|errors?(?: 5\\d\\d)?"
        + "|(?:HTTP )?5\\d\\d)"
        + "|(?<still>stuck|frozen|head stands still))(?:,? (?:for |since )?(?<length>" + Duration.Form + "))?(?: ago)?$",
        RegexOptions.IgnoreCase)]
    private static partial Regex Node();
}
