using System.Text.Json.Nodes;
using Nethereum.RLP;
using Nethereum.RPC.Eth.DTOs;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

public class BlockProofTests
{
    public static TheoryData<string> Nodes => ["anvil", "ganache", "ganache, reverted", "ethereumjs"];

    [Theory]
    [MemberData(nameof(Nodes))]
    public void A_block_hashes_to_its_hash_and_its_receipts_to_its_root_whatever_node_shows_it(string node)
    {
        var shown = Shown(node);
        Assert.True(BlockProof.IsOfItsHash(Read<Block>(shown["genesis"])));
        var block = Read<Block>(shown["block"]);
        Assert.True(BlockProof.IsOfItsHash(block));
        var receipts = Receipts(shown);
        Assert.True(BlockProof.AreOfTheirRoot(block.ReceiptsRoot[2..], receipts));
        var (nobody, somebody) = (BlockProof.FilterOf(new byte[20]), BlockProof.FilterOf(AddressIn(receipts)));
        Assert.True(BlockProof.MayTell(block, [nobody, somebody]));
        Assert.False(BlockProof.MayTell(block, [nobody]));
        Assert.False(BlockProof.MayTell(Read<Block>(shown["genesis"]), [somebody]));
    }

    [Theory]
    [InlineData("0x", "")]
    [InlineData("a", ":")]
    public void A_log_that_is_written_in_another_way_and_hashes_alike_is_read_as_the_one_that_it_is(string usual, string unusual)
    {
        var shown = Shown("anvil");
        var (root, usually) = ($"{shown["block"]!["receiptsRoot"]}"[2..], Logs(Receipts(shown)));
        foreach (var log in shown["receipts"]!.AsArray().SelectMany(r => r!["logs"]!.AsArray()))
        {
            log!["address"] = Unusual(log["address"]);
            log["topics"] = new JsonArray([.. log["topics"]!.AsArray().Select(t => (JsonNode)Unusual(t))]);
        }
        var receipts = Receipts(shown);
        Assert.NotEqual(usually, Logs(receipts));
        Assert.True(BlockProof.AreOfTheirRoot(root, receipts));
        Assert.Equal(usually, Logs([.. receipts.Select(BlockProof.Canonical)]));

        string Unusual(JsonNode? hex) => $"{hex}".Replace(usual, unusual, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Logs(IReadOnlyList<TransactionReceipt> receipts) =>
        receipts.SelectMany(r => r.Logs).Select(l => $"{l.Address} {string.Join(' ', l.Topics)} {l.Data}").ToList();

    [Theory]
    [MemberData(nameof(Nodes))]
    public void No_field_of_a_block_and_no_part_of_a_receipt_can_be_changed_left_out_or_put_in(string node)
    {
        var shown = Shown(node);
        string[] free = ["hash", "transactions", "uncles", "withdrawals", "author"];
        foreach (var (name, value) in shown["block"]!.AsObject().Where(f => !free.Contains(f.Key)).ToList())
        {
            shown["block"]![name] = Changed($"{value}");
            Assert.False(BlockProof.IsOfItsHash(Read<Block>(shown["block"])), $"{node}: {name}");
            shown["block"]![name] = value!.DeepClone();
        }

        var root = $"{shown["block"]!["receiptsRoot"]}"[2..];
        var receipts = shown["receipts"]!.AsArray();
        var whole = receipts.ToJsonString();
        var count = 0;
        foreach (var receipt in receipts)
        {
            var logs = receipt!["logs"]!.AsArray();
            foreach (var log in logs.ToList())
            {
                var place = logs.IndexOf(log);
                Changes(log!, "address");
                Changes(log!, "data");
                Differs(() => logs.Remove(log), () => logs.Insert(place, log));
                var topics = log!["topics"]!.AsArray();
                Differs(() => topics.Add("0x" + root), () => topics.RemoveAt(topics.Count - 1));
            }
            Changes(receipt, "status");
            Changes(receipt, "cumulativeGasUsed");
        }
        Differs(() => receipts.Add(receipts[0]!.DeepClone()), () => receipts.RemoveAt(receipts.Count - 1));
        Assert.Equal(whole, receipts.ToJsonString());
        Assert.True(count > 4);

        void Changes(JsonNode of, string name)
        {
            var (was, changed) = ($"{of[name]}", Changed($"{of[name]}"));
            Differs(() => of[name] = changed, () => of[name] = was);
        }

        void Differs(Action change, Action undo)
        {
            change();
            Assert.False(BlockProof.AreOfTheirRoot(root, Receipts(shown)));
            undo();
            count++;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_validators_seals_and_their_round_are_not_in_the_hash_of_a_Besu_block_and_all_else_is(bool isQbft)
    {
        // Besu hashes the header with round 0 and no seals: QBFT writes both as empty, IBFT 2.0 leaves both out.
        byte[] validators = RLP.EncodeList(RLP.EncodeElement(Enumerable.Repeat((byte)5, 20).ToArray()));
        byte[][] hashed = [RLP.EncodeElement(new byte[32]), validators, RLP.EncodeList()];
        byte[][] emptied = isQbft ? [RLP.EncodeElement([]), RLP.EncodeList()] : [];
        var block = Shown("ganache")["block"]!.AsObject();
        block["extraData"] = Hex(RLP.EncodeList([.. hashed, .. emptied]));
        block["hash"] = Hex(HashOf(block));
        byte[][] seals = [RLP.EncodeElement([2]), RLP.EncodeList(RLP.EncodeElement(new byte[65]))];
        block["extraData"] = Hex(RLP.EncodeList([.. hashed, .. seals]));
        Assert.True(BlockProof.IsOfItsHash(Read<Block>(block)));
        hashed[1] = RLP.EncodeList(RLP.EncodeElement(Enumerable.Repeat((byte)6, 20).ToArray()));
        block["extraData"] = Hex(RLP.EncodeList([.. hashed, .. seals]));
        Assert.False(BlockProof.IsOfItsHash(Read<Block>(block)));
    }

    // Over the header as it stands.
    private static byte[] HashOf(JsonObject block)
    {
        var header = BlockProof.HeaderOf(Read<Block>(block));
        return Keccak256.Hash([Nethereum.Model.BlockHeaderEncoder.Current.Encode(header, false)]);
    }

    private static string Hex(byte[] bytes) => "0x" + Convert.ToHexStringLower(bytes);

    // Its last digit is another; of none, a byte.
    private static string Changed(string hex) => hex is "0x" ? "0x01" : hex[..^1] + (hex[^1] == '1' ? '0' : '1');

    private static byte[] AddressIn(IReadOnlyList<TransactionReceipt> receipts) =>
        Convert.FromHexString(receipts.First(r => r.Logs.Length > 0).Logs[0].Address[2..]);

    private static List<TransactionReceipt> Receipts(JsonNode shown) => [.. shown["receipts"]!.AsArray().Select(Read<TransactionReceipt>)];

    private static T Read<T>(JsonNode? json) => Newtonsoft.Json.JsonConvert.DeserializeObject<T>(json!.ToJsonString())!;

    private static JsonNode Shown(string node) => JsonNode.Parse(Vectors.Read("blocks.json").GetRawText())![node]!;
}
