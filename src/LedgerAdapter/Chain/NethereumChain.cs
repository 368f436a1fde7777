using System.Numerics;
using Nethereum.ABI.FunctionEncoding;
using Nethereum.ABI.Model;
using Nethereum.Contracts;
using Nethereum.Contracts.Services;
using Nethereum.JsonRpc.Client;
using Nethereum.RPC.Eth.DTOs;
using Nethereum.RPC.Eth.Transactions;
using Nethereum.Web3;

namespace PmrGateway.LedgerAdapter;

/// <summary>A chain behind a node's JSON-RPC, by Nethereum.</summary>
/// <param name="http">The node: its base address.</param>
/// <param name="chainId">The chain that the node must be of.</param>
/// <param name="contracts">Where our contracts are.</param>
internal sealed class NethereumChain(HttpClient http, long chainId, ContractSet contracts) : IChain
{
    // Bodies stay far below the 2 MB that the smallest of the nodes takes.
    private const int BatchCount = 100;
    private const int BatchBytes = 512 * 1024;
    private readonly string[] _addresses = [.. contracts.Addresses.Values.Select(EthereumAccount.Text)];

    // A node that was out of reach may come back as another one.
    private volatile bool _isChainKnown;

    /// <inheritdoc/>
    public Task<BlockHeader> HeadAsync(CancellationToken cancellation) => AskAsync(
        async eth => Header(await eth.Blocks.GetBlockWithTransactionsHashesByNumber.SendRequestAsync(BlockParameter.CreateLatest()))
            ?? throw new RpcUnavailableException("the node has no block yet"),
        cancellation);

