using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>Which page of a list is asked for, where the list is no search by the parameters of a type.</summary>
/// <param name="Count">Entries a page.</param>
/// <param name="Cursor">The cursor of a next link, not opened yet; null: the first page.</param>
internal readonly record struct PageQuery(int Count, string? Cursor)
{
    /// <summary>Reads the query; what is not understood is refused: passed over, it would give more than was asked for.</summary>
    /// <param name="call">The request.</param>
    /// <param name="count">Entries a page where none are named.</param>
    /// <param name="max">Entries a page, at most.</param>
    public static Result<PageQuery> Of(FhirCall call, int count, int max)
    {
        string? cursor = null;
        foreach (var (key, value) in call.Request.Query)
        {
            if (key is "_format" or "_pretty") continue;
            if (key == "_count" && int.TryParse(value, out var n) && n > 0) count = Math.Min(n, max);
            else if (key == "_cursor") cursor = value;
            else return Outcome.Of(OutcomeCategory.Malformed, $"taken is _count, not '{key}'");
        }
        return new PageQuery(count, cursor);
    }
}
