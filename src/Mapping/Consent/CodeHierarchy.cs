using System.Collections.Frozen;

namespace PmrGateway.Mapping;

/// <summary>
/// Which codes a code holds: of purposes, of sensitivity and of confidentiality. Sources: the PurposeOfUse codes of v3-ActReason and the
/// InformationSensitivityPolicy codes of v3-ActCode in R4, and what later editions of the terminology (and DS4P) put under BH: for a
/// denial it is safer to hold too much.
/// </summary>
internal static class CodeHierarchy
{
    /// <summary>The system of purposes.</summary>
    public const string Purposes = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

    /// <summary>The system of how secret a record is.</summary>
    public const string Confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

    /// <summary>The system of what a record is sensitive for.</summary>
    public const string Sensitivity = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

    /// <summary>What a record without a label counts as: normal.</summary>
    private const int Unlabelled = 3;

    private const string Break = "BTG";
    private const string Emergency = "ETREAT";

    private static readonly string[] Roots = ["TREAT", "HPAYMT", "HOPERAT", "HRESCH", "PATRQT", "PUBHLTH", "HMARKT"];

    // From the least to the most secret.
    private static readonly string[] Levels = ["U", "L", "M", "N", "R", "V"];

    private static readonly FrozenDictionary<string, FrozenSet<string>> AbovePurpose = Above("""
        TREAT: CLINTRL COC ETREAT POPHLTH
        ETREAT: BTG ERTREAT
        HPAYMT: CLMATTCH COVAUTH COVERAGE REMITADV
        COVERAGE: ELIGDTRM ELIGVER ENROLLM MILDCRG
        HRESCH: BIORCH CLINTRCH DSRCH POARCH TRANSRCH
        CLINTRCH: CLINTRCHNPC CLINTRCHPC PRECLINTRCH
        PATRQT: FAMRQT PWATRNY SUPNWK
        PUBHLTH: DISASTER THREAT
        HOPERAT: CAREMGT DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS HPRGRP HQUALIMP HSYSADMIN MEMADMIN MILCDM
        HOPERAT: PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV TRAIN
        HSYSADMIN: LABELING METAMGT
        SYSDEV: HTEST
        """);

    private static readonly FrozenDictionary<string, FrozenSet<string>> AboveSensitivity = Above("""
        SPI: BH MH PSY PSYTHPN SUD
        BH: COGN DVD EMOTDIS MH PSY PSYTHPN SUD
        MH: PSY PSYTHPN
        PSY: PSYTHPN
        SUD: ETH ETHUD OPIOIDUD
        ETH: ETHUD
        SEX: STD
        STD: HIV
        GDIS: SICKLE
        DEMO: DOB GENDER LIVARG MARST RACE REL
        """);

    /// <summary>Whether a purpose that is asked for is one that a provision names, or a kind of it.</summary>
    /// <param name="asked">Of the token.</param>
    /// <param name="named">Of the provision.</param>
    /// <param name="denies">Whether the provision denies.</param>
    public static bool IsPurpose(string asked, string named, bool denies) =>
        // Breaking the glass is a kind of treatment; a permit for it is nonetheless one that says so.
        asked == named || ((denies || asked != Break || named == Emergency) && IsBelow(AbovePurpose, asked, named));

    /// <summary>Whether a code is a purpose of use: a provision that names another would hold nothing.</summary>
    public static bool IsKnownPurpose(string code) => AbovePurpose.ContainsKey(code) || Roots.Contains(code);

    /// <summary>Whether a code of confidentiality is a level.</summary>
    public static bool IsLevel(string code) => Levels.Contains(code);

