using Nethereum.Hex.HexConvertors.Extensions;
using Nethereum.Hex.HexTypes;
using Nethereum.Merkle.Patricia;
using Nethereum.Model;
using Nethereum.RLP;
using Nethereum.RPC.Eth.DTOs;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// Holds what a node shows of a block against the block's hash: the header is what hashes to it, and the receipts, with every log, are what
/// hashes to the header's root. So a node can neither make up a log nor leave one out of a block whose hash is known.
/// </summary>
internal static class BlockProof
{
    /// <summary>
    /// Whether a header hashes to the hash that it is shown under: all of it (Ethereum; EIP-7685 has the last field), or without the seals
    /// of the validators and the round, which come after the hash (Besu's QBFT and IBFT 2.0).
    /// </summary>
    public static bool IsOfItsHash(Block block)
    {
        var (header, hash) = (HeaderOf(block), Bytes(block.BlockHash));
        if (Hashes(header, hash)) return true;
        if (header.ExtraData.Length == 0 || RLP.Decode(header.ExtraData) is not RLPCollection { Count: 5 } extraData) return false;
        var unsealed = extraData.Take(3).Select(Encoded).ToList();
        byte[][] round = [RLP.EncodeElement([]), RLP.EncodeList()];
        return new[] { RLP.EncodeList([.. unsealed, .. round]), RLP.EncodeList([.. unsealed]) }.Any(extra =>
        {
            header.ExtraData = extra;
            return Hashes(header, hash);
        });
    }

    private static byte[] Encoded(IRLPElement element) =>
        element is RLPCollection list ? RLP.EncodeList([.. list.Select(Encoded)]) : RLP.EncodeElement(element.RLPData ?? []);

    private static bool Hashes(Nethereum.Model.BlockHeader header, byte[] hash) =>
        Keccak256.Hash([BlockHeaderEncoder.Current.Encode(header, false)]).AsSpan().SequenceEqual(hash);

    /// <summary>The header of a block as a node shows it.</summary>
    internal static Nethereum.Model.BlockHeader HeaderOf(Block block) => new()
    {
        ParentHash = Bytes(block.ParentHash),
        UnclesHash = Bytes(block.Sha3Uncles),
        Coinbase = block.Miner,
        StateRoot = Bytes(block.StateRoot),
        TransactionsHash = Bytes(block.TransactionsRoot),
        ReceiptHash = Bytes(block.ReceiptsRoot),
        LogsBloom = Bytes(block.LogsBloom),
        Difficulty = block.Difficulty.Value,
        BlockNumber = block.Number.Value,
        GasLimit = Number(block.GasLimit) ?? 0,
        GasUsed = Number(block.GasUsed) ?? 0,
        Timestamp = Number(block.Timestamp) ?? 0,
        ExtraData = Bytes(block.ExtraData),
        MixHash = Bytes(block.MixHash),
        Nonce = Bytes(block.Nonce),
        BaseFee = block.BaseFeePerGas?.Value,
        WithdrawalsRoot = block.WithdrawalsRoot is null ? null : Bytes(block.WithdrawalsRoot.HexValue),
        BlobGasUsed = Number(block.BlobGasUsed),
        ExcessBlobGas = Number(block.ExcessBlobGas),
        ParentBeaconBlockRoot = block.ParentBeaconBlockRoot is null ? null : Bytes(block.ParentBeaconBlockRoot),
        RequestsHash = block.RequestsHash is null ? null : Bytes(block.RequestsHash),
    };

    /// <summary>The bits that an address sets in the bloom filter of a block in which it says something.</summary>
    public static LogBloomFilter FilterOf(byte[] address)
    {
        var filter = new LogBloomFilter();
        filter.AddAddress(address);
        return filter;
    }

    /// <summary>Whether one of some addresses may have said something in a block, by the block's bloom filter.</summary>
    /// <param name="block">The block.</param>
    /// <param name="filters">The filters of the addresses: each asks whether all that it has is in the block's.</param>
    public static bool MayTell(Block block, IEnumerable<LogBloomFilter> filters)
    {
        var bloom = Bytes(block.LogsBloom);
        return filters.Any(f => f.Matches(bloom));
    }

    /// <summary>Whether some receipts are all of a block, in order, and nothing in them is another.</summary>
    /// <param name="root">Root of the trie of the block's receipts, hex without 0x.</param>
    /// <param name="receipts">The receipts as a node shows them.</param>
    public static bool AreOfTheirRoot(string root, IReadOnlyList<TransactionReceipt> receipts) =>
        RootOf(receipts, []) == root
        // ganache writes the status of a reverted transaction as a byte 0, where RLP has a number 0 as nothing. It says the same.
        || (receipts.Any(r => r.Status?.Value.IsZero == true) && RootOf(receipts, [0]) == root);

    private static string RootOf(IReadOnlyList<TransactionReceipt> receipts, byte[] reverted)
    {
        var trie = new PatriciaTrie();
        for (var i = 0; i < receipts.Count; i++)
        {
            var receipt = receipts[i];
            var logs = receipt.Logs
                .Select(l => Log.Create(Bytes(l.Data), l.Address, [.. l.Topics.Select(t => Bytes((string)t))])).ToList();
            var (gas, bloom) = (receipt.CumulativeGasUsed.Value, Bytes(receipt.LogsBloom));
            var status = receipt.Status is not { } said ? Bytes(receipt.Root) : said.Value.IsZero ? reverted : [1];
            var made = Receipt.CreatePostStateReceipt(status, gas, bloom, logs);
            var encoded = ReceiptEncoder.Current.EncodeTyped(made, (byte)(Number(receipt.Type) ?? 0));
            trie.Put(RLP.EncodeElement(((long)i).ToBytesForRLPEncoding()), encoded, null);
        }
        return trie.Root.GetHash().ToHex();
    }

    /// <summary>
    /// A receipt whose logs are written in one way. Bytes can be written in several (without 0x, with letters that Nethereum takes for
    /// digits), and all hash alike: what is read must be the very text that was hashed, or a log could be hidden from the reader.
    /// </summary>
    public static TransactionReceipt Canonical(TransactionReceipt receipt)
    {
        foreach (var log in receipt.Logs)
        {
            (log.Address, log.Data) = ("0x" + Hex(log.Address), "0x" + Hex(log.Data));
            log.Topics = [.. log.Topics.Select(t => "0x" + Hex((string)t))];
        }
        return receipt;
    }

    /// <summary>Bytes as the adapter writes them, however a node does: lower-case hex without 0x.</summary>
    public static string Hex(string hex) => Convert.ToHexStringLower(Bytes(hex));

    private static byte[] Bytes(string hex) => hex.HexToByteArray();

    private static long? Number(HexBigInteger? value) => value is null ? null : (long)value.Value;
}
