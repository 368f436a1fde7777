using PmrGateway.Gateway.Flows;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>The scopes that a search takes besides that of its own type.</summary>
internal static class SearchScopes
{
    /// <summary>Why a caller may not ask what a search asks of other types by its links: each is a search of that type. Null: it may.
    /// </summary>
    public static Outcome? RefuseLinks(this Caller caller, SearchQuery query) =>
        query.Criteria.SelectMany(Linked).Select(type => caller.Refuse(type, ScopeAction.Search)).FirstOrDefault(r => r is not null);

    private static IEnumerable<string> Linked(SearchCriterion criterion) =>
        criterion.Link is { } link ? Linked(link.Criterion).Append(link.Type) : [];
}
