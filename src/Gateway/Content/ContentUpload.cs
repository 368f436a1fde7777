using System.IO.Pipelines;
using PmrGateway.Ipfs;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Content;

/// <summary>
/// The bodies of one request on their way into the block store. A request that is refused is simply dropped: what it left there is sealed
/// under keys that nobody has.
/// </summary>
public sealed class ContentUpload(IBlockBatch batch, RecordVault vault)
{
    private readonly List<Cid> _roots = [];

    /// <summary>Seals a body from the socket to the blocks; null where it is longer than the limit.</summary>
    /// <param name="plaintext">The body.</param>
    /// <param name="context">As what it is sealed.</param>
    /// <param name="limit">Bytes, at most.</param>
    /// <param name="copy">Keeps it besides where it may be a resource.</param>
    /// <param name="cancellation">Stops the upload.</param>
    /// <exception cref="BlockStoreUnavailableException">The blocks cannot be written.</exception>
    internal async Task<StreamedContent?> SealAsync(
        PipeReader plaintext, SealContext context, long limit, ResourceCopy copy, CancellationToken cancellation)
    {
        using var writer = Write(context);
        while (true)
        {
            var read = await plaintext.ReadAsync(cancellation);
            foreach (var part in read.Buffer)
            {
                copy.Add(part.Span);
                await writer.WriteAsync(part, cancellation);
            }
            plaintext.AdvanceTo(read.Buffer.End);
            if (writer.Size > limit) return null;
            if (read.IsCompleted) return await writer.CompleteAsync(cancellation);
        }
    }

    /// <summary>Seals bytes that are in memory already, e.g. a small attachment.</summary>
    /// <exception cref="BlockStoreUnavailableException">The blocks cannot be written.</exception>
    public async Task<StreamedContent> SealAsync(ReadOnlyMemory<byte> plaintext, SealContext context, CancellationToken cancellation)
    {
        using var writer = Write(context with { SizeHint = plaintext.Length });
        await writer.WriteAsync(plaintext, cancellation);
        return await writer.CompleteAsync(cancellation);
    }

    /// <summary>Begins a body that is pushed piece by piece.</summary>
    public ContentWriter Write(SealContext context) =>
        new(vault.BeginSeal(context.Type, context.Id, context.Version, context.SizeHint), new UnixFsWriter(batch), _roots.Add);

    /// <summary>Makes all completed bodies durable. To be called before anything that points to them is committed.</summary>
    /// <exception cref="BlockStoreUnavailableException">Nothing may be assumed stored.</exception>
    public async Task CommitAsync(CancellationToken cancellation)
    {
        if (_roots.Count == 0) return;
        await batch.CommitAsync(_roots, cancellation);
        // The entries of a batch share one upload: the next commits its own alone.
        _roots.Clear();
    }
}

/// <summary>One body on its way: plaintext in, sealed segments out as leaves. About one segment in memory.</summary>
public sealed class ContentWriter(BodySealer sealer, UnixFsWriter file, Action<Cid> completed) : IDisposable
{
    /// <summary>Bytes of plaintext so far.</summary>
    public long Size => sealer.Size;

    /// <summary>Takes plaintext.</summary>
    /// <exception cref="BlockStoreUnavailableException">The blocks cannot be written.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> plaintext, CancellationToken cancellation)
    {
        while (true)
        {
            plaintext = plaintext[sealer.Fill(plaintext.Span)..];
            if (plaintext.Length == 0) return;
            await file.AddLeafAsync(sealer.SealFull(), cancellation);
        }
    }

    /// <summary>Ends the body.</summary>
    /// <exception cref="BlockStoreUnavailableException">The blocks cannot be written.</exception>
    public async Task<StreamedContent> CompleteAsync(CancellationToken cancellation)
    {
        await file.AddLeafAsync(sealer.SealLast(), cancellation);
        var root = await file.CompleteAsync(cancellation);
        completed(root);
        return new StreamedContent(root, sealer);
    }

    /// <summary>Gives the buffer back.</summary>
    public void Dispose() => sealer.Dispose();
}

/// <summary>A body whose blocks are on their way and whose key waits for the subject that it will be wrapped for.</summary>
public sealed class StreamedContent
{
    private readonly BodySealer _sealer;

    internal StreamedContent(Cid root, BodySealer sealer) => (Root, _sealer) = (root, sealer);

    /// <summary>The root of its IPFS file.</summary>
    public Cid Root { get; }

    /// <summary>Bytes of plaintext.</summary>
    public long Size => _sealer.Size;

    /// <summary>The content as one of a subject's records.</summary>
    public SealedContent For(SubjectKey subject) => new(Root, _sealer.Wrap(subject), Size);
}
