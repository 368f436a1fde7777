using System.Globalization;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Hosting;

/// <summary>
/// What of the chain a gateway has, and what a node says: told to the operator. Hex with 0x, as tools of the chain take it.
/// </summary>
/// <param name="Chain">Which chain it is.</param>
/// <param name="Contracts">Our contracts.</param>
/// <param name="View">How far the view is.</param>
/// <param name="Outbox">What is to be brought onto the chain.</param>
/// <param name="Sender">Who brings it there.</param>
/// <param name="Batches">What is anchored, by custodian.</param>
/// <param name="Wrong">What is wrong, in words.</param>
internal sealed record LedgerReport(
    LedgerReport.ChainPart Chain, IReadOnlyList<LedgerReport.ContractPart> Contracts, LedgerReport.ViewPart View,
    LedgerReport.OutboxPart Outbox, LedgerReport.SenderPart Sender, IReadOnlyList<BatchFigures> Batches, IReadOnlyList<string> Wrong)
{
    private const int FailedTold = 20;

    /// <param name="Id">EIP-155 chain id.</param>
    /// <param name="Genesis">The node's first block; null: it is of another chain.</param>
    /// <param name="Followed">The first block of the chain that is followed; null: any of the id is.</param>
    internal sealed record ChainPart(long Id, string? Genesis, string? Followed);

    /// <param name="Name">Its name.</param>
    /// <param name="Address">Where it is to be.</param>
    /// <param name="IsThere">Whether there is code; null: it is not known.</param>
    internal sealed record ContractPart(string Name, string Address, bool? IsThere);

    /// <param name="Block">Its block; -1: it has none.</param>
    /// <param name="Hash">Hash of that.</param>
    /// <param name="Time">Its time, as the chain has it.</param>
    /// <param name="Age">How old that is, in seconds.</param>
    /// <param name="State">level, stale, catching up, or not begun.</param>
    /// <param name="Head">The node's newest block.</param>
    internal sealed record ViewPart(long Block, string? Hash, string? Time, long? Age, string State, long? Head);

    /// <param name="Entries">How many entries stand where.</param>
    /// <param name="Oldest">Key of the oldest that waits for the chain.</param>
    /// <param name="Failed">The first ones that were reverted.</param>
    internal sealed record OutboxPart(IReadOnlyDictionary<string, long> Entries, string? Oldest, IReadOnlyList<FailedPart> Failed);

    /// <param name="Key">What it was.</param>
    /// <param name="Reason">Why.</param>
    internal sealed record FailedPart(string Key, string Reason);

    /// <param name="Address">Its address.</param>
    /// <param name="Nonce">Its nonce at the node.</param>
    /// <param name="Balance">What it has at the node, wei.</param>
    /// <param name="PaysFees">Whether it has to pay.</param>
    internal sealed record SenderPart(string Address, long? Nonce, string? Balance, bool? PaysFees);

    private sealed record Node(
        BlockHeader First, BlockHeader Head, long Nonce, System.Numerics.BigInteger Balance, IReadOnlyDictionary<string, bool> Contracts);

    /// <summary>Looks at database and node.</summary>
    /// <exception cref="RpcUnavailableException">The node cannot be asked.</exception>
    /// <exception cref="RpcException">It refuses a question.</exception>
    public static async Task<LedgerReport> MakeAsync(
        LedgerOptions options, RecordDatabase database, EthereumAccount account, string? followed, IChain chain, TimeProvider time,
        CancellationToken cancellation)
    {
        var (journal, wrong) = (new LedgerJournal(database), new List<string>());
        var contracts = new ContractSet(account.Address);
        var node = await AskAsync(chain, contracts, account, wrong, cancellation);
        // After the head: a view that goes on meanwhile does not seem to be behind.
        var view = await ViewAsync(options, await journal.CheckpointAsync(cancellation), node, chain, time, wrong, cancellation);
        foreach (var name in node?.Contracts.Where(c => !c.Value).Select(c => c.Key) ?? [])
            wrong.Add($"the chain has no {name} at {Text(contracts.Addresses[name])}");
        if (node is { Head.BaseFee: var fee } && FeePolicy.LargestCost(fee) is var cost && node.Balance < cost)
            wrong.Add($"the account {Text(account.Address)} has {node.Balance} wei, and a transaction may cost {cost}");
        return new LedgerReport(
            new ChainPart(options.ChainId, node is null ? null : "0x" + node.First.Hash, followed is null ? null : "0x" + followed),
            [.. contracts.Addresses.Select(c => new ContractPart(c.Key, Text(c.Value), node?.Contracts[c.Key]))],
            view,
            await OutboxAsync(database, journal, wrong, cancellation),
            new SenderPart(
                Text(account.Address), node?.Nonce, node?.Balance.ToString(CultureInfo.InvariantCulture),
                node is null ? null : !node.Head.BaseFee.IsZero),
            await new LedgerFigures(database).BatchesAsync(cancellation),
            wrong);
    }

    // Null: it is of another chain, which is all that it has to say.
    private static async Task<Node?> AskAsync(
        IChain chain, ContractSet contracts, EthereumAccount account, List<string> wrong, CancellationToken cancellation)
    {
        try
        {
            var head = await chain.HeadAsync(cancellation);
            var there = new Dictionary<string, bool>();
            foreach (var name in contracts.Addresses.Keys) there[name] = await chain.IsDeployedAsync(name, cancellation);
            return new Node(
                await chain.BlockAsync(0, cancellation) ?? throw new RpcUnavailableException("the node has no first block"), head,
                await chain.NonceAsync(account.Address, cancellation), await chain.BalanceAsync(account.Address, cancellation), there);
        }
        catch (WrongChainException e)
        {
            wrong.Add(e.Message);
            return null;
        }
    }

    private static async Task<ViewPart> ViewAsync(
        LedgerOptions options, ViewCheckpoint checkpoint, Node? node, IChain chain, TimeProvider time, List<string> wrong,
        CancellationToken cancellation)
    {
        var state = checkpoint.Block < 0 ? "not begun"
            : checkpoint.Observed == TimeSpan.MaxValue ? "catching up"
            : checkpoint.Observed > options.MaxStaleness ? "stale"
            : "level";
        if (state == "stale")
            wrong.Add(
                $"the view was level with the chain {checkpoint.Observed.TotalSeconds:F0} s ago: until it is again, no read is answered");
        else if (state != "level")
            wrong.Add("the view is not level with the chain yet: until it is, no read is answered");
        if (checkpoint.Block < 0) return new ViewPart(-1, null, null, null, state, node?.Head.Number);
        if (node is not null && await chain.BlockAsync(checkpoint.Block, cancellation) is var there && there?.Hash != checkpoint.Hash)
            wrong.Add(there is null
                ? $"the node is at block {node.Head.Number}, behind the view at {checkpoint.Block}"
                : $"the node has another block {checkpoint.Block} than the view: 0x{there.Hash}");
        var made = DateTimeOffset.FromUnixTimeSeconds(checkpoint.Time);
        return new ViewPart(
            checkpoint.Block, "0x" + checkpoint.Hash, made.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
            (long)(time.GetUtcNow() - made).TotalSeconds, state, node?.Head.Number);
    }

    private static async Task<OutboxPart> OutboxAsync(
        RecordDatabase database, LedgerJournal journal, List<string> wrong, CancellationToken cancellation)
    {
        var counts = await new LedgerFigures(database).OutboxAsync(cancellation);
        var failed = await journal.EntriesAsync(OutboxStatus.Failed, FailedTold, cancellation);
        IReadOnlyList<OutboxEntry> waiting =
        [
            .. await journal.QueuedAsync(1, oldestFirst: true, cancellation),
            .. await journal.EntriesAsync(OutboxStatus.Sent, 1, cancellation),
        ];
        if (counts.GetValueOrDefault(OutboxStatus.Failed) is var many and > 0)
            wrong.Add($"{many} entries of the outbox were reverted, the first of them '{failed.MinBy(e => e.Id)?.Command.Key}'");
        return new OutboxPart(
            Enum.GetValues<OutboxStatus>().ToDictionary(s => s.ToString().ToLowerInvariant(), s => counts.GetValueOrDefault(s)),
            waiting.MinBy(e => e.Id)?.Command.Key,
            [.. failed.Select(e => new FailedPart(e.Command.Key, e.Error ?? "no reason was told"))]);
    }

    private static string Text(byte[] bytes) => "0x" + Convert.ToHexStringLower(bytes);
}
