using System.Text.Json;
using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.Mapping;

public class AnchoringTests
{
    private static readonly JsonElement File = Vectors.Read("merkle.json");

    [Theory]
    [InlineData("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")]
    [InlineData("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45")]
    public void Keccak256_is_Ethereums(string text, string hash) => Assert.Equal(hash, Convert.ToHexStringLower(Keccak256.Hash(text)));

    [Fact]
    public void Roots_and_paths_are_those_of_the_vectors()
    {
        var proofs = File.GetProperty("proofs").EnumerateArray().Where(p => p.GetProperty("valid").GetBoolean())
            .ToLookup(p => p.GetProperty("count").GetInt32());
        foreach (var tree in File.GetProperty("trees").EnumerateArray())
        {
            var leaves = tree.GetProperty("leaves").EnumerateArray().Select(Hex).ToList();
            Assert.Equal(Hex(tree.GetProperty("root")), MerkleTree.Root(leaves));
            foreach (var proof in proofs[leaves.Count])
                Assert.Equal(
                    proof.GetProperty("path").EnumerateArray().Select(Hex), MerkleTree.Path(leaves, proof.GetProperty("index").GetInt32()));
        }
    }

    [Fact]
    public void Proofs_verify_exactly_when_the_vectors_say_so()
    {
        var count = 0;
        foreach (var p in File.GetProperty("proofs").EnumerateArray())
        {
            var path = p.GetProperty("path").EnumerateArray().Select(Hex).ToList();
            Assert.Equal(
                p.GetProperty("valid").GetBoolean(),
                MerkleTree.Verify(
                    Hex(p.GetProperty("root")),
                    p.GetProperty("count").GetUInt32(),
                    Hex(p.GetProperty("leaf")),
                    p.GetProperty("index").GetUInt32(),
                    path));
            count++;
        }
        Assert.Equal(File.GetProperty("total").GetInt32(), count);
    }

    private static byte[] Hex(JsonElement hex) => Convert.FromHexString(hex.GetString()![2..]);
}
