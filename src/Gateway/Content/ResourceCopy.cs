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
    private bool? _isLongXml;

    /// <summary>The bytes so far; null: they are too many, or begin like nothing that is read.</summary>
    public ReadOnlyMemory<byte>? Bytes =>
        _isDropped || _isLongXml is not null || EnclosedResource.MayBeginWith(Kept) != true
            ? null
            : _bytes.GetBuffer().AsMemory(0, (int)_bytes.Length);

    private ReadOnlySpan<byte> Kept => _bytes.GetBuffer().AsSpan(0, (int)_bytes.Length);

    /// <summary>Whether it is a resource that is too long to be read.</summary>
    public bool IsUnread { get; private set; }

    /// <summary>Takes the next bytes.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        if (_isDropped) return;
        if (_isLongXml is not null || _bytes.Length + bytes.Length > limit)
        {
            LookForMark(bytes);
            return;
        }
        _bytes.Write(bytes);
        if (_isLikely || _bytes.Length < Beginning) return;
        if (EnclosedResource.MayBeginWith(Kept) is not { } likely) return;
        _isLikely = likely;
        if (!likely) Drop();
    }

    // Too long to be kept: of what there is no more is kept than where a mark may be cut in two.
    private void LookForMark(ReadOnlySpan<byte> bytes)
    {
        _isLongXml ??= EnclosedResource.IsXml(Kept);
        _bytes.Write(bytes);
        IsUnread |= EnclosedResource.IsMarked(_isLongXml.Value, Kept);
        var tail = Kept[^Math.Min((int)_bytes.Length, EnclosedResource.LongestMark)..].ToArray();
        Empty();
        _bytes.Write(tail);
    }

    private void Drop()
    {
        _isDropped = true;
        Empty();
    }

    private void Empty()
    {
        _bytes.SetLength(0);
        _bytes.Capacity = 0;
    }
}
