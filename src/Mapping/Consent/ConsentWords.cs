using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace PmrGateway.Mapping;

/// <summary>
/// A consent's terms as a sentence of plain English, for who reads no FHIR. It says all that the terms say, in the words of what is
/// decided (docs/consent.md), and nothing besides. Pure.
/// </summary>
public static class ConsentWords
{

    private static readonly FrozenDictionary<string, string> Purposes = new Dictionary<string, string>
    {
        ["BTG"] = "breaking the glass",
        ["CAREMGT"] = "care management",
        ["CLINTRCH"] = "clinical trial research",
        ["COC"] = "coordination of care",
        ["COVERAGE"] = "coverage under a policy",
        ["ETREAT"] = "emergency treatment",
        ["FAMRQT"] = "a request of the family",
        ["HMARKT"] = "marketing",
        ["HOPERAT"] = "healthcare operations",
        ["HPAYMT"] = "healthcare payment",
        ["HRESCH"] = "research",
        ["PATRQT"] = "a request of the patient",
        ["PUBHLTH"] = "public health",
        ["TREAT"] = "treatment",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string> Systems = new Dictionary<string, string>
    {
        ["http://hl7.org/fhir/sid/cvx"] = "CVX",
        ["http://hl7.org/fhir/sid/icd-10"] = "ICD-10",
        ["http://hl7.org/fhir/sid/icd-10-cm"] = "ICD-10-CM",
        ["http://loinc.org"] = "LOINC",
        ["http://snomed.info/sct"] = "SNOMED CT",
        ["http://www.nlm.nih.gov/research/umls/rxnorm"] = "RxNorm",
        [CodeHierarchy.Sensitivity] = "",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string> Levels = new Dictionary<string, string>
    {
        ["U"] = "unrestricted",
        ["L"] = "low",
        ["M"] = "moderate",
        ["N"] = "normal",
        ["R"] = "restricted",
        ["V"] = "very restricted",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The sentence of a consent, and one for each exception.</summary>
    /// <param name="terms">What it says.</param>
    public static string Of(ConsentTerms terms)
    {
        var words = new StringBuilder(Of(terms.Root, terms.Permits, null));
        foreach (var exception in terms.Exceptions) words.Append(Of(exception, !terms.Permits, terms.Root));
        return words.ToString();
    }

    // An exception speaks inside the provision around it: of its people and deeds where it names none itself.
    private static string Of(Provision provision, bool permits, Provision? around)
    {
        var actors = provision.Actors.Count > 0 ? provision.Actors : around?.Actors ?? [];
        var actions = provision.Actions.Count > 0 ? provision.Actions : around?.Actions ?? [];
        var words = new StringBuilder(around is not null ? " Except: " : permits ? "Permit: " : "Deny: ");
        words.Append(actors.Count > 0 ? string.Join(" and ", actors.Distinct()) : permits ? "anyone" : "nobody")
            .Append(permits || actors.Count == 0 ? " may " : " may not ")
            .Append(Action(actions, permits)).Append(' ').Append(Records(provision, permits)).Append(", for ")
            .Append(provision.Purposes.Count > 0 ? Or(provision.Purposes.Distinct().Select(Purpose))
                : around?.Purposes.Count > 0 ? "any of these purposes" : "any purpose");
        if (around is null || provision.From != around.From || provision.To != around.To) words.Append(Period(provision, around));
        return words.Append('.').ToString();
    }

    private static string Action(IReadOnlyList<DataAction> actions, bool permits)
    {
        if (actions.Count > 0 && !actions.Contains(DataAction.Write)) return "read";
        if (actions.Count > 0 && !actions.Contains(DataAction.Read)) return "write";
        return permits ? "read and write" : "read or write";
    }

    private static string Records(Provision provision, bool permits)
    {
        var asked = new List<string>();
        if (provision.Classes.Count > 0) asked.Add(Or(provision.Classes.Distinct().Select(Class)));
        if (provision.Codes.Count > 0) asked.Add("with the code " + Or(provision.Codes.Distinct().Select(Code)));
        if (provision.SecurityLabels.Count > 0) asked.Add(Or(provision.SecurityLabels.Distinct().Select(l => Label(l, permits))));
        if (provision.DataPeriod is { } period) asked.Add(Time(period, permits));
        if (provision.Data.Count > 0) asked.Add(Or(provision.Data.Distinct().Select(Data)));
        return asked.Count == 0 ? permits ? "every record" : "any record" : "records " + string.Join(", and ", asked);
    }

    private static string Purpose(string code) => Purposes.TryGetValue(code, out var name) ? $"{name} ({code})" : code;

    private static string Class(TermCode c) => c.System == RecordLabel.ResourceTypes ? "of type " + c.Code : "of class " + Code(c);

    private static string Code(TermCode c) => !Systems.TryGetValue(c.System, out var name) ? $"{c.System}|{c.Code}"
        : name.Length == 0 ? c.Code : $"{name} {c.Code}";

    // A level is one of an order; a sensitivity holds its kinds.
    private static string Label(TermCode c, bool permits) =>
        c.System == CodeHierarchy.Confidentiality && Levels.TryGetValue(c.Code, out var level)
            ? $"of confidentiality {level} ({c.Code}) or {(permits ? "lower" : "higher")}"
            : "labelled " + Or(CodeHierarchy.Spelled(c, !permits).Select(Code));

    private static string Time(DataPeriod period, bool permits)
    {
        var time = (period.From == default ? "" : " from " + Day(period.From)) + (IsEndless(period.To) ? "" : " until " + Last(period.To));
        return permits ? $"wholly about the time{time}" : $"about any of the time{time}, or about a time that is not told";
    }

    private static string Data(DataReference data) => data.Meaning switch
    {
        DataMeaning.Instance => "that are " + data.Reference,
        DataMeaning.Related => $"that are {data.Reference}, refer to it or are referred to by it",
        DataMeaning.Dependents => $"that are {data.Reference} or refer to it",
        _ => "that name or were sent by the author " + data.Reference,
    };

    private static string Period(Provision provision, Provision? around)
    {
        // The epoch stands for no beginning.
        var from = provision.From == DateTimeOffset.UnixEpoch || provision.From == around?.From ? "" : ", from " + Day(provision.From);
        return from + (provision.To == around?.To ? "" : IsEndless(provision.To) ? ", without an end" : ", until " + Last(provision.To));
    }

    private static bool IsEndless(DateTimeOffset to) => to == DateTimeOffset.MaxValue;

    private static string Day(DateTimeOffset at) => at.UtcDateTime.TimeOfDay == TimeSpan.Zero
        ? at.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
        : at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    // An end that is given as a date includes the day.
    private static string Last(DateTimeOffset behind) => behind.UtcDateTime.TimeOfDay == TimeSpan.Zero
        ? Day(behind.AddDays(-1)) + " inclusive"
        : Day(behind);

    private static string Or(IEnumerable<string> words) => string.Join(" or ", words);
}
