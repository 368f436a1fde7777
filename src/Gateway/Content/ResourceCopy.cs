using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Content;

/// <summary>
/// Keeps a copy of content that streams by, for as long as it may be a resource (<see cref="EnclosedResource"/>): what that says of itself
/// is read once it is whole. Of all else nothing is kept.
/// </summary>
/// <param name="limit">Bytes, at most; of longer content nothing is kept.</param>
internal sealed class ResourceCopy(long limit)
{
    // As many as a byte order mark has, and one more.
    private const int Beginning = 4;
    private readonly MemoryStream _bytes = new();
    private bool _isDropped;
    private bool _isLikely;

    /// <summary>The bytes so far; null: they are too many, or begin like nothing that is read.</summary>
    public ReadOnlyMemory<byte>? Bytes =>
        _isDropped || EnclosedResource.MayBeginWith(_bytes.GetBuffer().AsSpan(0, (int)_bytes.Length)) != true
            ? null
            : _bytes.GetBuffer().AsMemory(0, (int)_bytes.Length);

    /// <summary>Whether it is a resource that is too long to be read.</summary>
    public bool IsUnread { get; private set; }

    /// <summary>Takes the next bytes.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        if (_isDropped) return;
        if (_bytes.Length + bytes.Length > limit)
        {
            IsUnread = EnclosedResource.IsMarked(_bytes.GetBuffer().AsSpan(0, (int)_bytes.Length));
            Drop();
            return;
        }
        _bytes.Write(bytes);
        if (_isLikely || _bytes.Length < Beginning) return;
        if (EnclosedResource.MayBeginWith(_bytes.GetBuffer().AsSpan(0, (int)_bytes.Length)) is not { } likely) return;
        _isLikely = likely;
        if (!likely) Drop();
    }

    private void Drop()
    {
        _isDropped = true;
        _bytes.SetLength(0);
        _bytes.Capacity = 0;
    }
}
