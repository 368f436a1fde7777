using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Api;

/// <summary>Runs one request of a route.</summary>
internal delegate Task<FhirResponse> FhirHandler(FhirCall call, CancellationToken cancellation);

/// <summary>A row of the table of routes: what the gateway offers at one address by one method.</summary>
/// <param name="Method">HTTP method; HEAD goes where GET goes.</param>
/// <param name="Template">
/// Path below the FHIR base. <c>{type}</c>: a type of record, <c>{id}</c>: a logical id, <c>{vid}</c>: a version; anything else is itself.
/// </param>
/// <param name="Interaction">Its code, for the CapabilityStatement and the audit log.</param>
/// <param name="Action">The scope that it takes.</param>
/// <param name="Handler">Runs it.</param>
internal sealed record FhirRoute(string Method, string Template, string Interaction, ScopeAction Action, FhirHandler Handler)
{
    private readonly (Part Part, string Text)[] _segments =
        [.. Template.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(s => (PartOf(s), s))];

    private enum Part
    {
        Literal,
        Type,
        Id,
        Version,
    }

    /// <summary>Canonical URL of the definition, of an operation.</summary>
    public string? Definition { get; init; }

    /// <summary>Whether it is answered without a token.</summary>
    public bool IsOpen { get; init; }

    /// <summary>Number of segments of its path.</summary>
    public int Length => _segments.Length;

    /// <summary>The type in its path, of a route that one type alone has; null: any type of record, or none.</summary>
    public string? OwnType => _segments is [(Part.Literal, var text), ..] && FhirSchema.R4.IsResourceType(text) ? text : null;

    /// <summary>Whether it is a route of every type of record.</summary>
    public bool IsOfEveryType => _segments is [(Part.Type, _), ..];

    /// <summary>Whether it is a route of no type at all, which the CapabilityStatement has by itself.</summary>
    public bool IsOfSystem => Length == 0 || Interaction == Flows.Interaction.HistorySystem;

    /// <summary>The operation's name, without <c>$</c>; null: it is none.</summary>
    public string? Operation => _segments is [.., (Part.Literal, ['$', .. var name])] ? name : null;

    /// <summary>Whether a part of each resource of the answer can be asked for (<see cref="Subset"/>).</summary>
    public bool HasSubsets => Operation == "everything" || Interaction is Flows.Interaction.Read or Flows.Interaction.Vread
        or Flows.Interaction.HistoryInstance or Flows.Interaction.HistoryType or Flows.Interaction.HistorySystem
        or Flows.Interaction.SearchType or Flows.Interaction.Capabilities;

    /// <summary>Whether a path of as many segments is of this template.</summary>
    public bool Matches(IReadOnlyList<string> path)
    {
        for (var i = 0; i < _segments.Length; i++)
        {
            var (part, text) = _segments[i];
            var matches = part switch
            {
                Part.Type => FhirTypes.IsRecord(path[i]),
                Part.Id => ResourceId.IsId(path[i]),
                Part.Version => true,
                _ => path[i] == text,
            };
            if (!matches) return false;
        }
        return true;
    }

    private static Part PartOf(string segment) => segment switch
    {
        "{type}" => Part.Type,
        "{id}" => Part.Id,
        "{vid}" => Part.Version,
        _ => Part.Literal,
    };
}
