namespace PmrGateway.Tests.Scenarios.NonInterference;

/// <summary>
/// Random scopes with search parameters: of a type the token reaches what some of its codes, labels or identifiers say. Not of Consent:
/// one out of reach counts all the same, and the second gateway has those alone that are shown. No parameter is one that a version which
/// is written empty there has a value of.
/// </summary>
internal static class NarrowScopes
{
    private static readonly string[] Codes = ["34133-9", "11488-4", "8716-3"];

    /// <summary>Scopes of a level, the same for the same rolls.</summary>
    /// <param name="dice">The rolls.</param>
    /// <param name="level">patient or system.</param>
    /// <param name="others">Scopes without parameters besides.</param>
    public static string Of(Dice dice, string level, string others)
    {
        var scopes = new List<string>(others.Split(' '));
        foreach (var type in new[] { "DocumentReference", "Observation", "Condition" })
        {
            var code = type == "DocumentReference" ? "type" : "code";
            var isRead = dice.Chance(3, 4);
            for (var i = dice.Next(1, 4); i > 0; i--) scopes.Add($"{level}/{type}.{(isRead ? "rs" : "s")}?{Query(dice, code)}");
            // What is searched may be less than what is read. It is not more here: what may be read says what the second gateway has.
            if (!isRead) scopes.Add($"{level}/{type}.r");
        }
        return string.Join(' ', scopes);
    }

    private static string Query(Dice dice, string code) => dice.Next(6) switch
    {
        0 => $"{code}=http://loinc.org|{dice.Pick(Codes)}",
        1 => $"category={dice.Pick(Codes)},{dice.Pick(Codes)}",
        2 => $"{code}={dice.Pick(Codes)}&category=http%3A%2F%2Floinc.org%7C{dice.Pick(Codes)},{dice.Pick(Codes)}",
        3 => $"_security={dice.Pick("R", "N", "PSY")}",
        4 => $"identifier={Story.Identifiers}|k{dice.Next(4)}",
        _ => $"{code}={dice.Pick(Codes)},{dice.Pick(Codes)}",
    };
}
