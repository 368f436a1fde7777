using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>The one loop that talks to the chain: look at the head, follow, batch, send. A node that is down makes it wait, nothing more.</summary>
public sealed partial class LedgerService(
    JsonRpcClient rpc,
    ConsentView view,
    TransactionSender sender,
    AnchorWorker anchors,
    ContractSet contracts,
    ILedgerJournal journal,
    LedgerOptions options,
    TimeProvider time,
    ILogger<LedgerService> log) : BackgroundService
{
    private bool _isChainChecked;
    private bool _isDown;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await contracts.EnqueueDeploymentAsync(journal, stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            await GuardAsync(() => anchors.RunOnceAsync(stoppingToken), stoppingToken);
            await GuardAsync(() => RunChainAsync(stoppingToken), stoppingToken);
            await Task.Delay(options.PollInterval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task RunChainAsync(CancellationToken cancellation)
    {
        // Taken before the question: the view must not seem fresher than the answer it rests on.
        var observedAt = time.GetTimestamp();
        var head = await rpc.BlockAsync("latest", cancellation) ?? throw new RpcUnavailableException("the node has no block yet");
        if (!_isChainChecked) await CheckChainAsync(cancellation);
        await view.RunOnceAsync(head, observedAt, cancellation);
        await sender.RunOnceAsync(head, cancellation);
        if (_isDown) LogBack(head.Number);
        _isDown = false;
    }

    private async Task CheckChainAsync(CancellationToken cancellation)
    {
        var id = Hex.Number((await rpc.CallAsync("eth_chainId", [], cancellation)).GetString()!);
        if (id != options.ChainId) throw new RpcUnavailableException($"the node is of chain {id}, Ledger:ChainId is {options.ChainId}");
        _isChainChecked = true;
    }

    private async Task GuardAsync(Func<Task> step, CancellationToken cancellation)
    {
        try
        {
            await step();
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Stopping.
        }
        catch (RpcUnavailableException e)
        {
            // The node may come back as another one.
            _isChainChecked = false;
            if (!_isDown) LogDown(e.Message);
            _isDown = true;
        }
        catch (Exception e)
        {
            // The loop must outlive whatever a round meets: without it no grant, no anchor and no read.
            LogFailed(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The chain is out of reach: {Reason}. Writes go on; reads stop when the consent view is too old")]
    private partial void LogDown(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The chain is back, at block {Block}")]
    private partial void LogBack(long block);

    [LoggerMessage(Level = LogLevel.Error, Message = "A round of the ledger loop failed; the next one follows")]
    private partial void LogFailed(Exception e);
}
