using System.Text.Json;
using System.Text.Json.Serialization;

namespace PmrGateway.Mapping;

/// <summary>How the time that a record is about must lie to the time that a provision names.</summary>
public enum PeriodTest
{
    /// <summary>Any.</summary>
    None,

    /// <summary>Wholly inside it. A record that names no time is not.</summary>
    Within,

    /// <summary>In part inside it. A record that names no time may be: a denial holds it.</summary>
    Touches,
}

/// <summary>One condition of a verdict on the record itself: time and links together, or that not.</summary>
/// <param name="IsNegated">Whether it holds where time and links do not.</param>
/// <param name="Period">What is asked of its time.</param>
/// <param name="From">First millisecond of the time named, Unix time.</param>
/// <param name="To">The millisecond behind the last.</param>
/// <param name="AnyOf">One of these links must be there; null: none need be.</param>
public sealed record ResidualCondition(bool IsNegated, PeriodTest Period, long From, long To, IReadOnlyList<RecordLink>? AnyOf)
{
    /// <summary>Whether a record meets it.</summary>
    public bool Holds(RecordFacts record) => (HoldsPeriod(record.Details) && HoldsLinks(record)) != IsNegated;

    internal static ResidualCondition? Of(ProvisionShape provision, bool denies)
    {
        if (provision is { DataPeriod: null, Data: null }) return null;
        var test = provision.DataPeriod is null ? PeriodTest.None : denies ? PeriodTest.Touches : PeriodTest.Within;
        return new ResidualCondition(
            false, test, provision.DataPeriod?.From.ToUnixTimeMilliseconds() ?? 0, provision.DataPeriod?.To.ToUnixTimeMilliseconds() ?? 0,
            provision.Data is null ? null : [.. provision.Data.SelectMany(d => Links(d, denies)).Distinct()]);
    }

    // What is said of a part of the record closes it and does not open it; whoever is named under whatever word may have written it.
    private static IEnumerable<RecordLink> Links(DataReference data, bool denies)
    {
        IEnumerable<LinkKind> kinds = data.Meaning switch
        {
            DataMeaning.AuthoredBy => denies ? [LinkKind.WrittenBy, LinkKind.PartWrittenBy, LinkKind.RefersTo] : [LinkKind.WrittenBy],
            DataMeaning.Instance => [LinkKind.Is],
            DataMeaning.Dependents => [LinkKind.Is, LinkKind.RefersTo],
            _ => [LinkKind.Is, LinkKind.RefersTo, LinkKind.ReferredBy],
        };
        if (denies && data.Meaning != DataMeaning.Instance) kinds = kinds.Append(LinkKind.PartRefersTo);
        return kinds.Select(k => new RecordLink(k, data.Reference));
    }

    private bool HoldsPeriod(RecordDetails record) => (Period, record.From, record.To) switch
    {
        (PeriodTest.Within, { } from, { } to) => from.ToUnixTimeMilliseconds() >= From && to.ToUnixTimeMilliseconds() <= To,
        (PeriodTest.Touches, { } from, { } to) => from.ToUnixTimeMilliseconds() < To && to.ToUnixTimeMilliseconds() > From,
        (PeriodTest.Within, _, _) => false,
        _ => true,
    };

    private bool HoldsLinks(RecordFacts record) => AnyOf is null
        || AnyOf.Any(l => record.Details.Links.Contains(l) || (l.Kind == LinkKind.Is && l.Reference == $"{record.Type}/{record.Id}"));
}

/// <summary>
/// What a verdict depends on besides labels, as data: all conditions hold. The store keeps it in rows and asks it of its own in SQL; the
/// decision asks <see cref="Holds"/>. Equal residuals have equal <see cref="Text"/>. IHE PCF, "residual rules".
/// </summary>
public sealed class Residual
{
    private static readonly JsonSerializerOptions Json = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    };

    internal Residual(IReadOnlyList<ResidualCondition> conditions) =>
        (Conditions, Text) = (conditions, conditions.Count == 0 ? "" : JsonSerializer.Serialize(conditions, Json));

    /// <summary>Asks nothing.</summary>
    public static Residual None { get; } = new([]);

    /// <summary>The conditions.</summary>
    public IReadOnlyList<ResidualCondition> Conditions { get; }

    /// <summary>The canonical text, JSON; "" of none.</summary>
    public string Text { get; }

    /// <summary>Reads a canonical text.</summary>
    public static Residual Parse(string text) =>
        text.Length == 0 ? None : new(JsonSerializer.Deserialize<List<ResidualCondition>>(text, Json)!);

    /// <summary>Whether a record meets all of it.</summary>
    public bool Holds(RecordFacts record)
    {
        foreach (var condition in Conditions)
            if (!condition.Holds(record)) return false;
        return true;
    }
}

/// <summary>What a consent's shape says of records with certain labels.</summary>
/// <param name="Permits">Permit or deny.</param>
/// <param name="When">Of those records only that meet this.</param>
public readonly record struct Verdict(bool Permits, Residual When);
