using System.IO.Pipelines;
using System.Security.Cryptography;
using PmrGateway.Gateway.Content;
using PmrGateway.Ipfs;
using PmrGateway.Mapping;
using PmrGateway.Vault;

namespace PmrGateway.Tests.Unit.Gateway;

public sealed class ContentStoreTests : IDisposable
{
    private const int First = (1 << 20) - 56;
    private const int Next = (1 << 20) - 16;
    private readonly TemporaryFolder _folder = new();
    private readonly EmbeddedBlockStore _blocks;
    private readonly RecordVault _vault;
    private readonly SubjectKey _key;
    private readonly ContentStore _content;

    public ContentStoreTests()
    {
        _blocks = EmbeddedBlockStore.Open(_folder["blocks"]);
        _vault = new RecordVault(Keyring.Create(_folder["keyring.json"]));
        _key = _vault.UnwrapSubjectKey("Patient/p", _vault.NewSubjectKey("Patient/p"));
        _content = new ContentStore(new UnixFs(_blocks), _vault);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(First)]
    [InlineData(First + 1)]
    [InlineData(First + Next)]
    [InlineData(5_000_000)]
    public async Task What_streams_in_streams_out_again(int size)
    {
        var plaintext = RandomNumberGenerator.GetBytes(size);
        var content = await SealAsync(plaintext);
        Assert.Equal(size, content.Size);
        Assert.Equal(size, await _content.SizeAsync(content with { Size = null }, default));
        Assert.Equal(plaintext, await OpenAsync(content, null));
        Assert.Equal(plaintext, await OpenAsync(content with { Size = null }, null));
        Assert.Equal(SHA256.HashData(plaintext), content.Key.PlaintextDigest);
    }

    [Fact]
    public async Task A_body_that_streams_has_the_CID_of_the_same_body_sealed_whole()
    {
        var content = await SealAsync(new byte[2_500_000]);
        var sealedBody = await new UnixFs(_blocks).ReadAllAsync(content.Root, default);
        using var folder = new TemporaryFolder();
        using var other = EmbeddedBlockStore.Open(folder.Path);
        Assert.Equal(content.Root, await new UnixFs(other).AddAsync(sealedBody, default));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 3_000_000)]
    [InlineData(5, 10)]
    [InlineData(First - 1, First + 1)]
    [InlineData(First, First + Next)]
    [InlineData(First + 7, First + Next + 9)]
    [InlineData(2_999_999, 3_000_000)]
    public async Task A_range_is_those_bytes(int from, int to)
    {
        var plaintext = RandomNumberGenerator.GetBytes(3_000_000);
        var content = await SealAsync(plaintext);
        Assert.Equal(plaintext[from..to], await OpenAsync(content, new ByteRange(from, to)));
    }

    [Fact]
    public async Task A_body_longer_than_the_limit_is_not_taken()
    {
        var pipe = PipeReader.Create(new MemoryStream(new byte[100_001]));
        Assert.Null(await _content.Begin().SealAsync(pipe, new SealContext("Binary", "b", 1), 100_000, new ResourceCopy(0), default));
    }

    [Fact]
    public async Task A_body_with_a_wrong_size_digest_or_root_gives_nothing_that_was_not_sealed_there()
    {
        var content = await SealAsync(new byte[2_500_000]);
        var other = await SealAsync(new byte[2_500_000]);
        await Assert.ThrowsAsync<SealBrokenException>(() => OpenAsync(content with { Root = other.Root }, null));
        await Assert.ThrowsAsync<SealBrokenException>(() => OpenAsync(content with { Size = 1_500_000 }, null));
        await Assert.ThrowsAsync<SealBrokenException>(() => OpenAsync(content with { Size = 3_500_000 }, null));
        var broken = content with { Key = content.Key with { PlaintextDigest = new byte[32] } };
        var given = 0L;
        await Assert.ThrowsAsync<SealBrokenException>(async () =>
        {
            await foreach (var piece in _content.OpenAsync(Permit(1), broken, _key, null, default)) given += piece.Length;
        });
        Assert.Equal(First + Next, given);
        await Assert.ThrowsAsync<SealBrokenException>(async () =>
        {
            await foreach (var _ in _content.OpenAsync(Permit(2), content, _key, null, default)) { }
        });
    }

    [Fact]
    public async Task A_large_body_takes_no_memory_of_its_size()
    {
        await SealAsync(new byte[3_000_000]);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var zeros = new byte[1 << 16];
        var upload = _content.Begin();
        using var writer = upload.Write(new SealContext("Binary", "b", 1));
        for (var i = 0; i < 64 * 16; i++) await writer.WriteAsync(zeros, default);
        var content = (await writer.CompleteAsync(default)).For(_key);
        await upload.CommitAsync(default);
        await foreach (var _ in _content.OpenAsync(Permit(1), content, _key, null, default)) { }
        Assert.Equal(64 << 20, content.Size);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
    }

    public void Dispose()
    {
        _blocks.Dispose();
        _folder.Dispose();
    }

    private static Permit Permit(long version) => new(new RecordFacts("Binary", "b", "", [], []), version, PermitBasis.Author, [], 0);

    private async Task<SealedContent> SealAsync(byte[] plaintext)
    {
        var upload = _content.Begin();
        var pipe = PipeReader.Create(new MemoryStream(plaintext));
        var streamed = await upload.SealAsync(pipe, new SealContext("Binary", "b", 1), long.MaxValue, new ResourceCopy(0), default);
        await upload.CommitAsync(default);
        return streamed!.For(_key);
    }

    private async Task<byte[]> OpenAsync(SealedContent content, ByteRange? range)
    {
        using var all = new MemoryStream();
        await foreach (var piece in _content.OpenAsync(Permit(1), content, _key, range, default)) all.Write(piece.Span);
        return all.ToArray();
    }
}
