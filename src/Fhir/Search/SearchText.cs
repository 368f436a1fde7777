using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace PmrGateway.Fhir;

/// <summary>
/// Text as a string search compares it: case, accents, punctuation, and how much white space there is do not count.
/// https://hl7.org/fhir/R4/search.html#string
/// </summary>
public static class SearchText
{
    /// <summary>
    /// How many letters of the beginning of a text an index of hashes has: from these no search for more can be answered.
    /// </summary>
    public const int MaxBeginning = 20;

    // Each group: a letter, and the letters that the Unicode canonical decomposition makes of it and marks from U+0300 to U+036F. Other
    // marks are no accents: in Devanagari they are vowels.
    private const string Letters =
        "iİ σς aàáâãäåāăąǎǟǡǻȁȃȧḁạảấầẩẫậắằẳẵặ bḃḅḇ cçćĉċčḉ dďḋḍḏḑḓ eèéêëēĕėęěȅȇȩḕḗḙḛḝẹẻẽếềểễệ fḟ gĝğġģǧǵḡ hĥȟḣḥḧḩḫẖ "
        + "iìíîïĩīĭįǐȉȋḭḯỉị jĵǰ kķǩḱḳḵ lĺļľḷḹḻḽ mḿṁṃ nñńņňǹṅṇṉṋ oòóôõöōŏőơǒǫǭȍȏȫȭȯȱṍṏṑṓọỏốồổỗộớờởỡợ pṕṗ rŕŗřȑȓṙṛṝṟ "
        + "sśŝşšșṡṣṥṧṩ tţťțṫṭṯṱẗ uùúûüũūŭůűųưǔǖǘǚǜȕȗṳṵṷṹṻụủứừửữự vṽṿ wŵẁẃẅẇẉẘ xẋẍ yýÿŷȳẏẙỳỵỷỹ zźżžẑẓẕ æǣǽ øǿ ſẛ ʒǯ "
        + "αάἀἁἂἃἄἅἆἇὰάᾀᾁᾂᾃᾄᾅᾆᾇᾰᾱᾲᾳᾴᾶᾷ εέἐἑἒἓἔἕὲέ ηήἠἡἢἣἤἥἦἧὴήᾐᾑᾒᾓᾔᾕᾖᾗῂῃῄῆῇ ιΐίϊἰἱἲἳἴἵἶἷὶίῐῑῒΐῖῗ οόὀὁὂὃὄὅὸό ρῤῥ "
        + "υΰϋύὐὑὒὓὔὕὖὗὺύῠῡῢΰῦῧ ωώὠὡὢὣὤὥὦὧὼώᾠᾡᾢᾣᾤᾥᾦᾧῲῳῴῶῷ ϒϓϔ аӑӓ гѓ еѐёӗ жӂӝ зӟ ийѝӣӥ кќ оӧ уўӯӱӳ чӵ ыӹ эӭ ії ѵѷ әӛ өӫ ";

    private static readonly FrozenDictionary<char, char> Plain = Letters.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .SelectMany(g => g.Skip(1).Select(c => KeyValuePair.Create(c, g[0]))).ToFrozenDictionary();

    /// <summary>A text in lower case, without accents and punctuation (a hyphen is a space), with single spaces and none at its ends.
    /// </summary>
    public static string Normalize(string text)
    {
        var plain = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (c is >= '\u0300' and <= '\u036f') continue;
            var isSpace = char.IsWhiteSpace(c) || char.GetUnicodeCategory(c) == UnicodeCategory.DashPunctuation;
            if (!isSpace && char.IsPunctuation(c)) continue;
            if (!isSpace)
            {
                var lower = char.ToLowerInvariant(c);
                plain.Append(char.IsAscii(lower) ? lower : Plain.GetValueOrDefault(lower, lower));
            }
            else if (plain.Length > 0 && plain[^1] != ' ')
            {
                plain.Append(' ');
            }
        }
        if (plain.Length > 0 && plain[^1] == ' ') plain.Length--;
        return plain.ToString();
    }
}