    /// <summary>Whether a record's security labels are what a provision names.</summary>
    /// <param name="labels">All labels of the record.</param>
    /// <param name="named">Of the provision.</param>
    /// <param name="denies">Whether the provision denies: then a level holds those above it, else those below it.</param>
    public static bool IsSecurity(IReadOnlyList<RecordLabel> labels, TermCode named, bool denies)
    {
        if (CodeSystems.AreSame(named.System, Confidentiality) && Array.IndexOf(Levels, named.Code) is var level and >= 0)
            return denies ? LevelOf(labels) >= level : LevelOf(labels) <= level;
        var isSensitivity = CodeSystems.AreSame(named.System, Sensitivity);
        foreach (var label in labels)
        {
            if (label.Kind != LabelKind.Security || (label.IsInner && !denies)) continue;
            // One that names no system may be of the one that is denied.
            if (!CodeSystems.AreSame(label.System, named.System) && !(denies && label.System.Length == 0)) continue;
            if (label.Code == named.Code || (isSensitivity && IsBelow(AboveSensitivity, label.Code, named.Code))) return true;
        }
        return false;
    }

    /// <summary><see cref="LabelSet.Loses"/>.</summary>
    public static bool Loses(IReadOnlyList<RecordLabel> before, IReadOnlyList<RecordLabel> after)
    {
        return LevelOf(after) < LevelOf(before) || before.Any(o => o.Kind == LabelKind.Security && !MayBeLevel(o.System)
            && !after.Any(l => l.Kind == LabelKind.Security && l.Code == o.Code && CodeSystems.AreSame(l.System, o.System)));
    }

    /// <summary>A security label of a provision with all that it holds, for who compares codes one by one.</summary>
    /// <param name="named">Of the provision.</param>
    /// <param name="denies">Whether the provision denies.</param>
    public static IEnumerable<TermCode> Spelled(TermCode named, bool denies)
    {
        if (CodeSystems.AreSame(named.System, Confidentiality) && Array.IndexOf(Levels, named.Code) is var level and >= 0)
            return (denies ? Levels[level..] : Levels[..(level + 1)]).Select(l => named with { Code = l });
        var below = CodeSystems.AreSame(named.System, Sensitivity)
            ? AboveSensitivity.Where(a => a.Value.Contains(named.Code)).Select(a => a.Key)
            : [];
        return below.Order(StringComparer.Ordinal).Prepend(named.Code).Select(c => named with { Code = c });
    }

    // The highest counts, wherever in the record it stands; that of a part does not lower a record that has none of its own.
    private static int LevelOf(IReadOnlyList<RecordLabel> labels)
    {
        var (whole, parts) = (-1, -1);
        foreach (var label in labels)
        {
            if (label.Kind != LabelKind.Security || !MayBeLevel(label.System)) continue;
            var own = Array.IndexOf(Levels, label.Code);
            // What is not understood is as secret as can be; without a system a code that is no level says something else.
            if (own < 0 && label.System.Length > 0) own = Levels.Length - 1;
            if (label.IsInner) parts = Math.Max(parts, own);
            else whole = Math.Max(whole, own);
        }
        return Math.Max(whole < 0 ? Unlabelled : whole, parts);
    }

    private static bool MayBeLevel(string system) => system.Length == 0 || CodeSystems.AreSame(system, Confidentiality);

    private static bool IsBelow(FrozenDictionary<string, FrozenSet<string>> above, string code, string ancestor) =>
        above.TryGetValue(code, out var ancestors) && ancestors.Contains(ancestor);

    private static FrozenDictionary<string, FrozenSet<string>> Above(string lines)
    {
        var parents = new Dictionary<string, List<string>>();
        foreach (var line in lines.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var (parent, children) = (line[..line.IndexOf(':', StringComparison.Ordinal)], line[(line.IndexOf(' ') + 1)..].Split(' '));
            foreach (var child in children)
                if (!parents.TryAdd(child, [parent])) parents[child].Add(parent);
        }
        return parents.Keys.ToFrozenDictionary(c => c, c => Ancestors(c).ToFrozenSet(StringComparer.Ordinal), StringComparer.Ordinal);

        IEnumerable<string> Ancestors(string code) =>
            parents.TryGetValue(code, out var direct) ? direct.Concat(direct.SelectMany(Ancestors)) : [];
    }
}
