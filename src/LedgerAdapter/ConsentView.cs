using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// Follows the contracts' events from block 0 into the journal, with a checkpoint. Where the block at the checkpoint is another one
/// now, or gone, the chain was reorganised: everything is taken in anew, in one transaction. The local word on revocations stays.
/// </summary>
public sealed partial class ConsentView(JsonRpcClient rpc, ContractSet contracts, ILedgerJournal journal, TimeProvider time, ILogger<ConsentView> log)
{
    private const long Window = 2000;
    private readonly string[] _addresses = [.. contracts.Addresses.Values.Select(a => Hex.Data(a))];
    private long _block = -1;
    private long _observedAt;

    /// <summary>The last block whose events are in the view; -1 before the first look in this process.</summary>
    public long Block => Volatile.Read(ref _block);

    /// <summary>Time since the view was last level with the chain, by the monotonic clock; very long before the first look.</summary>
    public TimeSpan Staleness => Block < 0 ? TimeSpan.MaxValue : time.GetElapsedTime(Volatile.Read(ref _observedAt));

    /// <summary>One round: brings the view up to the head.</summary>
    /// <exception cref="RpcUnavailableException">The node cannot be asked; the view stays as it was.</exception>
    /// <exception cref="RpcException">The node refused a query.</exception>
    public async Task RunOnceAsync(BlockHeader head, long observedAt, CancellationToken cancellation)
    {
        var checkpoint = await journal.CheckpointAsync(cancellation);
        if (checkpoint.Block == head.Number && checkpoint.Hash == head.Hash)
        {
            Observed(head, observedAt);
            return;
        }
        var fromStart = checkpoint.Block >= 0 && !await IsStillThereAsync(checkpoint, head, cancellation);
        if (fromStart) LogReorg(checkpoint.Block, head.Number);
        var events = new List<ChainEvent>();
        for (var from = fromStart ? 0 : checkpoint.Block + 1; from <= head.Number; from += Window)
            await ReadAsync(from, Math.Min(from + Window - 1, head.Number), events, cancellation);
        // The head may have been replaced while its logs were read: then these are of two chains, and none is taken.
        if (await rpc.BlockAsync(Hex.Quantity(head.Number), cancellation) is not { } again || again.Hash != head.Hash) return;
        await journal.ApplyAsync(events, new ViewCheckpoint(head.Number, head.Hash), fromStart, cancellation);
        Observed(head, observedAt);
    }

    private void Observed(BlockHeader head, long observedAt)
    {
        Volatile.Write(ref _observedAt, observedAt);
        Volatile.Write(ref _block, head.Number);
    }

    private async Task<bool> IsStillThereAsync(ViewCheckpoint checkpoint, BlockHeader head, CancellationToken cancellation) =>
        checkpoint.Block <= head.Number && await rpc.BlockAsync(Hex.Quantity(checkpoint.Block), cancellation) is { } block && block.Hash == checkpoint.Hash;

    private async Task ReadAsync(long from, long to, List<ChainEvent> events, CancellationToken cancellation)
    {
        var filter = new JsonObject
        {
            ["fromBlock"] = Hex.Quantity(from),
            ["toBlock"] = Hex.Quantity(to),
            ["address"] = new JsonArray([.. _addresses.Select(a => JsonValue.Create(a))]),
        };
        foreach (var entry in (await rpc.CallAsync("eth_getLogs", [filter], cancellation)).EnumerateArray())
            if (Decode(entry) is { } chainEvent) events.Add(chainEvent);
    }

    private static ChainEvent? Decode(JsonElement entry)
    {
        var topics = entry.GetProperty("topics").EnumerateArray().Select(t => t.GetString()![2..]).ToArray();
        var data = Hex.Bytes(entry.GetProperty("data").GetString()!);
        var block = Hex.Number(entry.GetProperty("blockNumber").GetString()!);
        var tx = entry.GetProperty("transactionHash").GetString()![2..];
        string Key(int word) => Convert.ToHexStringLower(Abi.WordAt(data, word));
        bool Is(byte[] topic) => topics[0] == Convert.ToHexStringLower(topic);

        if (Is(ActorRegistryContract.HospitalRegisteredTopic)) return new ActorRegisteredEvent(block, tx, topics[1], ActorKind.Hospital, null);
        if (Is(ActorRegistryContract.PractitionerRegisteredTopic)) return new ActorRegisteredEvent(block, tx, topics[1], ActorKind.Practitioner, topics[2]);
        if (Is(ActorRegistryContract.InsurerRegisteredTopic)) return new ActorRegisteredEvent(block, tx, topics[1], ActorKind.Insurer, null);
        if (Is(ActorRegistryContract.ActorStatusChangedTopic)) return new ActorStatusEvent(block, tx, topics[1], Abi.NumberAt(data, 0) == 1);
        if (Is(ActorRegistryContract.ClientBoundTopic)) return new ClientBindingEvent(block, tx, topics[1], topics[2]);
        if (Is(ActorRegistryContract.ClientUnboundTopic)) return new ClientBindingEvent(block, tx, topics[1], null);
        if (Is(ConsentRegistryContract.PatientRegisteredTopic)) return new PatientRegisteredEvent(block, tx, topics[1], Key(0)[24..], topics[2]);
        if (Is(ConsentRegistryContract.ControllerChangedTopic)) return new ControllerChangedEvent(block, tx, topics[1], Key(1)[24..]);
        if (Is(ConsentRegistryContract.ConsentGrantedTopic))
            return new ConsentGrantedEvent(block, tx, topics[1], topics[2], Abi.NumberAt(data, 0), Abi.NumberAt(data, 1), Abi.NumberAt(data, 2));
        if (Is(ConsentRegistryContract.ConsentRevokedTopic)) return new ConsentRevokedEvent(block, tx, topics[1], topics[2]);
        if (Is(ConsentRegistryContract.AllConsentsRevokedTopic)) return new AllConsentsRevokedEvent(block, tx, topics[1], Abi.NumberAt(data, 0));
        if (Is(AnchorRegistryContract.BatchAnchoredTopic))
            return new BatchAnchoredEvent(block, tx, topics[1], (long)Abi.NumberAt(Hex.Bytes(topics[2]), 0), Key(0));
        // Role changes of AccessControl.
        return null;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The chain is not the one followed up to block {Block}; its head is {Head}. The view is built anew")]
    private partial void LogReorg(long block, long head);
}
