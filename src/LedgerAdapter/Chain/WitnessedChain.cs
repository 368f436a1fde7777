using System.Numerics;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// A chain of which several nodes are asked: what all of them have is believed, and nothing where they differ. Blocks and what was said in
/// them follow from the head's hash, so it is the head that they must agree on, and what a contract's state is at it.
/// </summary>
/// <param name="first">The node that is asked for everything.</param>
/// <param name="witnesses">The others.</param>
internal sealed class WitnessedChain(IChain first, IReadOnlyList<IChain> witnesses) : IChain
{
    private readonly IChain[] _nodes = [first, .. witnesses];

    /// <inheritdoc/>
    /// <remarks>The newest block that all nodes have.</remarks>
    public async Task<BlockHeader> HeadAsync(CancellationToken cancellation)
    {
        // The first before the others: whose chain is followed from the first start on is its.
        var head = await first.HeadAsync(cancellation);
        BlockHeader[] heads = [head, .. await Task.WhenAll(witnesses.Select(n => n.HeadAsync(cancellation)))];
        var lowest = heads.MinBy(h => h.Number)!;
        var there = await Task.WhenAll(_nodes.Zip(heads).Select(n => n.Second.Number == lowest.Number
            ? Task.FromResult<BlockHeader?>(n.Second)
            : n.First.BlockAsync(lowest.Number, cancellation)));
        return there.All(b => b?.Hash == lowest.Hash)
            ? lowest
            : throw new RpcUnavailableException($"the nodes have different blocks {lowest.Number}");
    }

    /// <inheritdoc/>
    public Task<GrantState> GrantAtAsync(byte[] patient, byte[] commitment, long block, CancellationToken cancellation) =>
        AgreeAsync(block, n => n.GrantAtAsync(patient, commitment, block, cancellation));

    /// <inheritdoc/>
    public Task<PatientState> PatientAtAsync(byte[] patient, long block, CancellationToken cancellation) =>
        AgreeAsync(block, n => n.PatientAtAsync(patient, block, cancellation));

    /// <inheritdoc/>
    public Task<ActorState> ActorAtAsync(byte[] actor, long block, CancellationToken cancellation) =>
        AgreeAsync(block, n => n.ActorAtAsync(actor, block, cancellation));

    /// <inheritdoc/>
    public Task<string?> ActorOfClientAtAsync(byte[] client, long block, CancellationToken cancellation) =>
        AgreeAsync(block, n => n.ActorOfClientAtAsync(client, block, cancellation));

    /// <inheritdoc/>
    public async Task<bool> RecognizeAsync(CancellationToken cancellation) =>
        (await Task.WhenAll(_nodes.Select(n => n.RecognizeAsync(cancellation)))).All(isKnown => isKnown);

    /// <inheritdoc/>
    public Task<BlockHeader?> BlockAsync(long number, CancellationToken cancellation) => first.BlockAsync(number, cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<BlockHeader>> BlocksAsync(long from, long to, CancellationToken cancellation) =>
        first.BlocksAsync(from, to, cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<ChainEvent>> EventsAsync(BlockHeader block, CancellationToken cancellation) =>
        first.EventsAsync(block, cancellation);

    /// <inheritdoc/>
    public Task<bool> IsDeployedAsync(string contract, CancellationToken cancellation) => first.IsDeployedAsync(contract, cancellation);

    /// <inheritdoc/>
    public Task<long> NonceAsync(byte[] account, CancellationToken cancellation) => first.NonceAsync(account, cancellation);

    /// <inheritdoc/>
    public Task<BigInteger> BalanceAsync(byte[] account, CancellationToken cancellation) => first.BalanceAsync(account, cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<ChainReceipt?>> ReceiptsAsync(IReadOnlyList<string> hashes, CancellationToken cancellation) =>
        first.ReceiptsAsync(hashes, cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<SubmitResult>> SubmitAsync(IReadOnlyList<byte[]> transactions, CancellationToken cancellation) =>
        first.SubmitAsync(transactions, cancellation);

    /// <inheritdoc/>
    public Task<Revert?> SimulateAsync(byte[] sender, ChainCommand command, CancellationToken cancellation) =>
        first.SimulateAsync(sender, command, cancellation);

    /// <inheritdoc/>
    public Task<long> NextSequenceAsync(byte[] custodian, CancellationToken cancellation) =>
        first.NextSequenceAsync(custodian, cancellation);

    /// <inheritdoc/>
    public Task<byte[]?> RootAsync(byte[] custodian, long sequence, CancellationToken cancellation) =>
        first.RootAsync(custodian, sequence, cancellation);

    /// <inheritdoc/>
    public Task<bool> VerifyAsync(
        byte[] custodian, long sequence, byte[] leaf, uint index, IReadOnlyList<byte[]> path, CancellationToken cancellation) =>
        first.VerifyAsync(custodian, sequence, leaf, index, path, cancellation);

    private async Task<T> AgreeAsync<T>(long block, Func<IChain, Task<T>> ask)
    {
        var states = await Task.WhenAll(_nodes.Select(ask));
        return states.Distinct().Count() == 1
            ? states[0]
            : throw new RpcUnavailableException($"the nodes have different states at block {block}");
    }
}
