using System.Globalization;
using System.Text.RegularExpressions;

namespace PmrGateway.Tools.Cases;

/// <summary>What a case's setup says of the token that the request comes with.</summary>
internal sealed partial record TokenWish
{
    /// <summary>Its scopes; null: the actor's own.</summary>
    public string? Scopes { get; private init; }

    /// <summary>From when and to when it is good; null: as usual.</summary>
    public (DateTimeOffset From, DateTimeOffset To)? Life { get; private init; }

    /// <summary>Its audience; null: the gateway.</summary>
    public string? Audience { get; private init; }

    /// <summary>Whether its signature is of a key that nobody knows.</summary>
    public bool IsForged { get; private init; }

    /// <summary>Whether it was revoked before it is used.</summary>
    public bool IsRevoked { get; private init; }

    /// <summary>Whether it breaks the glass and does not say why.</summary>
    public bool IsWithoutReason { get; private init; }

    /// <summary>The scopes that a line gives the token, or null.</summary>
    public static string? ScopeOf(string line) => Scope().Match(line) is { Success: true } m ? m.Groups[1].Value : null;

    /// <summary>The same with what a line says of it; null: the line says nothing of a token.</summary>
    /// <param name="line">The line.</param>
    /// <param name="now">The case's now.</param>
    /// <param name="clock">The case's clock.</param>
    public TokenWish? With(string line, DateTimeOffset now, TimeShift clock)
    {
        if (ScopeOf(line) is { } scopes) return this with { Scopes = scopes };
        if (OfAudience().Match(line) is { Success: true } audience) return this with { Audience = audience.Groups[1].Value };
        if (Forged().IsMatch(line)) return this with { IsForged = true };
        if (Revoked().IsMatch(line)) return this with { IsRevoked = true };
        if (WithoutReason().IsMatch(line)) return this with { IsWithoutReason = true };
        if (Expired().Match(line) is { Success: true } expired)
        {
            var ago = expired.Groups[1].Success ? Duration.Of(expired.Groups[1].Value)!.Value : TimeSpan.FromMinutes(10);
            return this with { Life = (clock.Moment - ago - TimeSpan.FromMinutes(5), clock.Moment - ago) };
        }
        if (Issued().Match(line) is not { Success: true } m || Duration.Of(m.Groups[2].Value) is not { } life) return null;
        var from = new DateTimeOffset(now.Date + TimeSpan.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture), now.Offset);
        return this with { Life = (clock.Move(from), clock.Move(from + life)) };
    }

    [GeneratedRegex(@"^token scopes?(?:: | (?=\S+/))(.+)$")]
    private static partial Regex Scope();

    [GeneratedRegex(@"^(?:\w+ )?token (?:for )?(?:another )?audience:? (\S+)$")]
    private static partial Regex OfAudience();

    [GeneratedRegex(@"^(?:\w+ )?token (?:is |was )?signed (?:by|with) (?:an? )?(?:unknown|other|another|wrong|foreign) key$")]
    private static partial Regex Forged();

    [GeneratedRegex(@"^(?:\w+ )?token (?:is |was |has been )?revoked$")]
    private static partial Regex Revoked();

    [GeneratedRegex(@"^(?:(?:BTG )?token (?:without|with no|has no) (?:a |any )?(?:reason|justification)"
        + @"|no (?:reason|justification)(?: is)?(?: given)?)$")]
    private static partial Regex WithoutReason();

    [GeneratedRegex(@"^(?:\w+ )?token (?:is |has |was )?expired(?: (" + Duration.Form + @") ago)?$")]
    private static partial Regex Expired();

    [GeneratedRegex(@"^(?:\w+ )?token issued (\d\d:\d\d(?::\d\d)?), lifetime (" + Duration.Form + ")$")]
    private static partial Regex Issued();
}
