using System.Security.Cryptography;
using System.Text;
using PmrGateway.Gateway.Content;

namespace PmrGateway.Tests.Unit.Gateway;

public class BodyStreamTests
{
    [Theory]
    [InlineData("bytes=0-0", 0, 1)]
    [InlineData("bytes=0-99", 0, 100)]
    [InlineData("bytes=10-", 10, 100)]
    [InlineData("bytes=99-99", 99, 100)]
    [InlineData("bytes=90-1000", 90, 100)]
    [InlineData("bytes=-1", 99, 100)]
    [InlineData("bytes=-100", 0, 100)]
    [InlineData("bytes=-1000", 0, 100)]
    public void A_range_of_bytes_is_served(string header, long from, long to)
    {
        Assert.True(RangeHeader.TryRead(header, false, 100, out var part));
        Assert.Equal(new ByteRange(from, to), part);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("bytes=0-1,5-6")]
    [InlineData("lines=0-1")]
    [InlineData("bytes=5-1")]
    [InlineData("bytes=x-y")]
    [InlineData("bytes")]
    [InlineData("bytes=99999999999999999999-")]
    public void What_is_no_single_range_of_bytes_gets_the_whole(string? header)
    {
        Assert.True(RangeHeader.TryRead(header, false, 100, out var part));
        Assert.Null(part);
    }

    [Theory]
    [InlineData("bytes=100-", 100)]
    [InlineData("bytes=100-200", 100)]
    [InlineData("bytes=-0", 100)]
    [InlineData("bytes=0-", 0)]
    [InlineData("bytes=0-5", 0)]
    [InlineData("bytes=-5", 0)]
    public void A_range_without_a_byte_of_the_body_cannot_be_satisfied(string header, long size) =>
        Assert.False(RangeHeader.TryRead(header, false, size, out _));

    [Fact]
    public void Under_If_Range_the_whole_is_given()
    {
        Assert.True(RangeHeader.TryRead("bytes=0-1", true, 100, out var part));
        Assert.Null(part);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(48 << 10, 1000)]
    [InlineData((48 << 10) + 1, 7)]
    [InlineData(300_000, 1 << 20)]
    [InlineData(300_001, 65_536)]
    public async Task Base64_in_pieces_is_the_base64_of_the_whole(int size, int pieces)
    {
        var bytes = RandomNumberGenerator.GetBytes(size);
        using var all = new MemoryStream();
        await foreach (var piece in BodyStream.InBase64("<"u8.ToArray(), Pieces(bytes, pieces), bytes.Length, ">"u8.ToArray(), default))
            all.Write(piece.Span);
        Assert.Equal("<" + Convert.ToBase64String(bytes) + ">", Encoding.ASCII.GetString(all.ToArray()));
        Assert.Equal(all.Length, BodyStream.Base64Length(size, 2));
    }

    [Fact]
    public async Task What_cannot_be_read_at_all_is_known_before_anything_is_written_and_the_source_is_closed()
    {
        var closed = false;
        await Assert.ThrowsAsync<IOException>(() => BodyStream.OpenAsync(Failing(0), default));
        Assert.True(closed);
        closed = false;
        await using var body = await BodyStream.OpenAsync(Failing(1), default);
        using var to = new MemoryStream();
        await Assert.ThrowsAsync<IOException>(() => body.WriteAsync(to, default));
        Assert.Equal(3, to.Length);
        Assert.True(closed);

        async IAsyncEnumerable<ReadOnlyMemory<byte>> Failing(int after)
        {
            try
            {
                for (var i = 0; i < after; i++) yield return new byte[3];
                await Task.Yield();
                throw new IOException("gone");
            }
            finally
            {
                closed = true;
            }
        }
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> Pieces(byte[] bytes, int size)
    {
        foreach (var piece in bytes.Chunk(size))
        {
            await Task.Yield();
            yield return piece;
        }
    }
}
