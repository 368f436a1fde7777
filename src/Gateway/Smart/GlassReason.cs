using System.Globalization;
using System.Text;

namespace PmrGateway.Gateway.Smart;

/// <summary>Why the glass is broken: the patient is told it, so it must be there to be read.</summary>
internal static class GlassReason
{
    private const int MinLetters = 2;

    // Letters by their category, and blank on every screen.
    private static readonly int[] Fillers = [0x115F, 0x1160, 0x3164, 0xFFA0];

    /// <summary>
    /// A reason without what cannot be seen: controls and breaks are a space, what merely steers the display (direction, joins, tags) is
    /// left out. Null where fewer than two letters or digits are left: that is no reason.
    /// </summary>
    /// <param name="said">What was said; null: nothing.</param>
    public static string? Of(string? said)
    {
        var text = new StringBuilder();
        var letters = 0;
        foreach (var rune in (said ?? "").EnumerateRunes())
        {
            var category = Rune.GetUnicodeCategory(rune);
            if (Rune.IsWhiteSpace(rune) || category == UnicodeCategory.Control)
            {
                if (text.Length > 0 && text[^1] != ' ') text.Append(' ');
                continue;
            }
            if (category is UnicodeCategory.Format or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
                || Fillers.Contains(rune.Value) || rune == Rune.ReplacementChar)
                continue;
            text.Append(rune.ToString());
            if (Rune.IsLetterOrDigit(rune)) letters++;
        }
        return letters < MinLetters ? null : text.ToString().TrimEnd();
    }
}
