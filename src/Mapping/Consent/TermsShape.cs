using System.Text.Json;
using System.Text.Json.Serialization;

namespace PmrGateway.Mapping;

/// <summary>What one provision asks of requester and record, without its dates. An empty list asks nothing.</summary>
/// <param name="Actors">References of the grantees, <c>Type/id</c>.</param>
/// <param name="Purposes">Purpose-of-use codes.</param>
/// <param name="Classes">Classes of record.</param>
/// <param name="Codes">Codes of record.</param>
/// <param name="SecurityLabels">Security labels.</param>
public sealed record ProvisionShape(
    IReadOnlyList<string> Actors,
    IReadOnlyList<string> Purposes,
    IReadOnlyList<TermCode> Classes,
    IReadOnlyList<TermCode> Codes,
    IReadOnlyList<TermCode> SecurityLabels)
{
    /// <summary>What is controlled; null: everything.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<DataAction>? Actions { get; init; }

    /// <summary>The time that the data is about; null: any.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DataPeriod? DataPeriod { get; init; }

    /// <summary>The data named; null: any.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<DataReference>? Data { get; init; }

    internal static ProvisionShape Of(Provision provision) => new(
        Sorted(provision.Actors), Sorted(provision.Purposes), Sorted(provision.Classes), Sorted(provision.Codes),
        Sorted(provision.SecurityLabels))
    {
        Actions = provision.Actions.Count == 0 ? null : [.. provision.Actions.Distinct().Order()],
        DataPeriod = provision.DataPeriod,
        Data = provision.Data.Count == 0
            ? null
            : [.. provision.Data.Distinct().OrderBy(d => d.Meaning).ThenBy(d => d.Reference, StringComparer.Ordinal)],
    };

    private static List<string> Sorted(IEnumerable<string> texts) => [.. texts.Distinct().Order(StringComparer.Ordinal)];

    private static List<TermCode> Sorted(IEnumerable<TermCode> codes) =>
        [.. codes.Distinct().OrderBy(c => c.System, StringComparer.Ordinal).ThenBy(c => c.Code, StringComparer.Ordinal)];
}

/// <summary>
/// A consent's terms without patient, salt and dates: what many consents have in common, so that what it says of a kind of record is
/// worked out once. Equal terms have equal <see cref="Text"/>.
/// </summary>
public sealed class TermsShape
{
    private static readonly JsonSerializerOptions Json = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping
    };

    private sealed record Content(bool Permits, ProvisionShape Root, IReadOnlyList<ProvisionShape> Exceptions);

    private TermsShape(Content content) =>
        (Permits, Root, Exceptions, Text) = (content.Permits, content.Root, content.Exceptions, JsonSerializer.Serialize(content, Json));

    /// <summary>Whether the outer provision permits.</summary>
    public bool Permits { get; }

    /// <summary>The outer provision.</summary>
    public ProvisionShape Root { get; }

    /// <summary>The exceptions that are in force.</summary>
    public IReadOnlyList<ProvisionShape> Exceptions { get; }

    /// <summary>The data that its provisions name.</summary>
    public IEnumerable<DataReference> DataNamed => Exceptions.Prepend(Root).SelectMany(p => p.Data ?? []);

    /// <summary>The canonical text, JSON.</summary>
    public string Text { get; }

    /// <summary>Reads a canonical text.</summary>
    public static TermsShape Parse(string text) => new(JsonSerializer.Deserialize<Content>(text, Json)!);

    internal static TermsShape Of(ConsentTerms terms, IEnumerable<Provision> exceptions) =>
        new(new Content(terms.Permits, ProvisionShape.Of(terms.Root), [.. exceptions.Select(ProvisionShape.Of)]));
}

/// <summary>A stretch of time in which a consent's terms say one thing.</summary>
/// <param name="From">First millisecond, Unix time.</param>
/// <param name="To">The millisecond behind the last.</param>
/// <param name="Shape">What they say.</param>
public sealed record ConsentSpan(long From, long To, TermsShape Shape)
{
    /// <summary>
    /// The spans of a consent in order. Each begin and end of a provision cuts the outer provision's period, so that no date is left to
    /// ask about inside a span.
    /// </summary>
    public static IReadOnlyList<ConsentSpan> Of(ConsentTerms terms)
    {
        var (start, end) = (terms.Root.From.ToUnixTimeMilliseconds(), terms.Root.To.ToUnixTimeMilliseconds());
        var periods = terms.Exceptions.Select(e => (Provision: e, From: e.From.ToUnixTimeMilliseconds(), To: e.To.ToUnixTimeMilliseconds()))
            .ToList();
        var cuts = new SortedSet<long>(periods.SelectMany(p => new[] { p.From, p.To }).Where(t => start < t && t < end)) { start };
        var spans = new List<ConsentSpan>();
        foreach (var from in cuts.Where(c => c < end))
        {
            var to = cuts.Where(c => c > from).DefaultIfEmpty(end).Min();
            var shape = TermsShape.Of(terms, periods.Where(p => p.From <= from && to <= p.To).Select(p => p.Provision));
            if (spans is [.., var last] && last.Shape.Text == shape.Text) spans[^1] = last with { To = to };
            else spans.Add(new ConsentSpan(from, to, shape));
        }
        return spans;
    }
}
