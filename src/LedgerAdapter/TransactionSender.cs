using System.Numerics;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// Brings intents onto the chain, one account, one loop: sign under the next nonce, record, send, watch, confirm. The signed bytes are
/// durable before the node sees them, so a crash at any point ends in the same transaction being sent again, never in a second one;
/// and a chain that has lost its end is told it again, nonce by nonce.
/// </summary>
public sealed partial class TransactionSender(
    JsonRpcClient rpc, EthereumAccount account, ContractSet contracts, ILedgerJournal journal, LedgerOptions options, ILogger<TransactionSender> log)
{
    private const int InFlight = 64;
    private const long DeployGas = 4_000_000;
    private const long CallGas = 600_000;

    /// <summary>One round: what was lost, what was mined, what is new.</summary>
    /// <param name="head">The chain's head.</param>
    /// <param name="cancellation">Stops the round between two steps.</param>
    /// <exception cref="RpcUnavailableException">The node cannot be asked; the next round takes up where this one stopped.</exception>
    public async Task RunOnceAsync(BlockHeader head, CancellationToken cancellation)
    {
        var mined = Hex.Number((await rpc.CallAsync("eth_getTransactionCount", [Hex.Data(account.Address), "latest"], cancellation)).GetString()!);
        var lost = await journal.SetLostAsync(mined, cancellation);
        if (lost > 0) LogLost(lost, mined);
        await WatchAsync(head, mined, cancellation);
        await SendQueuedAsync(head, cancellation);
    }

    private async Task WatchAsync(BlockHeader head, long minedNonces, CancellationToken cancellation)
    {
        foreach (var intent in await journal.IntentsAsync(IntentStatus.Mined, 1000, cancellation))
            if (head.Number - intent.Block >= options.Confirmations) await SettleAsync(intent, head, cancellation);
        foreach (var intent in await journal.IntentsAsync(IntentStatus.Sent, InFlight, cancellation))
        {
            if (intent.Nonce < minedNonces) await SettleAsync(intent, head, cancellation);
            else await SendAsync(intent, intent.Raw!, head, cancellation);
        }
    }

    private async Task SettleAsync(LedgerIntent intent, BlockHeader head, CancellationToken cancellation)
    {
        var receipt = await rpc.CallAsync("eth_getTransactionReceipt", ["0x" + intent.Hash], cancellation);
        if (receipt.ValueKind == JsonValueKind.Null)
        {
            // Its nonce is used by something else: another sender has our key, or a reorg is under way.
            LogNoReceipt(intent.Id, intent.Action);
            return;
        }
        var block = Hex.Number(receipt.GetProperty("blockNumber").GetString()!);
        var failed = receipt.GetProperty("status").GetString() == "0x0";
        if (failed) LogReverted(intent.Id, intent.Action);
        var isDeep = head.Number - block >= options.Confirmations;
        var status = !isDeep ? IntentStatus.Mined : failed ? IntentStatus.Failed : IntentStatus.Confirmed;
        await journal.SetStatusAsync(intent.Id, status, block, failed ? "reverted" : null, cancellation);
    }

    private async Task SendQueuedAsync(BlockHeader head, CancellationToken cancellation)
    {
        var open = (await journal.IntentsAsync(IntentStatus.Sent, InFlight, cancellation)).Count;
        if (open >= InFlight) return;
        var queued = await journal.IntentsAsync(IntentStatus.Queued, InFlight - open, cancellation);
        if (queued.Count == 0) return;
        var nonce = await journal.LastNonceAsync(cancellation) + 1;
        foreach (var intent in queued)
        {
            var raw = await SignAsync(intent, nonce++, head, cancellation);
            await SendAsync(intent, raw, head, cancellation);
        }
    }

    private async Task<byte[]> SignAsync(LedgerIntent intent, long nonce, BlockHeader head, CancellationToken cancellation)
    {
        // A chain without fees (base fee 0) is told so: our account has no ether there.
        var tip = head.BaseFee.IsZero ? BigInteger.Zero : new BigInteger(1_000_000_000);
        var isDeployment = intent.Contract.Length == 0;
        var (raw, hash) = account.SignTransaction(
            options.ChainId, nonce, tip, 2 * head.BaseFee + tip, isDeployment ? DeployGas : CallGas, isDeployment ? null : contracts.Addresses[intent.Contract], intent.Data);
        await journal.SetSignedAsync(intent.Id, nonce, raw, hash, cancellation);
        return raw;
    }

    private async Task SendAsync(LedgerIntent intent, byte[] raw, BlockHeader head, CancellationToken cancellation)
    {
        try
        {
            await rpc.CallAsync("eth_sendRawTransaction", [Hex.Data(raw)], cancellation);
        }
        catch (RpcException e) when (e.Kind is RpcErrorKind.AlreadyKnown or RpcErrorKind.NonceTooLow)
        {
            // The node has it, or the chain does: the next round sees which.
        }
        catch (RpcException e) when (e.Kind == RpcErrorKind.Underpriced && intent.Nonce is { } nonce && !head.BaseFee.IsZero)
        {
            // Fees rose above what was signed: the same wish under the same nonce at the fee of today.
            LogRefused(e, intent.Id, intent.Action);
            await SignAsync(intent, nonce, head, cancellation);
        }
        catch (RpcException e)
        {
            LogRefused(e, intent.Id, intent.Action);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The chain has lost {Count} transactions (its nonce is {Nonce}); they are sent again")]
    private partial void LogLost(int count, long nonce);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Intent {Intent} ({Action}) has no receipt though its nonce is used")]
    private partial void LogNoReceipt(long intent, string action);

    [LoggerMessage(Level = LogLevel.Error, Message = "Intent {Intent} ({Action}) was reverted by its contract")]
    private partial void LogReverted(long intent, string action);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The node refused intent {Intent} ({Action})")]
    private partial void LogRefused(Exception e, long intent, string action);
}
