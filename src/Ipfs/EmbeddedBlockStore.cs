using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;

namespace PmrGateway.Ipfs;

/// <summary>
/// Blocks in append-only pack files of one folder: <c>00000001.pack</c>, ... A record is the 4 bytes "PMRB", the CID (36 bytes), the
/// payload length (u32 little-endian), the CRC-32 of those 44 bytes (u32 little-endian), then the payload. Nothing is overwritten
/// or cut off: a torn tail left by a crash is passed over at the next start by looking for the next record header, and new
/// records go into a new pack.
/// </summary>
public sealed class EmbeddedBlockStore : IBlockStore, IDisposable
{
    private const int HeaderSize = 48;
    private const int MaxBlock = 2 << 20;
    private const long PackLimit = 1L << 30;
    private static readonly byte[] Magic = "PMRB"u8.ToArray();

    private readonly string _folder;
    private readonly ConcurrentDictionary<Cid, (SafeFileHandle Pack, long Offset, int Length)> _index = new();
    private readonly List<SafeFileHandle> _packs = [];
    private readonly Lock _append = new();
    private readonly SemaphoreSlim _sync = new(1, 1);
    private long _length;
    private long _written;
    private long _synced;
    private bool _poisoned;

    private EmbeddedBlockStore(string folder) => _folder = folder;

    /// <summary>Number of blocks held.</summary>
    public int Count => _index.Count;

    /// <summary>Opens the store in a folder, making it when it is not there, and reads the headers of all packs.</summary>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static EmbeddedBlockStore Open(string folder)
    {
        Directory.CreateDirectory(folder);
        var store = new EmbeddedBlockStore(folder);
        var files = Directory.GetFiles(folder, "*.pack").Order(StringComparer.Ordinal).ToList();
        var isWhole = files.Count > 0;
        foreach (var file in files) isWhole = store.Scan(store.AddPack(file), isLast: file == files[^1]);
        // Nothing is appended behind a torn record: its header would claim the bytes of the next one as its payload.
        if (!isWhole) store.StartPack();
        store._length = RandomAccess.GetLength(store._packs[^1]);
        return store;
    }

    /// <inheritdoc/>
    public async Task PutAsync(IReadOnlyList<Block> blocks, IReadOnlyList<Cid> roots, CancellationToken cancellation)
    {
        long mine;
        try
        {
            lock (_append)
            {
                if (_poisoned) throw new IOException("an earlier write to the block store failed; restart the gateway once the disk is well");
                foreach (var block in blocks) Append(block);
                mine = _written;
            }
            // One fsync serves everyone who wrote before it began.
            await _sync.WaitAsync(cancellation);
            try
            {
                if (_synced < mine) SyncAll();
            }
            finally
            {
                _sync.Release();
            }
        }
        catch (IOException e)
        {
            _poisoned = true;
            throw new BlockStoreUnavailableException($"the block store in {_folder} cannot be written", e);
        }
    }

    /// <inheritdoc/>
    public Task<byte[]?> GetAsync(Cid cid, CancellationToken cancellation)
    {
        if (!_index.TryGetValue(cid, out var at)) return Task.FromResult<byte[]?>(null);
        var bytes = new byte[at.Length];
        var read = 0;
        while (read < bytes.Length)
        {
            var n = RandomAccess.Read(at.Pack, bytes.AsSpan(read), at.Offset + read);
            if (n == 0) break;
            read += n;
        }
        return Task.FromResult<byte[]?>(read == bytes.Length ? bytes : bytes[..read]);
    }

    /// <summary>Closes the pack files.</summary>
    public void Dispose()
    {
        foreach (var pack in _packs) pack.Dispose();
        _sync.Dispose();
    }

    private void Append(Block block)
    {
        if (block.Bytes.Length > MaxBlock) throw new ArgumentException($"a block has at most {MaxBlock} bytes, not {block.Bytes.Length}");
        if (_index.ContainsKey(block.Cid)) return;
        if (_length >= PackLimit) StartPack();
        Span<byte> header = stackalloc byte[HeaderSize];
        Magic.CopyTo(header);
        block.Cid.ToBytes().CopyTo(header[4..]);
        BinaryPrimitives.WriteInt32LittleEndian(header[40..], block.Bytes.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[44..], Crc32.HashToUInt32(header[..44]));
        var pack = _packs[^1];
        RandomAccess.Write(pack, header, _length);
        RandomAccess.Write(pack, block.Bytes.Span, _length + HeaderSize);
        _index[block.Cid] = (pack, _length + HeaderSize, block.Bytes.Length);
        _length += HeaderSize + block.Bytes.Length;
        _written++;
    }

    private void SyncAll()
    {
        long upTo;
        SafeFileHandle pack;
        lock (_append) (upTo, pack) = (_written, _packs[^1]);
        Fsync.File(pack);
        _synced = upTo;
    }

    private void StartPack()
    {
        // The full pack is synced here, since SyncAll looks at the last one only.
        if (_packs.Count > 0) Fsync.File(_packs[^1]);
        AddPack(Path.Combine(_folder, $"{_packs.Count + 1:D8}.pack"));
        Fsync.Folder(_folder);
        _length = 0;
    }

    private SafeFileHandle AddPack(string file)
    {
        var pack = File.OpenHandle(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        _packs.Add(pack);
        return pack;
    }

    /// <summary>Indexes a pack; whether it ends with a whole record. In the last pack, which a crash may have torn, payloads are hashed too.</summary>
    private bool Scan(SafeFileHandle pack, bool isLast)
    {
        var length = RandomAccess.GetLength(pack);
        Span<byte> header = stackalloc byte[HeaderSize];
        var isWhole = true;
        long at = 0;
        while (at + HeaderSize <= length)
        {
            RandomAccess.Read(pack, header, at);
            if (TryReadHeader(header, out var cid, out var size) && at + HeaderSize + size <= length && (!isLast || IsIntact(pack, cid!, at + HeaderSize, size)))
            {
                // A later record of the same block wins: it was put again because the earlier one was not whole.
                _index[cid!] = (pack, at + HeaderSize, size);
                at += HeaderSize + size;
            }
            else
            {
                isWhole = false;
                at = NextMagic(pack, at + 1, length);
            }
        }
        return isWhole && at == length;
    }

    private static bool IsIntact(SafeFileHandle pack, Cid cid, long offset, int size)
    {
        var bytes = new byte[size];
        return RandomAccess.Read(pack, bytes, offset) == size && cid.Matches(bytes);
    }

    private static bool TryReadHeader(ReadOnlySpan<byte> header, out Cid? cid, out int size)
    {
        (cid, size) = (null, BinaryPrimitives.ReadInt32LittleEndian(header[40..]));
        return header.StartsWith(Magic)
            && BinaryPrimitives.ReadUInt32LittleEndian(header[44..]) == Crc32.HashToUInt32(header[..44])
            && Cid.TryRead(header[4..40], out cid)
            && size is >= 0 and <= MaxBlock;
    }

    private static long NextMagic(SafeFileHandle pack, long from, long length)
    {
        var window = new byte[64 * 1024];
        while (from + HeaderSize <= length)
        {
            var n = RandomAccess.Read(pack, window, from);
            var found = window.AsSpan(0, n).IndexOf(Magic);
            if (found >= 0) return from + found;
            if (n < Magic.Length) break;
            from += n - Magic.Length + 1;
        }
        return length;
    }
}
