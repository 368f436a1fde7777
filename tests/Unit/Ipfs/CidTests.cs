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
            data.Add(v.GetProperty("profile").GetString()!, v.GetProperty("seed").GetString()!, v.GetProperty("size").GetInt64(), v.GetProperty("cid").GetString()!);
        return data;
    }

    [Fact]
    public void There_are_41_vectors() => Assert.Equal(41, KuboVectors().Count);

    [Theory]
    [MemberData(nameof(KuboVectors))]
    public void The_builder_computes_the_CID_that_Kubo_computes(string profile, string seed, long size, string cid)
    {
        var builder = new UnixFsBuilder(Profile(profile), _ => { });
        var cipher = new ChaCha7539Engine();
        cipher.Init(true, new ParametersWithIV(new KeyParameter(SHA256.HashData(Encoding.UTF8.GetBytes(seed))), new byte[12]));
        var (zeros, bytes) = (new byte[1 << 16], new byte[1 << 16]);
        for (var left = size; left > 0;)
        {
            var n = (int)Math.Min(left, bytes.Length);
            cipher.ProcessBytes(zeros, 0, n, bytes, 0);
            builder.Write(bytes.AsSpan(0, n));
            left -= n;
        }
        Assert.Equal(cid, builder.Complete().Root.ToString());
    }

    [Fact]
    public void A_CID_has_one_text()
    {
        var text = Cid.Of("x"u8).ToString();
        Assert.True(Cid.TryParse(text, out var cid));
        Assert.Equal(text, cid!.ToString());
        foreach (var other in new[] { text.ToUpperInvariant(), text + "=", " " + text, text[..^1], text[..^1] + "b", "", "b", "Qm", "zzzz" })
            Assert.False(Cid.TryParse(other, out _), other);
    }

    [Fact]
    public void A_CIDv0_reads_back()
    {
        const string Text = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH";
        Assert.True(Cid.TryParse(Text, out var cid));
        Assert.Equal((0, Cid.DagPb, Text), (cid!.Version, cid.Codec, cid.ToString()));
    }

    private static UnixFsProfile Profile(string name) => name switch
    {
        "unixfs-v1-2025" => UnixFsProfile.V1_2025,
        "unixfs-v0-2015" => UnixFsProfile.V0_2015,
        "kubo-cidv1-rawleaves" => UnixFsProfile.KuboCidV1RawLeaves,
        _ => throw new ArgumentException(name),
    };
}
