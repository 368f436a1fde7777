using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.Mapping;

public class AnchorLayoutTests
{
    [Theory]
    [InlineData(1, 16)]
    [InlineData(15, 16)]
    [InlineData(16, 16)]
    [InlineData(17, 32)]
    [InlineData(1000, 1024)]
    [InlineData(1024, 1024)]
    [InlineData(1025, 2048)]
    public void A_tree_has_the_next_power_of_two_of_leaves_at_least_16_and_every_leaf_is_proven_in_it(int leaves, int count)
    {
        var hashes = Enumerable.Range(0, leaves).Select(i => Keccak256.Hash($"{i}")).ToArray();
        var layout = AnchorLayout.New(leaves, null);
        Assert.Equal(count, layout.Count);
        Assert.Equal(leaves, layout.Places.Distinct().Count());
        var tree = layout.Tree(hashes);
        Assert.All(tree, hash => Assert.Equal(32, hash.Length));
        Assert.Equal(count, tree.Select(Convert.ToHexString).Distinct().Count());
        var root = MerkleTree.Root(tree);
        foreach (var i in (int[])[0, leaves / 2, leaves - 1])
        {
            var place = layout.Places[i];
            Assert.True(MerkleTree.Verify(root, (uint)count, hashes[i], (uint)place, MerkleTree.Path(tree, place)));
        }
    }

    [Theory]
    [InlineData(0, 16)]
    [InlineData(3, 16)]
    [InlineData(15, 16)]
    [InlineData(16, 32)]
    public void A_head_of_the_audit_log_takes_a_place_of_the_padding_and_is_proven_like_a_leaf(int leaves, int count)
    {
        var hashes = Enumerable.Range(0, leaves).Select(i => Keccak256.Hash($"{i}")).ToArray();
        var layout = AnchorLayout.New(leaves, new AuditHead(7, new byte[32]));
        var head = layout.Head!;
        Assert.Equal(count, layout.Count);
        Assert.DoesNotContain(head.Place, layout.Places);
        var tree = layout.Tree(hashes);
        Assert.Equal(head.Leaf, tree[head.Place]);
        var path = MerkleTree.Path(tree, head.Place);
        Assert.True(MerkleTree.Verify(MerkleTree.Root(tree), (uint)count, head.Leaf, (uint)head.Place, path));
        // Another entry, hash or salt is another leaf; and no leaf of a record is one.
        Assert.NotEqual(head.Leaf, (head with { Head = new AuditHead(8, new byte[32]) }).Leaf);
        Assert.NotEqual(head.Leaf, (head with { Head = new AuditHead(7, Keccak256.Hash("x")) }).Leaf);
        Assert.NotEqual(head.Leaf, AnchorLayout.New(leaves, head.Head).Head!.Leaf);
        Assert.Equal(Keccak256.Hash([2], head.Salt, [0, 0, 0, 0, 0, 0, 0, 7], new byte[32]), head.Leaf);
    }

    [Fact]
    public void Places_and_padding_are_drawn_anew_for_each_batch()
    {
        // Of 64 leaves, two layouts are the same and one is in order as good as never.
        var (first, second) = (AnchorLayout.New(64, null), AnchorLayout.New(64, null));
        Assert.NotEqual(first.Places, second.Places);
        Assert.NotEqual(first.Places.Order(), first.Places);
        Assert.NotEqual(AnchorLayout.New(1, null).Padding, AnchorLayout.New(1, null).Padding);
    }

    [Fact]
    public void Every_place_is_as_likely_for_a_single_leaf_and_the_second_lies_before_the_first_as_often_as_behind()
    {
        var places = new int[16];
        var ahead = 0;
        for (var i = 0; i < 8000; i++)
        {
            var layout = AnchorLayout.New(2, null);
            places[layout.Places[0]]++;
            if (layout.Places[1] < layout.Places[0]) ahead++;
        }
        // Seven standard deviations around 500 and 4000.
        Assert.All(places, n => Assert.InRange(n, 348, 652));
        Assert.InRange(ahead, 3687, 4313);
    }

    [Fact]
    public void A_batch_without_padding_has_its_leaves_as_its_tree()
    {
        byte[][] hashes = [[1], [2], [3]];
        Assert.Equal(hashes, new AnchorLayout([0, 1, 2], []).Tree(hashes));
        Assert.Equal([[3], [1], [2]], new AnchorLayout([1, 2, 0], []).Tree(hashes));
    }
}
