using System.Globalization;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>Which page of a list is asked for, where the list is no search by the parameters of a type.</summary>
/// <param name="Count">Entries a page.</param>
/// <param name="Cursor">The cursor of a next link, not opened yet; null: the first page.</param>
/// <param name="Subset">Which part of each resource.</param>
internal readonly record struct PageQuery(int Count, string? Cursor, Subset Subset)
{
    /// <summary>What narrows the list, by its parameters' names.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Filters { get; init; } = [];

    /// <summary>Reads the query; what is not understood is refused: passed over, it would give more than was asked for.</summary>
    /// <param name="call">The request.</param>
    /// <param name="type">The type of the resources; null: of several types.</param>
    /// <param name="max">Entries a page, at most, and where none are named.</param>
    /// <param name="least">Entries a page, at least.</param>
    /// <param name="filters">Parameters that narrow the list.</param>
    public static Result<PageQuery> Of(FhirCall call, string? type, int max, int least = 1, params string[] filters)
    {
        var (count, cursor, narrowed) = (max, (string?)null, new List<KeyValuePair<string, string>>());
        foreach (var (key, values) in call.Request.Query)
        {
            if (key is "_format" or "_pretty" or Subset.Summary or Subset.Elements) continue;
            if (key == "_count" && int.TryParse(values, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n >= least)
                count = Math.Min(n, max);
            else if (key == "_cursor") cursor = values;
            else if (filters.Contains(key) && values is [{ Length: > 0 } value]) narrowed.Add(new(key, value));
            else return NotTaken(key, filters);
        }
        var subset = Subset.Of(type, call.Request.Query);
        return subset.Failure is { } notUnderstood ? notUnderstood
            : new PageQuery(count, cursor, subset.Value) { Filters = narrowed };
    }

    /// <summary>The list, as its self link has it.</summary>
    /// <param name="path">Its path below the FHIR base.</param>
    public string Self(string path) => Link(path, Parameters);

    /// <summary>The list with the length of its pages, as its next link goes on from it.</summary>
    /// <param name="path">Its path below the FHIR base.</param>
    public string Pages(string path) => Link(path, Parameters.Prepend($"_count={Count}"));

    private IEnumerable<string> Parameters => Filters.Select(f => $"{f.Key}={Uri.EscapeDataString(f.Value)}")
        .Concat(Subset.Parameters.Split('&', StringSplitOptions.RemoveEmptyEntries));

    private static string Link(string path, IEnumerable<string> parameters) =>
        string.Join('&', parameters) is { Length: > 0 } query ? $"{path}?{query}" : path;

    private static Outcome NotTaken(string key, string[] filters)
    {
        var taken = string.Join(", ", ["_count", .. filters, Subset.Summary]);
        return Outcome.Of(OutcomeCategory.Malformed, $"taken are {taken} and {Subset.Elements}, each once, not '{key}'");
    }
}
