namespace PmrGateway.Fhir;

/// <summary>What the codes of one system are called: the display and the designations, in any case and spacing.</summary>
/// <param name="names">Names by code; a code without any is not among them.</param>
internal sealed class Displays(Dictionary<string, string[]> names)
{
    public IReadOnlyDictionary<string, string[]> Names => names;

    /// <summary>The names of a code; empty: there are none.</summary>
    public string[] Of(ReadOnlySpan<char> code) =>
        names.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(code, out var known) ? known : [];

    /// <summary>Whether a name is among others.</summary>
    public static bool Has(string[] names, ReadOnlySpan<char> name)
    {
        foreach (var known in names)
            if (IsSame(name, known)) return true;
        return false;
    }

    // Letter by letter, where case and the width of blanks do not count.
    private static bool IsSame(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        if (a.SequenceEqual(b)) return true;
        a = a.Trim();
        b = b.Trim();
        var (i, j) = (0, 0);
        while (i < a.Length && j < b.Length)
        {
            if (char.IsWhiteSpace(a[i]) && char.IsWhiteSpace(b[j]))
            {
                while (char.IsWhiteSpace(a[i])) i++;
                while (char.IsWhiteSpace(b[j])) j++;
                continue;
            }
            if (char.ToUpperInvariant(a[i++]) != char.ToUpperInvariant(b[j++])) return false;
        }
        return i == a.Length && j == b.Length;
    }
}
