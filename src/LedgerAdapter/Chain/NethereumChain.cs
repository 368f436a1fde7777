using System.Numerics;
using Nethereum.ABI.FunctionEncoding;
using Nethereum.ABI.Model;
using Nethereum.Contracts;
using Nethereum.Contracts.Services;
using Nethereum.Hex.HexTypes;
using Nethereum.JsonRpc.Client;
using Nethereum.Model;
using Nethereum.RPC.Eth.Blocks;
using Nethereum.RPC.Eth.DTOs;
using Nethereum.RPC.Eth.Transactions;
using Nethereum.Web3;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>A chain behind a node's JSON-RPC, by Nethereum.</summary>
/// <param name="http">The node: its base address.</param>
/// <param name="chainId">The chain that the node must be of.</param>
/// <param name="contracts">Where our contracts are.</param>
/// <param name="genesis">
/// The genesis block of the chain that is followed, given the one that the node has; null: any chain with the id is taken for it.
/// </param>
internal sealed class NethereumChain(HttpClient http, long chainId, ContractSet contracts, Func<string, Task<string>>? genesis = null)
    : IChain
{
    // Bodies stay far below the 2 MB that the smallest of the nodes takes.
    private const int BatchCount = 100;
    private const int BatchBytes = 512 * 1024;

    private const string NoContract = "the contract answered what its interface does not say: is it deployed?";
    private const string NoNode = "the node answers what no node does";

    private readonly LogBloomFilter[] _filters = [.. contracts.Addresses.Values.Select(BlockProof.FilterOf)];
    private readonly string[] _addresses = [.. contracts.Addresses.Values.Select(EthereumAccount.Text)];

    // A node that was out of reach may come back as another one.
    private volatile bool _isChainKnown;
    private volatile bool _lacksBlockReceipts;

    /// <inheritdoc/>
    public Task<BlockHeader> HeadAsync(CancellationToken cancellation) => AskAsync(
        async eth => Header(await eth.Blocks.GetBlockWithTransactionsHashesByNumber.SendRequestAsync(BlockParameter.CreateLatest()))
            ?? throw new RpcUnavailableException("the node has no block yet"),
        cancellation);

    /// <inheritdoc/>
    public Task<BlockHeader?> BlockAsync(long number, CancellationToken cancellation) => AskAsync(
        async eth => Header(await eth.Blocks.GetBlockWithTransactionsHashesByNumber.SendRequestAsync(Block(number))), cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<BlockHeader>> BlocksAsync(long from, long to, CancellationToken cancellation) =>
        AskAsync<IReadOnlyList<BlockHeader>>(
        async (eth, connection) =>
        {
            var handler = (EthGetBlockWithTransactionsHashesByNumber)eth.Blocks.GetBlockWithTransactionsHashesByNumber;
            var numbers = Enumerable.Range(0, (int)(to - from + 1)).Select(i => from + i);
            var blocks = await BatchAsync<EthGetBlockWithTransactionsHashesByNumber, BlockWithTransactionHashes, long>(
                connection, handler, numbers, n => handler.BuildRequest(Block(n), RpcConnection.NextId()));
            return [.. blocks.Select((b, i) => Header(b) is { } header && header.Number == from + i
                ? header
                : throw new RpcUnavailableException($"the node has no block {from + i}, though its head is above"))];
        },
        cancellation);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ChainEvent>> EventsAsync(BlockHeader block, CancellationToken cancellation)
    {
        var shown = await ReceiptsOfAsync(block, cancellation);
        var receipts = Decode(NoNode, () => shown.Select(BlockProof.Canonical).ToList());
        if (!Decode(NoNode, () => BlockProof.AreOfTheirRoot(block.ReceiptsRoot, receipts)))
            throw new RpcUnavailableException($"the node shows receipts of block {block.Number} that are not those of its hash");
        var events = new List<ChainEvent>();
        foreach (var receipt in receipts)
        {
            foreach (var log in receipt.Logs.Where(l => _addresses.Contains(l.Address, StringComparer.Ordinal)))
            {
                // Of what is shown beside the log nothing is proven but that it is of this receipt, and the receipt of this block.
                (log.BlockNumber, log.TransactionHash) = (new HexBigInteger(block.Number), receipt.TransactionHash);
                if (Decode(NoNode, () => EventDecoder.Decode(log)) is { } chainEvent) events.Add(chainEvent);
            }
        }
        return events;
    }

    /// <inheritdoc/>
    public Task<bool> RecognizeAsync(CancellationToken cancellation)
    {
        _isChainKnown = false;
        return AskAsync(_ => Task.FromResult(genesis is not null), cancellation);
    }

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
    public Task<BigInteger> BalanceAsync(byte[] account, CancellationToken cancellation) => AskAsync(
        async eth => (await eth.GetBalance.SendRequestAsync(EthereumAccount.Text(account), BlockParameter.CreateLatest())).Value,
        cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<ChainReceipt?>> ReceiptsAsync(IReadOnlyList<string> hashes, CancellationToken cancellation) =>
        AskAsync<IReadOnlyList<ChainReceipt?>>(
        async (eth, connection) => [.. (await ReceiptsAsync(eth, connection, hashes.Select(h => "0x" + h))).Select(Receipt)], cancellation);

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
        var grant = Decode(NoContract, () => new FunctionCallDecoder().DecodeFunctionOutput<GrantOfOutput>(answer)).Value;
        return new GrantState(grant.Status, grant.NotBefore, grant.NotAfter, grant.Epoch);
    }

    /// <inheritdoc/>
    public async Task<PatientState> PatientAtAsync(byte[] patient, long block, CancellationToken cancellation)
    {
        var answer = await CallAsync(ContractSet.Consents, new PatientOfFunction(patient), Block(block), cancellation);
        var there = Decode(NoContract, () => new FunctionCallDecoder().DecodeFunctionOutput<PatientOfOutput>(answer)).Value;
        return new PatientState(
            IdOrNull(Decode(NoContract, () => Convert.FromHexString(there.Controller.AsSpan(2)))), there.Epoch,
            Convert.ToHexStringLower(there.Custodian));
    }

    /// <inheritdoc/>
    public async Task<ActorState> ActorAtAsync(byte[] actor, long block, CancellationToken cancellation)
    {
        var answer = await CallAsync(ContractSet.Actors, new ActorOfFunction(actor), Block(block), cancellation);
        var there = Decode(NoContract, () => new FunctionCallDecoder().DecodeFunctionOutput<ActorOfOutput>(answer)).Value;
        return new ActorState((ActorKind)there.Kind, there.Status, IdOrNull(there.Hospital));
    }

    /// <inheritdoc/>
    public async Task<string?> ActorOfClientAtAsync(byte[] client, long block, CancellationToken cancellation)
    {
        var answer = await CallAsync(ContractSet.Actors, new ActorOfClientFunction(client), Block(block), cancellation);
        return IdOrNull(
            Decode(NoContract, () => new FunctionCallDecoder().DecodeSimpleTypeOutput<byte[]>(new Parameter("bytes32"), answer)));
    }

    /// <inheritdoc/>
    public async Task<long> NextSequenceAsync(byte[] custodian, CancellationToken cancellation)
    {
        var answer = await CallAsync(ContractSet.Anchors, new NextSequenceFunction(custodian), BlockParameter.CreateLatest(), cancellation);
        return (long)Decode(NoContract, () => new FunctionCallDecoder().DecodeSimpleTypeOutput<ulong>(new Parameter("uint64"), answer));
    }

    /// <inheritdoc/>
    public async Task<byte[]?> RootAsync(byte[] custodian, long sequence, CancellationToken cancellation)
    {
        var answer = await CallAsync(
            ContractSet.Anchors, new BatchOfFunction(custodian, (ulong)sequence), BlockParameter.CreateLatest(), cancellation);
        var batch = Decode(NoContract, () => new FunctionCallDecoder().DecodeFunctionOutput<BatchOfOutput>(answer)).Value;
        return batch.LeafCount == 0 ? null : batch.Root;
    }

    /// <inheritdoc/>
    public async Task<bool> VerifyAsync(
        byte[] custodian, long sequence, byte[] leaf, uint index, IReadOnlyList<byte[]> path, CancellationToken cancellation)
    {
        var function = new VerifyFunction(custodian, (ulong)sequence, leaf, index, [.. path]);
        var answer = await CallAsync(ContractSet.Anchors, function, BlockParameter.CreateLatest(), cancellation);
        return Decode(NoContract, () => new FunctionCallDecoder().DecodeSimpleTypeOutput<bool>(new Parameter("bool"), answer));
    }

    private static BlockParameter Block(long number) => new((ulong)number);

    // What is zero is not there.
    private static string? IdOrNull(byte[] id) => id.AsSpan().ContainsAnyExcept((byte)0) ? Convert.ToHexStringLower(id) : null;

    private BlockHeader? Header(BlockWithTransactionHashes? block)
    {
        if (block is null) return null;
        return Decode(NoNode, () => BlockProof.IsOfItsHash(block))
            ? new BlockHeader(
                (long)block.Number.Value, BlockProof.Hex(block.BlockHash), BlockProof.Hex(block.ParentHash),
                block.BaseFeePerGas?.Value ?? 0,
                (long)BigInteger.Min(block.Timestamp?.Value ?? 0, DateTimeOffset.MaxValue.ToUnixTimeSeconds()))
            {
                MayTell = BlockProof.MayTell(block, _filters),
                ReceiptsRoot = BlockProof.Hex(block.ReceiptsRoot),
            }
            : throw new RpcUnavailableException($"the node shows a block {block.Number?.Value} that does not hash to its hash");
    }

    // All of a block. Not every node tells them by the block; then one by one, and which they are the block says.
    private async Task<IReadOnlyList<TransactionReceipt>> ReceiptsOfAsync(BlockHeader block, CancellationToken cancellation)
    {
        if (!_lacksBlockReceipts)
        {
            try
            {
                var parameter = Block(block.Number);
                return await AskAsync(eth => eth.Blocks.GetBlockReceiptsByNumber.SendRequestAsync(parameter), cancellation)
                    ?? throw new RpcUnavailableException($"the node has no receipts of block {block.Number}");
            }
            catch (RpcException e)
            {
                // Another refusal (too many requests, say) is of this time.
                _lacksBlockReceipts = e.Kind == RpcErrorKind.NoSuchMethod;
            }
        }
        return await AskAsync<IReadOnlyList<TransactionReceipt>>(
            async (eth, connection) =>
            {
                var there = await eth.Blocks.GetBlockWithTransactionsHashesByHash.SendRequestAsync("0x" + block.Hash)
                    ?? throw new RpcUnavailableException($"the node has block {block.Number} no more");
                var receipts = await ReceiptsAsync(eth, connection, there.TransactionHashes);
                return [.. receipts.Select(r => r ?? throw new RpcUnavailableException(
                    $"the node lacks a receipt of block {block.Number}"))];
            },
            cancellation);
    }

    private static Task<List<TransactionReceipt?>> ReceiptsAsync(
        EthApiContractService eth, RpcConnection connection, IEnumerable<string> hashes)
    {
        var handler = (EthGetTransactionReceipt)eth.Transactions.GetTransactionReceipt;
        return BatchAsync<EthGetTransactionReceipt, TransactionReceipt, string>(
            connection, handler, hashes, h => handler.BuildRequest(h, RpcConnection.NextId()));
    }

    // The answers in the order of what was asked.
    private static async Task<List<TResponse?>> BatchAsync<THandler, TResponse, T>(
        RpcConnection connection, THandler handler, IEnumerable<T> asked, Func<T, RpcRequest> request)
        where THandler : IRpcRequestHandler<TResponse>
    {
        var answers = new List<TResponse?>();
        foreach (var chunk in asked.Chunk(BatchCount))
        {
            var requests = chunk.Select(request).ToList();
            var items = requests.Select(r => new RpcRequestResponseBatchItem<THandler, TResponse>(handler, r)).ToList();
            await SendBatchAsync(connection, items);
            foreach (var item in items)
            {
                if (item.HasError) throw Refusal(item.RpcRequestMessage.Method, item.RpcError);
                answers.Add(item.Response);
            }
        }
        return answers;
    }

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

    // Nethereum fails in many ways on bytes that are not what was asked for.
    private static T Decode<T>(string otherwise, Func<T> decode)
    {
        try
        {
            return decode();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new RpcUnavailableException(otherwise, e);
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

    /// <summary>There is a new connection: whoever is at the other end of it is to be recognised.</summary>
    internal void Unknown() => _isChainKnown = false;

    // A chain id is a number that anybody may give a chain of his own; the hash of the first block is the chain.
    private async Task RecognizeAsync(EthApiContractService eth)
    {
        // Before the questions: one of them may open a connection, and then it is asked again.
        _isChainKnown = true;
        try
        {
            var id = (await eth.ChainId.SendRequestAsync()).Value;
            if (id != chainId) throw new WrongChainException($"the node is of chain {id}, not of chain {chainId}");
            if (genesis is null) return;
            var first = Header(await eth.Blocks.GetBlockWithTransactionsHashesByNumber.SendRequestAsync(Block(0)))
                ?? throw new RpcUnavailableException("the node has no first block");
            if (await genesis(first.Hash) is var followed && followed != first.Hash)
                throw new WrongChainException($"the node's chain begins with block {first.Hash}, the one that is followed with {followed}");
        }
        catch
        {
            _isChainKnown = false;
            throw;
        }
    }

    private async Task<T> AskAsync<T>(Func<EthApiContractService, RpcConnection, Task<T>> question, CancellationToken cancellation)
    {
        try
        {
            var connection = new RpcConnection(http, cancellation);
            var eth = (EthApiContractService)new Web3(connection).Eth;
            if (!_isChainKnown) await RecognizeAsync(eth);
            var answer = await question(eth, connection);
            // Another one may have answered than the one that was recognised.
            if (!_isChainKnown) await RecognizeAsync(eth);
            return answer;
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
