using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>A request that has found its route.</summary>
/// <param name="Caller">Who asks.</param>
/// <param name="Request">What came.</param>
/// <param name="Route">Its row of the table.</param>
/// <param name="Api">The API, for the entries of a Bundle.</param>
internal sealed record FhirCall(Caller Caller, FhirRequest Request, FhirRoute Route, FhirApi Api)
{
    /// <summary>The resource type in the path.</summary>
    public string Type => Request.Segments[0];

    /// <summary>The logical id in the path.</summary>
    public string Id => Request.Segments[1];

    /// <summary>The version in the path.</summary>
    public string VersionId => Request.Segments[3];

    /// <summary>What it is about, for the audit log: <c>Type</c> or <c>Type/id</c>.</summary>
    public string Target => Request.Segments.Count > 1 ? $"{Type}/{Id}" : Type;

    /// <summary>Why the token's scopes do not allow it; null: they do.</summary>
    public Outcome? Refusal => Caller.Refuse(Type, Route.Action);

    /// <summary>What a read flow is told of it.</summary>
    public ReadRequest AsRead() =>
        new(Route.Interaction, Type, Route.Action, Target, Type == "Patient" && Request.Segments.Count > 1 ? Id : null);
}