    /// <inheritdoc/>
    public Task<BlockHeader?> BlockAsync(long number, CancellationToken cancellation) => AskAsync(
        async eth => Header(await eth.Blocks.GetBlockWithTransactionsHashesByNumber.SendRequestAsync(Block(number))), cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<ChainEvent>> EventsAsync(long from, long to, CancellationToken cancellation) =>
        AskAsync<IReadOnlyList<ChainEvent>>(
        async eth =>
        {
            var filter = new NewFilterInput { FromBlock = Block(from), ToBlock = Block(to), Address = _addresses };
            return [.. (await eth.Filters.GetLogs.SendRequestAsync(filter)).Select(EventDecoder.Decode).OfType<ChainEvent>()];
        },
        cancellation);

    /// <inheritdoc/>
    public Task<bool> IsDeployedAsync(string contract, CancellationToken cancellation) =>
        AskAsync(async eth => await eth.GetCode.SendRequestAsync(Address(contract)) is { Length: > 2 }, cancellation);

    /// <inheritdoc/>
    public Task<long> NonceAsync(byte[] account, CancellationToken cancellation) => AskAsync(
        async eth =>
        {
            var address = EthereumAccount.Text(account);
            return (long)(await eth.Transactions.GetTransactionCount.SendRequestAsync(address, BlockParameter.CreateLatest())).Value;
        },
        cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<ChainReceipt?>> ReceiptsAsync(IReadOnlyList<string> hashes, CancellationToken cancellation) =>
        AskAsync<IReadOnlyList<ChainReceipt?>>(
        async (eth, connection) =>
        {
            var receipts = new List<ChainReceipt?>(hashes.Count);
            var handler = (EthGetTransactionReceipt)eth.Transactions.GetTransactionReceipt;
            foreach (var chunk in hashes.Chunk(BatchCount))
            {
                var items = chunk.Select(h => new RpcRequestResponseBatchItem<EthGetTransactionReceipt, TransactionReceipt>(
                    handler, handler.BuildRequest("0x" + h, RpcConnection.NextId()))).ToList();
                await SendBatchAsync(connection, items);
                foreach (var item in items)
                {
                    if (item.HasError) throw Refusal("eth_getTransactionReceipt", item.RpcError);
                    receipts.Add(Receipt(item.Response));
                }
            }
            return receipts;
        },
        cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<SubmitResult>> SubmitAsync(IReadOnlyList<byte[]> transactions, CancellationToken cancellation) =>
        AskAsync<IReadOnlyList<SubmitResult>>(
        async (eth, connection) =>
        {
            var results = new List<SubmitResult>(transactions.Count);
            var handler = (EthSendRawTransaction)eth.Transactions.SendRawTransaction;
            while (results.Count < transactions.Count)
            {
                var (items, bytes) = (new List<RpcRequestResponseBatchItem<EthSendRawTransaction, string>>(), 0);
                for (var i = results.Count; i < transactions.Count && items.Count < BatchCount; i++)
                {
                    if (bytes > 0 && bytes + transactions[i].Length > BatchBytes) break;
                    items.Add(new(handler, handler.BuildRequest(EthereumAccount.Text(transactions[i]), RpcConnection.NextId())));
                    bytes += transactions[i].Length;
                }
                await SendBatchAsync(connection, items);
                results.AddRange(items.Select(i => i.HasError ? Result(i.RpcError.Message) : new SubmitResult(SubmitOutcome.Accepted)));
            }
            return results;
        },
        cancellation);

    /// <inheritdoc/>
    public async Task<Revert?> SimulateAsync(byte[] sender, ChainCommand command, CancellationToken cancellation)
    {
        try
        {
            var to = command.Contract.Length == 0 ? null : EthereumAccount.Text(contracts.AddressOf(command.Contract));
            var call = new CallInput(EthereumAccount.Text(command.Data), to) { From = EthereumAccount.Text(sender) };
            await AskAsync(eth => eth.Transactions.Call.SendRequestAsync(call, BlockParameter.CreateLatest()), cancellation);
            return null;
        }
        catch (RpcException e) when (e.Kind == RpcErrorKind.Reverted)
        {
            return ContractErrors.Read(e);
        }
    }

    /// <inheritdoc/>
    public async Task<GrantState> GrantAtAsync(byte[] patient, byte[] commitment, long block, CancellationToken cancellation)
    {
        var answer = await CallAsync(ContractSet.Consents, new GrantOfFunction(patient, commitment), Block(block), cancellation);
        var grant = Decode(() => new FunctionCallDecoder().DecodeFunctionOutput<GrantOfOutput>(answer)).Value;
        return new GrantState(grant.Status, grant.NotBefore, grant.NotAfter, grant.Epoch);
    }

    /// <inheritdoc/>
    public async Task<long> NextSequenceAsync(byte[] custodian, CancellationToken cancellation)
    {
        var answer = await CallAsync(ContractSet.Anchors, new NextSequenceFunction(custodian), BlockParameter.CreateLatest(), cancellation);
        return (long)Decode(() => new FunctionCallDecoder().DecodeSimpleTypeOutput<ulong>(new Parameter("uint64"), answer));
    }

    /// <inheritdoc/>
    public async Task<byte[]?> RootAsync(byte[] custodian, long sequence, CancellationToken cancellation)
    {
        var answer = await CallAsync(
            ContractSet.Anchors, new BatchOfFunction(custodian, (ulong)sequence), BlockParameter.CreateLatest(), cancellation);
        var batch = Decode(() => new FunctionCallDecoder().DecodeFunctionOutput<BatchOfOutput>(answer)).Value;
        return batch.LeafCount == 0 ? null : batch.Root;
    }

    /// <inheritdoc/>
    public async Task<bool> VerifyAsync(
        byte[] custodian, long sequence, byte[] leaf, uint index, IReadOnlyList<byte[]> path, CancellationToken cancellation)
    {
        var function = new VerifyFunction(custodian, (ulong)sequence, leaf, index, [.. path]);
        var answer = await CallAsync(ContractSet.Anchors, function, BlockParameter.CreateLatest(), cancellation);
        return Decode(() => new FunctionCallDecoder().DecodeSimpleTypeOutput<bool>(new Parameter("bool"), answer));
    }

    private static BlockParameter Block(long number) => new((ulong)number);

    private static BlockHeader? Header(BlockWithTransactionHashes? block) => block is null
        ? null
        : new BlockHeader(
            (long)block.Number.Value, block.BlockHash[2..], block.ParentHash[2..], block.BaseFeePerGas?.Value ?? 0,
            (long)BigInteger.Min(block.Timestamp?.Value ?? 0, DateTimeOffset.MaxValue.ToUnixTimeSeconds()));

    private static ChainReceipt? Receipt(TransactionReceipt? receipt) =>
        receipt is { BlockNumber: { } block } ? new ChainReceipt((long)block.Value, receipt.Status?.Value.IsZero == true) : null;

    private static SubmitResult Result(string text) => RpcException.Classify(text) switch
    {
        RpcErrorKind.AlreadyKnown => new SubmitResult(SubmitOutcome.Accepted),
        RpcErrorKind.NonceTooLow => new SubmitResult(SubmitOutcome.NonceTooLow, text),
        RpcErrorKind.Underpriced => new SubmitResult(SubmitOutcome.Underpriced, text),
        RpcErrorKind.InsufficientFunds => new SubmitResult(SubmitOutcome.InsufficientFunds, text),
        _ => new SubmitResult(SubmitOutcome.Refused, text),
    };

    private static Exception Refusal(string method, RpcError error) =>
        new RpcException(method, error.Code, error.Message ?? "", error.Data as string ?? "");

    private static Task SendBatchAsync<THandler, TResponse>(
        RpcConnection connection, IEnumerable<RpcRequestResponseBatchItem<THandler, TResponse>> items)
        where THandler : IRpcRequestHandler<TResponse>
    {
        var batch = new RpcRequestResponseBatch { AcceptPartiallySuccessful = true };
        batch.BatchItems.AddRange(items);
        return connection.SendBatchRequestAsync(batch);
    }

    private static T Decode<T>(Func<T> decode)
    {
        try
        {
            return decode();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Nethereum's decoder fails in many ways on bytes that are no answer of this contract.
            throw new RpcUnavailableException("the contract answered what its interface does not say: is it deployed?", e);
        }
    }

    private string Address(string contract) => EthereumAccount.Text(contracts.AddressOf(contract));

    private Task<string> CallAsync<T>(string contract, T function, BlockParameter block, CancellationToken cancellation)
        where T : FunctionMessage
    {
        var call = new CallInput(EthereumAccount.Text(function.GetCallData()), Address(contract));
        return AskAsync(eth => eth.Transactions.Call.SendRequestAsync(call, block), cancellation);
    }

    private Task<T> AskAsync<T>(Func<EthApiContractService, Task<T>> question, CancellationToken cancellation) =>
        AskAsync((eth, _) => question(eth), cancellation);

    private async Task<T> AskAsync<T>(Func<EthApiContractService, RpcConnection, Task<T>> question, CancellationToken cancellation)
    {
        try
        {
            var connection = new RpcConnection(http, cancellation);
            var eth = (EthApiContractService)new Web3(connection).Eth;
            if (!_isChainKnown)
            {
                var id = (await eth.ChainId.SendRequestAsync()).Value;
                if (id != chainId) throw new WrongChainException($"{id}", chainId);
                _isChainKnown = true;
            }
            return await question(eth, connection);
        }
        catch (RpcUnavailableException)
        {
            _isChainKnown = false;
            throw;
        }
        catch (Exception e) when (
            e is FormatException or ArgumentException or InvalidCastException or NullReferenceException or Newtonsoft.Json.JsonException)
        {
            // What Nethereum makes of an answer that is JSON-RPC but not what was asked for.
            throw new RpcUnavailableException($"the Ethereum node at {http.BaseAddress} answers what no node does", e);
        }
    }
}
