using Microsoft.Extensions.Logging;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// Brings outbox entries onto the chain, one account, one loop: sign under the next free nonces, record, send, watch, confirm. The signed
/// bytes are durable before the node sees them, so a crash at any point ends in the same transaction being sent again, never in a second
/// one; and a chain that has lost its end is told it again, nonce by nonce.
/// </summary>
internal sealed partial class TransactionSender(
    IChain chain,
    EthereumAccount account,
    ContractSet contracts,
    ILedgerJournal journal,
    LedgerOptions options,
    TimeProvider time,
    ILogger<TransactionSender> log)
{
    /// <summary>Transactions that wait to be mined, at most: two blocks of the development chain.</summary>
    internal const int InFlight = 1000;

    /// <summary>
    /// Blocks beyond the confirmations for which a used nonce may be without a receipt of ours before it counts as another sender's.
    /// </summary>
    internal const int ForeignAfter = 10;

    private const int SettleAtOnce = 2000;
    private static readonly TimeSpan SendAgainAfter = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StuckAfter = TimeSpan.FromMinutes(1);

    // What this process gave to the node, and when: the rest is sent at the next look.
    private readonly Dictionary<long, long> _given = [];

    // Entries whose nonce is used though the chain has no transaction of theirs, and the head at which that was seen first.
    private readonly Dictionary<long, long> _foreign = [];

    private readonly FailedEntries _failed = new(chain, account, journal, time, log);
    private (string Head, long Used) _seen = ("", -1);
    private long _lookedAt;
    private long _usedSince;

    /// <summary>Why transactions do not get onto the chain; null where they do.</summary>
    public SenderProblem? Problem { get; private set; }

    /// <summary>One round: what was lost, what was mined, what is new.</summary>
    /// <exception cref="RpcUnavailableException">The node cannot be asked; the next round takes up where this one stopped.</exception>
    public async Task RunOnceAsync(CancellationToken cancellation)
    {
        var head = await chain.HeadAsync(cancellation);
        var used = await chain.NonceAsync(account.Address, cancellation);
        if (used != _seen.Used)
        {
            _usedSince = time.GetTimestamp();
            if (Problem is { Trouble: SenderTrouble.Stuck }) Cleared();
        }
        var lost = await journal.SetLostAsync(used, cancellation);
        if (lost > 0)
        {
            LogLost(lost, used);
            _given.Clear();
        }
        var isNews = (head.Hash, used) != _seen || lost > 0;
        if (isNews) await SettleAsync(head, used, cancellation);
        if (isNews || time.GetElapsedTime(_lookedAt) >= SendAgainAfter) await SendAgainAsync(head, used, cancellation);
        _seen = (head.Hash, used);
        // Behind one that the node does not take, nothing would be mined.
        if (Problem is null or { Trouble: SenderTrouble.Stuck }) await SendQueuedAsync(head, used, cancellation);
        await _failed.RunOnceAsync(cancellation);
    }

    /// <summary>The node was out of reach: what it knew of ours it may have forgotten.</summary>
    public void NodeWasAway()
    {
        _given.Clear();
        _seen = ("", -1);
    }

    // (1) What is mined, what is deep enough, what has vanished.
    private async Task SettleAsync(BlockHeader head, long used, CancellationToken cancellation)
    {
        var mined = (await journal.EntriesAsync(OutboxStatus.Mined, SettleAtOnce, cancellation))
            .Where(e => head.Number - e.Block >= options.Confirmations);
        var sent = (await journal.EntriesAsync(OutboxStatus.Sent, SettleAtOnce, cancellation)).Where(e => e.Nonce < used);
        var entries = mined.Concat(sent).ToList();
        if (entries.Count == 0) return;
        var hashes = entries.SelectMany(e => e.Transactions).Select(t => t.Hash).ToList();
        var receipts = hashes.Zip(await chain.ReceiptsAsync(hashes, cancellation))
            .ToDictionary(r => r.First, r => r.Second, StringComparer.Ordinal);
        var changes = new List<OutboxChange>();
        foreach (var entry in entries)
        {
            changes.AddRange(Mined(entry, receipts) is { } found
                ? await MinedAsync(entry, found.Hash, found.Receipt, head, cancellation)
                : Vanished(entry, head));
        }
        if (changes.Count > 0) await journal.ChangeAsync(changes, cancellation);
        Tell(entries, changes);
    }

    // Any version of a transaction may be the one that was mined; one that had its effect counts before one that was reverted.
    private static (string Hash, ChainReceipt Receipt)? Mined(OutboxEntry entry, Dictionary<string, ChainReceipt?> receipts)
    {
        (string, ChainReceipt)? reverted = null;
        foreach (var transaction in entry.Transactions)
        {
            if (receipts[transaction.Hash] is not { } receipt) continue;
            if (!receipt.IsReverted) return (transaction.Hash, receipt);
            reverted = (transaction.Hash, receipt);
        }
        return reverted;
    }

    private async Task<OutboxChange[]> MinedAsync(
        OutboxEntry entry, string hash, ChainReceipt receipt, BlockHeader head, CancellationToken cancellation)
    {
        _foreign.Remove(entry.Id);
        _given.Remove(entry.Id);
        if (head.Number - receipt.Block < options.Confirmations)
            return entry.Status == OutboxStatus.Mined && entry.Block == receipt.Block
                ? []
                : [new OutboxChange(entry.Id, OutboxStatus.Mined, hash, receipt.Block)];
        if (!receipt.IsReverted) return [new OutboxChange(entry.Id, OutboxStatus.Confirmed, hash, receipt.Block)];
        return [await _failed.RevertedAsync(entry, hash, receipt.Block, cancellation)];
    }

    // Its nonce is used by something else: a reorganisation is under way, the node lags behind itself, another sender has our key, or the
    // database is older than the chain. Only time tells these apart; so only after some blocks it is signed anew, and its old versions
    // stay known: should one of them be mined after all, the contract refuses the second.
    private OutboxChange[] Vanished(OutboxEntry entry, BlockHeader head)
    {
        var since = _foreign.TryGetValue(entry.Id, out var first) && first <= head.Number ? first : _foreign[entry.Id] = head.Number;
        if (head.Number - since >= options.Confirmations + ForeignAfter)
        {
            _foreign.Remove(entry.Id);
            return [new OutboxChange(entry.Id, OutboxStatus.Queued)];
        }
        return entry.Status == OutboxStatus.Mined ? [new OutboxChange(entry.Id, OutboxStatus.Sent)] : [];
    }

    private void Tell(List<OutboxEntry> entries, List<OutboxChange> changes)
    {
        var byId = entries.ToDictionary(e => e.Id);
        // One line for all of a round: what befalls one befalls thousands.
        var again = changes.Where(c => c.Status == OutboxStatus.Queued).ToList();
        if (again.Count > 0) LogForeign(again.Count, byId[again[0].Entry].Command.Key);
        var failed = changes.Where(c => c.Status == OutboxStatus.Failed).ToList();
        if (failed.Count > 0) LogReverted(failed.Count, byId[failed[0].Entry].Command.Key, failed[0].Error);
    }

    // (2) What the node may have forgotten, and what fees have left behind.
    private async Task SendAgainAsync(BlockHeader head, long used, CancellationToken cancellation)
    {
        _lookedAt = time.GetTimestamp();
        var sent = await journal.EntriesAsync(OutboxStatus.Sent, SettleAtOnce, cancellation);
        var waiting = sent.Where(e => e.Nonce >= used).Take(InFlight).ToList();
        foreach (var gone in _foreign.Keys.Intersect(waiting.Select(e => e.Id)).ToList()) _foreign.Remove(gone);
        var due = waiting.Where(e => !_given.TryGetValue(e.Id, out var at) || time.GetElapsedTime(at) >= SendAgainAfter).ToList();
        var dear = due.Where(e => e.Transactions[^1].MaxFee < head.BaseFee).ToList();
        var raised = await SignAsync(dear.Select(e => (e, e.Nonce!.Value)), head, cancellation);
        await GiveAsync(head, [.. raised, .. due.Except(dear).Select(e => e.Transactions[^1])], cancellation);
        if (waiting.Count == 0)
        {
            _usedSince = _lookedAt;
            Cleared();
        }
        else if (Problem is null && time.GetElapsedTime(_usedSince) > StuckAfter) Report(SenderTrouble.Stuck, $"nonce {used} is not mined");
    }

    // (3) What is new: in the order of their ranks, but the oldest are not left for ever behind a stream of better ones.
    private async Task SendQueuedAsync(BlockHeader head, long used, CancellationToken cancellation)
    {
        var held = await journal.NoncesAsync(used, cancellation);
        var room = InFlight - held.Count;
        if (room <= 0) return;
        var gaps = OutboxOrder.Gaps(used, held);
        if (gaps > 0)
        {
            LogGap(gaps, used);
            var fillers = OutboxOrder.FreeNonces(used, held).Take(Math.Min(gaps, room)).Select(ChainCommands.Fill);
            await journal.EnqueueAsync([.. fillers], cancellation);
        }
        var best = OutboxOrder.Arrange(await journal.QueuedAsync(room, oldestFirst: false, cancellation));
        if (best.Count == 0) return;
        var share = room / 8;
        // Where all of them find room, the oldest are among them.
        var oldest = best.Count < room ? [] : await journal.QueuedAsync(share, oldestFirst: true, cancellation);
        var wanted = best.Take(room - share).Concat(OutboxOrder.Arrange(oldest)).Concat(best.Skip(room - share)).DistinctBy(e => e.Id);
        var next = OutboxOrder.Arrange(wanted).Take(room);
        await GiveAsync(head, await SignAsync(next.Zip(OutboxOrder.FreeNonces(used, held)), head, cancellation), cancellation);
    }

    private async Task<IReadOnlyList<SignedTransaction>> SignAsync(
        IEnumerable<(OutboxEntry Entry, long Nonce)> entries, BlockHeader head, CancellationToken cancellation)
    {
        var signed = entries.Select(e => Sign(e.Entry, e.Nonce, head)).ToList();
        if (signed.Count > 0) await journal.RecordSignedAsync(signed, cancellation);
        return signed;
    }

    private SignedTransaction Sign(OutboxEntry entry, long nonce, BlockHeader head)
    {
        var before = entry.Transactions.LastOrDefault(t => t.Nonce == nonce);
        var (tip, maxFee) = before is null ? FeePolicy.Offer(head.BaseFee) : FeePolicy.Raise(before, head.BaseFee);
        var isCreation = entry.Command.Contract.Length == 0;
        var (raw, hash) = account.SignTransaction(
            options.ChainId,
            nonce,
            tip,
            maxFee,
            isCreation ? FeePolicy.DeployGas : FeePolicy.CallGas,
            isCreation ? null : contracts.AddressOf(entry.Command.Contract),
            entry.Command.Data);
        return new SignedTransaction(entry.Id, nonce, hash, raw, tip, maxFee);
    }

    private async Task GiveAsync(BlockHeader head, IReadOnlyList<SignedTransaction> transactions, CancellationToken cancellation)
    {
        if (transactions.Count == 0) return;
        var ordered = transactions.OrderBy(t => t.Nonce).ToList();
        var results = await chain.SubmitAsync([.. ordered.Select(t => t.Raw)], cancellation);
        var now = time.GetTimestamp();
        SubmitResult? refusal = null;
        var underpriced = new HashSet<long>();
        foreach (var (transaction, result) in ordered.Zip(results))
        {
            _given[transaction.Entry] = now;
            if (result.Outcome is SubmitOutcome.Accepted or SubmitOutcome.NonceTooLow) continue;
            if (result.Outcome == SubmitOutcome.Underpriced && !head.BaseFee.IsZero) underpriced.Add(transaction.Entry);
            else refusal ??= result;
        }
        if (refusal is { Outcome: SubmitOutcome.InsufficientFunds } unfunded) Report(SenderTrouble.Unfunded, unfunded.Text);
        else if (refusal is { } refused) Report(SenderTrouble.Refused, refused.Text);
        else if (Problem is not { Trouble: SenderTrouble.Stuck }) Cleared();
        if (underpriced.Count > 0) await RaiseAsync(head, underpriced, cancellation);
    }

    // The same wish under the same nonce at the fee of today.
    private async Task RaiseAsync(BlockHeader head, HashSet<long> underpriced, CancellationToken cancellation)
    {
        var entries = (await journal.EntriesAsync(OutboxStatus.Sent, SettleAtOnce, cancellation)).Where(e => underpriced.Contains(e.Id));
        var raised = await SignAsync(entries.Select(e => (e, e.Nonce!.Value)), head, cancellation);
        await chain.SubmitAsync([.. raised.Select(t => t.Raw)], cancellation);
    }

    private void Report(SenderTrouble trouble, string text)
    {
        if (Problem?.Trouble == trouble) return;
        Problem = new SenderProblem(trouble, text, Problem?.Since ?? time.GetUtcNow());
        LogTrouble(trouble, text);
    }

    private void Cleared()
    {
        if (Problem is null) return;
        Problem = null;
        _usedSince = time.GetTimestamp();
        LogCleared();
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The chain has lost {Count} transactions (its nonce is {Nonce}); they are sent again")]
    private partial void LogLost(int count, long nonce);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "The nonces of {Count} outbox entries were used by another sender of our key, or the database is older than the " +
            "chain: they are signed anew (the first is '{Key}')")]
    private partial void LogForeign(int count, string key);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Count} outbox entries were reverted; the first is '{Key}': {Error}")]
    private partial void LogReverted(int count, string key, string? error);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Count} nonces from {Nonce} on are held by nothing; they are used up so that those above them can be mined")]
    private partial void LogGap(int count, long nonce);

    [LoggerMessage(Level = LogLevel.Error, Message = "Transactions do not get onto the chain ({Trouble}): {Text}")]
    private partial void LogTrouble(SenderTrouble trouble, string text);

    [LoggerMessage(Level = LogLevel.Information, Message = "Transactions get onto the chain again")]
    private partial void LogCleared();
}

/// <summary>What keeps transactions off the chain.</summary>
internal enum SenderTrouble
{
    /// <summary>The account cannot pay.</summary>
    Unfunded,

    /// <summary>The node refuses a transaction.</summary>
    Refused,

    /// <summary>The node takes them, and none is mined.</summary>
    Stuck,
}

/// <summary>Why transactions do not get onto the chain.</summary>
/// <param name="Trouble">What it is.</param>
/// <param name="Text">In the node's words.</param>
/// <param name="Since">Since when.</param>
internal sealed record SenderProblem(SenderTrouble Trouble, string Text, DateTimeOffset Since);
