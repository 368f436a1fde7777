using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>Which page of a list is asked for, where the list is no search by the parameters of a type.</summary>
/// <param name="Count">Entries a page.</param>
/// <param name="Cursor">The cursor of a next link, not opened yet; null: the first page.</param>
/// <param name="Subset">Which part of each resource.</param>
internal readonly record struct PageQuery(int Count, string? Cursor, Subset Subset)
{
    /// <summary>Reads the query; what is not understood is refused: passed over, it would give more than was asked for.</summary>
    /// <param name="call">The request.</param>
    /// <param name="type">The type of the resources; null: of several types.</param>
    /// <param name="count">Entries a page where none are named.</param>
    /// <param name="max">Entries a page, at most.</param>
    public static Result<PageQuery> Of(FhirCall call, string? type, int count, int max)
    {
        string? cursor = null;
        foreach (var (key, value) in call.Request.Query)
        {
            if (key is "_format" or "_pretty" or Subset.Summary or Subset.Elements) continue;
            if (key == "_count" && int.TryParse(value, out var n) && n > 0) count = Math.Min(n, max);
            else if (key == "_cursor") cursor = value;
            else return Outcome.Of(OutcomeCategory.Malformed, $"taken are _count, _summary and _elements, not '{key}'");
        }
        var subset = Subset.Of(type, call.Request.Query);
        return subset.Failure is { } notUnderstood ? notUnderstood : new PageQuery(count, cursor, subset.Value);
    }

    /// <summary>The list, as its self link has it.</summary>
    /// <param name="path">Its path below the FHIR base.</param>
    public string Self(string path) => Subset.Parameters.Length == 0 ? path : $"{path}?{Subset.Parameters}";

    /// <summary>The list with the length of its pages, as its next link goes on from it.</summary>
    /// <param name="path">Its path below the FHIR base.</param>
    public string Pages(string path) => $"{path}?_count={Count}" + (Subset.Parameters.Length == 0 ? "" : "&" + Subset.Parameters);
}
