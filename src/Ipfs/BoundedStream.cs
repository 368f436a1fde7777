namespace PmrGateway.Ipfs;

/// <summary>Another's answer, read up to a bound: a peer that sends on without end is an error, not memory.</summary>
/// <exception cref="IOException">More than the bound was sent.</exception>
internal sealed class BoundedStream(Stream inner, long bound) : Stream
{
    private long _read;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => _read; set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Count(await inner.ReadAsync(buffer, cancellationToken));

    public override int Read(byte[] buffer, int offset, int count) => Count(inner.Read(buffer, offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private int Count(int n) => (_read += n) <= bound ? n : throw new IOException($"the answer is longer than {bound} bytes");
}
