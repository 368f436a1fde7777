using System.Text.Json.Nodes;

namespace PmrGateway.Tests.Scenarios.NonInterference;

internal enum Verb
{
    Create,
    Update,
    Delete,
}

/// <summary>One write of a world.</summary>
/// <param name="Name">The record's name in the test; where a text says <c>§name§</c>, a gateway is sent the id that it gave it.</param>
/// <param name="Type">Its resource type.</param>
/// <param name="Author">Who writes.</param>
/// <param name="Verb">How.</param>
/// <param name="Body">The resource without its id; empty for a deletion.</param>
internal sealed record Step(string Name, string Type, string Author, Verb Verb, string Body)
{
    /// <summary>Where a new one is sent to: a document comes to /Bundle and becomes a DocumentReference.</summary>
    public string Endpoint { get; init; } = Type;

    /// <summary>Id of the patient whom it is about, as a name.</summary>
    public string Subject { get; init; } = "";

    /// <summary>The same with its JSON as a serializer writes it: what is made of it again is then the same bytes.</summary>
    public Step Compact() => Body.Length == 0 ? this : this with { Body = JsonNode.Parse(Body)!.ToJsonString(Ask.AsWritten) };
}

/// <summary>A write that the first gateway took.</summary>
/// <param name="Step">The write.</param>
/// <param name="Version">Which version it made.</param>
/// <param name="Binaries">The Binaries that were split off it, by name, in their order.</param>
internal sealed record Written(Step Step, int Version, IReadOnlyList<string> Binaries);
