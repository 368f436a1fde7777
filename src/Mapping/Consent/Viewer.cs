namespace PmrGateway.Mapping;

/// <summary>Who looks, and when: what a snapshot of the records is narrowed by.</summary>
/// <param name="Requester">Who asks.</param>
/// <param name="Now">The instant at which periods are judged.</param>
/// <param name="Confirmations">Blocks on top of a grant before it permits.</param>
public sealed record Viewer(Requester Requester, DateTimeOffset Now, int Confirmations)
{
    /// <summary>What consents can tell one viewer from another by: two viewers with the same key are one to every consent.</summary>
    public string ConsentKey => System.Text.Json.JsonSerializer.Serialize(
        new[] { Requester.ActorReferences.Order(StringComparer.Ordinal), Requester.Purposes.Distinct().Order(StringComparer.Ordinal) });
}
