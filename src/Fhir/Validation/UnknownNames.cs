using System.Collections.Concurrent;

namespace PmrGateway.Fhir;

/// <summary>
/// The texts that say that a name is not known. The same few systems (LOINC, SNOMED CT, UCUM) are named by nearly every resource: their
/// texts are made once.
/// </summary>
internal static class UnknownNames
{
    private const int MaxKept = 1000;
    private static readonly ConcurrentDictionary<string, string> Systems = new(StringComparer.Ordinal);

    /// <summary>The text.</summary>
    /// <param name="what">What is not known: profile, code system.</param>
    /// <param name="name">Its name.</param>
    public static string Text(string what, ReadOnlySpan<char> name)
    {
        if (what != "code system") return Make(what, name);
        if (Systems.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var known)) return known;
        var made = Make(what, name);
        if (Systems.Count < MaxKept) Systems.TryAdd(name.ToString(), made);
        return made;
    }

    private static string Make(string what, ReadOnlySpan<char> name) =>
        $"the {what} {IssueSink.Shown(name.ToString())} is not known here and was not checked";
}
