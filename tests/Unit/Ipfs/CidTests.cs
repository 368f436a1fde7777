using System.Security.Cryptography;
using System.Text;
using Org.BouncyCastle.Crypto.Engines;
using Org.BouncyCastle.Crypto.Parameters;
using PmrGateway.Ipfs;

namespace PmrGateway.Tests.Unit.Ipfs;

public class CidTests
{
    public static TheoryData<string, string, long, string> KuboVectors()
    {
        var data = new TheoryData<string, string, long, string>();
        foreach (var v in Vectors.Read("cid.json").GetProperty("vectors").EnumerateArray())
            data.Add(
                v.GetProperty("profile").GetString()!, v.GetProperty("seed").GetString()!,
                v.GetProperty("size").GetInt64(), v.GetProperty("cid").GetString()!);
        return data;
    }

    [Fact]
    public void There_are_26_vectors() => Assert.Equal(26, KuboVectors().Count);

    [Theory]
    [MemberData(nameof(KuboVectors))]
    public void The_builder_computes_the_CID_that_Kubo_computes(string profile, string seed, long size, string cid)
    {
        var (leafSize, maxLinks) = Profile(profile);
        var tree = new UnixFsBuilder(_ => { }, maxLinks);
        var cipher = new ChaCha7539Engine();
        cipher.Init(true, new ParametersWithIV(new KeyParameter(SHA256.HashData(Encoding.UTF8.GetBytes(seed))), new byte[12]));
        var (zeros, bytes) = (new byte[leafSize], new byte[leafSize]);
        var left = size;
        do
        {
            var n = (int)Math.Min(left, leafSize);
            cipher.ProcessBytes(zeros, 0, n, bytes, 0);
            tree.AddLeaf(Cid.Of(bytes.AsSpan(0, n)), n);
            left -= n;
        }
        while (left > 0);
        Assert.Equal(cid, tree.Complete().ToString());
    }

    [Fact]
    public void A_CID_has_one_text()
    {
        var text = Cid.Of("x"u8).ToString();
        Assert.True(Cid.TryParse(text, out var cid));
        Assert.Equal(text, cid!.ToString());
        string[] others = [text.ToUpperInvariant(), text + "=", " " + text, text[..^1], text[..^1] + "b", "", "b", "Qm", "zzzz"];
        foreach (var other in others)
            Assert.False(Cid.TryParse(other, out _), other);
    }

    [Fact]
    public void A_CIDv0_is_no_CID_here() => Assert.False(Cid.TryParse("QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", out _));

    private static (int LeafSize, int MaxLinks) Profile(string name) => name switch
    {
        "unixfs-v1-2025" => (UnixFsBuilder.LeafSize, 1024),
        // Not what the gateway writes, but the same tree with lower rows: three levels within megabytes.
        "kubo-cidv1-rawleaves" => (1 << 18, 174),
        _ => throw new ArgumentException(name),
    };
}
