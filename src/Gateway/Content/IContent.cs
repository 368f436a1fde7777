using PmrGateway.Mapping;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Content;

/// <summary>Bodies of any size, in and out one segment at a time: what flows through here is never held whole.</summary>
public interface IContent
{
    /// <summary>Begins the bodies of one request. They become durable together.</summary>
    ContentUpload Begin();

    /// <summary>How many bytes a body opens to. Opens nothing.</summary>
    /// <exception cref="Ipfs.BlockStoreUnavailableException">The store cannot say.</exception>
    /// <exception cref="Ipfs.BlockCorruptException">The root block is missing or is not what its CID names.</exception>
    ValueTask<long> SizeAsync(SealedContent content, CancellationToken cancellation);

    /// <summary>
    /// Opens a body, or the segments that hold a range of it, piece by piece. A piece is there only until the next is asked for. A whole
    /// body is checked against the digest that was committed to before its last piece is given; a range cannot be, its segments alone
    /// are.
    /// </summary>
    /// <param name="permit">Leave to open this version.</param>
    /// <param name="content">The sealed bytes.</param>
    /// <param name="subject">Whose key opens them.</param>
    /// <param name="range">Which bytes; null for all.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <exception cref="SealBrokenException">Something is not what was sealed: what was given so far was, and nothing more is.</exception>
    /// <exception cref="Ipfs.BlockStoreUnavailableException">The store cannot say.</exception>
    /// <exception cref="Ipfs.BlockCorruptException">A block is missing or is not what its CID names.</exception>
    IAsyncEnumerable<ReadOnlyMemory<byte>> OpenAsync(
        Permit permit, SealedContent content, SubjectKey subject, ByteRange? range, CancellationToken cancellation);
}
