using System.Text;

namespace PmrGateway.Mapping;

/// <summary>Who looks, when and what for: what a snapshot of the records is narrowed by.</summary>
/// <param name="Requester">Who asks.</param>
/// <param name="Now">The instant at which periods are judged.</param>
/// <param name="Confirmations">Blocks on top of a grant before it permits.</param>
public sealed record Viewer(Requester Requester, DateTimeOffset Now, int Confirmations)
{
    /// <summary>What is to be done with the records.</summary>
    public DataAction Action { get; init; }

    /// <summary>What the token reaches at most by reading: consents are asked besides.</summary>
    public ScopeReach Reads { get; init; } = ScopeReach.All;

    /// <summary>What it reaches at most by searching.</summary>
    public ScopeReach Searches { get; init; } = ScopeReach.All;

    /// <summary>What consents can tell one viewer from another by: two viewers with the same key are one to every consent.</summary>
    public string ConsentKey
    {
        get
        {
            // A purpose may be any text: its length before it, so that no two lists are one key.
            var key = new StringBuilder();
            Add(Requester.ActorReferences);
            key.Append(';');
            Add(Requester.Purposes.Distinct());
            if (Action != DataAction.Read) key.Append(';').Append(Action);
            return key.ToString();

            void Add(IEnumerable<string> words)
            {
                foreach (var word in words.Order(StringComparer.Ordinal)) key.Append(word.Length).Append(':').Append(word);
            }
        }
    }
}
