using PmrGateway.LedgerAdapter;

namespace PmrGateway.Tests.Scenarios;

/// <summary>A chain from its first block.</summary>
internal static class WholeChain
{
    /// <summary>All that our contracts have said.</summary>
    public static async Task<List<ChainEvent>> EventsAsync(this IChain chain)
    {
        var events = new List<ChainEvent>();
        foreach (var block in await chain.BlocksAsync(0, (await chain.HeadAsync(default)).Number, default))
            if (block.MayTell) events.AddRange(await chain.EventsAsync(block, default));
        return events;
    }
}
