using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// One of the three loops of the adapter: it follows the chain, sends, or closes batches, each on its own, so that none waits for another.
/// It runs its step while this process holds its lease. A node that is down makes it wait, nothing more.
/// </summary>
internal abstract partial class LedgerLoop(string lease, ILedgerJournal journal, LedgerOptions options, TimeProvider time, ILogger log)
    : BackgroundService
{
    /// <summary>How long a lease is held without being renewed: a loop of a dead process is taken over after that.</summary>
    internal static readonly TimeSpan LeaseTime = TimeSpan.FromSeconds(8);

    private LoopProblem? _problem;

    /// <summary>Which loop it is: the name of its lease.</summary>
    public string Name { get; } = lease;

    /// <summary>Why the last round failed, and since when rounds do; null where it did not.</summary>
    public LoopProblem? Problem => Volatile.Read(ref _problem);

    /// <summary>A round with the lease.</summary>
    protected abstract Task RunOnceAsync(CancellationToken cancellation);

    /// <summary>A round without it.</summary>
    protected virtual Task StandByAsync(CancellationToken cancellation) => Task.CompletedTask;

    /// <summary>What is done once, before the first round.</summary>
    protected virtual Task PrepareAsync(CancellationToken cancellation) => Task.CompletedTask;

    /// <summary>What a round that met no node leaves to the next.</summary>
    protected virtual void NodeWasAway()
    {
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var (isPrepared, isHolder) = (false, false);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (!isPrepared) await PrepareAsync(stoppingToken);
                isPrepared = true;
                isHolder = await journal.TryHoldAsync(Name, LeaseTime, stoppingToken);
                if (isHolder) await RunOnceAsync(stoppingToken);
                else await StandByAsync(stoppingToken);
                if (Problem is not null) LogBack(Name);
                Volatile.Write(ref _problem, null);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (LeaseLostException)
            {
                // Another process took over while the round ran; it does the rest, and what failed here is no longer this one's.
                isHolder = false;
                Volatile.Write(ref _problem, null);
            }
            catch (RpcUnavailableException e)
            {
                NodeWasAway();
                if (Fails(e)) LogDown(Name, e.Message);
            }
            catch (Exception e)
            {
                // The loop must outlive whatever a round meets: without it no grant, no anchor and no read.
                if (Fails(e)) LogFailed(e, Name);
            }
            await Task.Delay(options.PollInterval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (isHolder) await ReleaseAsync();
    }

    // Another process need not wait until the lease is over. Where the database is out of reach, it has to.
    private async Task ReleaseAsync()
    {
        try
        {
            await journal.ReleaseAsync(Name, CancellationToken.None);
        }
        catch (Exception e)
        {
            LogKept(Name, LeaseTime, e.Message);
        }
    }

    // Whether it is another failure than the last one: the same again is not told again.
    private bool Fails(Exception e)
    {
        var before = Problem;
        Volatile.Write(ref _problem, new LoopProblem(e.Message, before?.Since ?? time.GetUtcNow()));
        return before?.Text != e.Message;
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The chain is out of reach ({Loop}): {Reason}. Writes go on; reads stop when the consent view is too old")]
    private partial void LogDown(string loop, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The ledger loop '{Loop}' works again")]
    private partial void LogBack(string loop);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The lease of the ledger loop '{Loop}' could not be given back; it is over in {Time}: {Reason}")]
    private partial void LogKept(string loop, TimeSpan time, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "A round of the ledger loop '{Loop}' failed; the next one follows")]
    private partial void LogFailed(Exception e, string loop);
}

/// <summary>Why a loop fails.</summary>
/// <param name="Text">What happened.</param>
/// <param name="Since">Since when.</param>
internal sealed record LoopProblem(string Text, DateTimeOffset Since);

/// <summary>Follows the chain.</summary>
internal sealed class ViewLoop(ConsentView view, ILedgerJournal journal, LedgerOptions options, TimeProvider time, ILogger<ViewLoop> log)
    : LedgerLoop(Leases.View, journal, options, time, log)
{
    /// <inheritdoc/>
    protected override Task RunOnceAsync(CancellationToken cancellation) => view.RunOnceAsync(cancellation);

    /// <inheritdoc/>
    protected override Task StandByAsync(CancellationToken cancellation) => view.ReadJournalAsync(cancellation);
}

/// <summary>Sends transactions; the contracts' creation first.</summary>
internal sealed class SenderLoop(
    TransactionSender sender,
    ContractSet contracts,
    ILedgerJournal journal,
    LedgerOptions options,
    TimeProvider time,
    ILogger<SenderLoop> log)
    : LedgerLoop(Leases.Sender, journal, options, time, log)
{
    private readonly ILedgerJournal _journal = journal;

    /// <inheritdoc/>
    protected override Task PrepareAsync(CancellationToken cancellation) => _journal.EnqueueAsync(contracts.Deployments(), cancellation);

    /// <inheritdoc/>
    protected override Task RunOnceAsync(CancellationToken cancellation) => sender.RunOnceAsync(cancellation);

    /// <inheritdoc/>
    protected override Task StandByAsync(CancellationToken cancellation)
    {
        // Another process sends meanwhile: what this one remembers of the node is of no use when it takes over again.
        sender.NodeWasAway();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    protected override void NodeWasAway() => sender.NodeWasAway();
}

/// <summary>Closes batches.</summary>
internal sealed class AnchorLoop(
    AnchorWorker anchors, ILedgerJournal journal, LedgerOptions options, TimeProvider time, ILogger<AnchorLoop> log)
    : LedgerLoop(Leases.Anchors, journal, options, time, log)
{
    /// <inheritdoc/>
    protected override Task RunOnceAsync(CancellationToken cancellation) => anchors.RunOnceAsync(cancellation);
}
