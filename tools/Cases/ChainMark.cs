using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace PmrGateway.Tools.Cases;

/// <summary>
/// Where a grant or a revocation of a case is, in the suite's words: <c>block 195 (orphaned, re-included 198)</c>, <c>pending</c>,
/// <c>hash mismatch</c>, or a block's number alone.
/// </summary>
internal sealed partial record ChainMark
{
    /// <summary>Its block; null: none is named.</summary>
    public long? Block { get; private init; }

    /// <summary>The block into which it came again after a reorganisation; null: into none.</summary>
    public long? Again { get; private init; }

    /// <summary>Whether a reorganisation takes it away.</summary>
    public bool IsOrphaned { get; private init; }

    /// <summary>Whether it never comes onto the chain.</summary>
    public bool IsAbsent { get; private init; }

    /// <summary>Whether it is sent, and in no block.</summary>
    public bool IsPending { get; private init; }

    /// <summary>Whether another wallet than the patient's has signed it.</summary>
    public bool IsOfOtherSigner { get; private init; }

    /// <summary>Whether what is on the chain is the hash of something else.</summary>
    public bool IsOfOtherHash { get; private init; }

    /// <summary>Whether what is stored was changed after it came onto the chain.</summary>
    public bool IsChanged { get; private init; }

    /// <summary>Reads one; null: the case says nothing of it.</summary>
    /// <param name="chain">The case's chain.</param>
    /// <param name="name">The member.</param>
    public static ChainMark? Of(JsonObject chain, string name)
    {
        if (chain[name] is not JsonValue value) return null;
        var mark = new ChainMark();
        foreach (var phrase in value.ToString().Split(['(', ')', ',', ';'], Trimmed)) mark = mark.With($"chain.{name}", phrase);
        return mark;
    }

    /// <summary>Whether a member of a case's chain holds a hash against another.</summary>
    public static bool IsHash(string name) => Hash().IsMatch(name);

    /// <summary>The same with what such a member says.</summary>
    public ChainMark WithHash(string name, string text)
    {
        var isOther = (text.ToLowerInvariant(), name.EndsWith("Mismatch", StringComparison.Ordinal)) switch
        {
            ("mismatch" or "differs" or "different" or "other" or "wrong", _) or ("false", false) or ("true", true) => true,
            ("match" or "matches" or "same", _) or ("true", false) or ("false", true) => false,
            _ => throw CaseFailed.NotUnderstood($"chain.{name} '{text}'"),
        };
        if (!isOther) return this;
        return name.StartsWith("stored", StringComparison.Ordinal) ? this with { IsChanged = true } : this with { IsOfOtherHash = true };
    }

    /// <summary>How many blocks are on top of one; null: as many as are asked for.</summary>
    public static long? Depth(long? block, long? head) => head - block;

    private const StringSplitOptions Trimmed = StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries;

    private ChainMark With(string where, string phrase)
    {
        var m = Phrase().Match(phrase);
        long Number() => long.Parse(m.Groups["number"].Value, CultureInfo.InvariantCulture);
        if (m.Groups["block"].Success) return this with { Block = Number() };
        if (m.Groups["again"].Success) return this with { Again = Number() };
        if (m.Groups["orphaned"].Success) return this with { IsOrphaned = true };
        if (m.Groups["absent"].Success) return this with { IsAbsent = true };
        if (m.Groups["pending"].Success) return this with { IsPending = true };
        if (m.Groups["signer"].Success) return this with { IsOfOtherSigner = true };
        if (m.Groups["hash"].Success) return this with { IsOfOtherHash = true };
        if (m.Groups["changed"].Success) return this with { IsChanged = true };
        // Who does not know has a node that does not answer.
        if (phrase == "unknown") return this;
        throw CaseFailed.NotApplicable($"{where} '{phrase}'");
    }

    [GeneratedRegex("^(?:(?<block>(?:(?:in )?block )?(?<number>\\d+))"
        + "|(?<again>(?:re-?included|re-?mined|again)(?: in| at)?(?: block)? (?<number>\\d+))"
        + "|(?<orphaned>orphaned|reorg(?:ed|anised|anized)?(?: away| out)?)"
        + "|(?<absent>absent|none|missing|never|not anchored)"
        + "|(?<pending>pending|(?:only )?(?:in (?:the )?)?mempool)"
        + "|(?<signer>(?:signer|signature) mismatch|wrong signer)"
        + "|(?<hash>(?:content |document |consent )?hash (?:mismatch|differs)|(?:wrong|other|another|different) hash)"
        + "|(?<changed>(?:stored )?(?:document|consent|terms|resource)(?: was| is)? (?:changed|altered|edited|modified|tampered)"
        + "|stored hash (?:mismatch|differs)|tampered))$", RegexOptions.IgnoreCase)]
    private static partial Regex Phrase();

    [GeneratedRegex("^(?:(?:stored|document|content|consent|onChain|chain)?[hH]ash|commitment|digest)(?:Match|Matches|Mismatch)?$")]
    private static partial Regex Hash();
}
