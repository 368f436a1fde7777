namespace PmrGateway.Fhir;

/// <summary>Code systems that are defined by a grammar and not by a list: what is no code of them by its form alone.</summary>
internal static class CodeGrammar
{
    /// <summary>Whether a text can be a code of a system; true for every system that has no grammar here.</summary>
    public static bool Allows(string system, ReadOnlySpan<char> code) => system switch
    {
        // Three letters. https://www.iso.org/iso-4217-currency-codes.html
        "urn:iso:std:iso:4217" => code.Length == 3 && !code.ContainsAnyExceptInRange('A', 'Z'),
        _ => true,
    };

    /// <summary>
    /// Whether a text has the form of a language tag: parts of 1 to 8 letters and digits, the first of letters. RFC 5646, section 2.1
    /// </summary>
    public static bool IsLanguageTag(ReadOnlySpan<char> tag)
    {
        var isFirst = true;
        foreach (var range in tag.Split('-'))
        {
            var part = tag[range];
            if (part.Length is 0 or > 8) return false;
            foreach (var c in part)
                if (isFirst ? !char.IsAsciiLetter(c) : !char.IsAsciiLetterOrDigit(c)) return false;
            isFirst = false;
        }
        return true;
    }
}
