using System.Globalization;

namespace PmrGateway.Ipfs;

/// <summary>
/// Blocks in append-only pack files of one folder: <c>00000001.pack</c>, ... (<see cref="Pack"/>), each with an index beside it
/// (<see cref="PackIndex"/>). No record that was acknowledged is overwritten or cut off. A torn tail left by a crash is passed over at the
/// next start, and after a failed fsync too new records go into a new pack: the next put tries again by itself.
/// </summary>
/// <remarks>
/// What power loss can do: everything behind a pack's last fsync may be gone or torn, and nothing there was acknowledged. At start, bytes
/// that no index tells of are hashed, and synced before anything is told to be stored because it lies there.
/// </remarks>
public sealed class EmbeddedBlockStore : IBlockStore, IDisposable
{
    private const long PackLimit = 1L << 30;
    private const int IndexEveryRecords = 4096;
    private const long IndexEveryBytes = 16 << 20;

    private readonly string _folder;
    private readonly PackFiles _files;
    private readonly Dictionary<BlockKey, ulong> _places = [];
    private readonly Dictionary<int, Pack> _packs = [];
    private readonly Lock _lock = new();
    private readonly byte[] _record = new byte[Pack.HeaderSize + (64 << 10)];
    private Pack? _current;
    private int _lastNumber;

    private EmbeddedBlockStore(string folder, PackFiles files) => (_folder, _files) = (folder, files);

    /// <summary>Number of blocks held.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _places.Count;
        }
    }

    /// <summary>Opens the store in a folder, making it when it is not there.</summary>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static EmbeddedBlockStore Open(string folder) => Open(folder, new PackFiles());

    internal static EmbeddedBlockStore Open(string folder, PackFiles files)
    {
        Directory.CreateDirectory(folder);
        var store = new EmbeddedBlockStore(Path.GetFullPath(folder), files);
        var isWhole = false;
        foreach (var path in Directory.GetFiles(store._folder, "*.pack").Order(StringComparer.Ordinal)) isWhole = store.Load(path);
        // Nothing is appended behind a torn record: its header would claim the bytes of the next one as its payload.
        if (isWhole) store._current = store._packs[store._lastNumber];
        else store.StartPack();
        return store;
    }

    /// <inheritdoc/>
    public IBlockBatch Begin() => new Batch(this);

    /// <inheritdoc/>
    public ValueTask<int> ReadAsync(Cid cid, Memory<byte> into, CancellationToken cancellation)
    {
        Pack pack;
        ulong place;
        lock (_lock)
        {
            if (!_places.TryGetValue(BlockKey.Of(cid), out place)) return ValueTask.FromResult(-1);
            pack = _packs[PackOf(place)];
        }
        try
        {
            return ValueTask.FromResult(pack.Read(cid, OffsetOf(place), into.Span));
        }
        catch (ObjectDisposedException)
        {
            // A pack of which nothing became durable was dropped between the look-up and here.
            return ValueTask.FromResult(-1);
        }
        catch (IOException e)
        {
            throw new BlockStoreUnavailableException($"the block store in {_folder} cannot be read", e);
        }
    }

    /// <summary>Closes the pack files, and notes what they hold for a fast start.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var pack in _packs.Values)
            {
                Note(pack);
                pack.Dispose();
            }
            _packs.Clear();
            _places.Clear();
            _current = null;
        }
    }

    private static int PackOf(ulong place) => (int)(place >> 32);

    private static uint OffsetOf(ulong place) => (uint)place;

    private bool Load(string path)
    {
        var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        var pack = new Pack(int.Parse(Path.GetFileNameWithoutExtension(path), CultureInfo.InvariantCulture), path, file)
        {
            Length = RandomAccess.GetLength(file),
        };
        _packs[pack.Number] = pack;
        _lastNumber = pack.Number;
        pack.Indexed = PackIndex.Load(pack.IndexPath, pack.Length, (key, offset) => _places[key] = PlaceOf(pack, offset));
        pack.Synced = pack.Indexed;
        if (pack.Indexed == pack.Length) return true;

        var isWhole = pack.Scan(pack.Indexed);
        // A later record of the same block wins: it was put again because the earlier one was not whole.
        foreach (var (key, offset) in pack.Unindexed) _places[key] = PlaceOf(pack, offset);
        // What the kernel still holds of a killed process is whole to us and may not be on the disk.
        _files.Sync(pack.File);
        pack.Synced = pack.Length;
        Note(pack);
        return isWhole;
    }

    private static ulong PlaceOf(Pack pack, uint offset) => ((ulong)pack.Number << 32) | offset;

    // Under the lock. Gives the pack in which the block lies and the offset that must be durable before it is.
    private (Pack Pack, long UpTo) Append(Block block)
    {
        if (block.Bytes.Length > Pack.MaxBlock)
            throw new ArgumentException($"a block has at most {Pack.MaxBlock} bytes, not {block.Bytes.Length}", nameof(block));
        var key = BlockKey.Of(block.Cid);
        // Another writer's block counts only once it is durable: the offset behind its first byte is, when all of it is.
        if (_places.TryGetValue(key, out var place)) return (_packs[PackOf(place)], OffsetOf(place) + 1L);
        if (_current is null || _current.Length >= PackLimit) StartPack();
        var pack = _current!;
        var offset = pack.Length;
        try
        {
            WriteRecord(pack, block);
        }
        catch (IOException)
        {
            DropTornRecord(pack);
            throw;
        }
        pack.Length += Pack.HeaderSize + block.Bytes.Length;
        pack.Unindexed.Add((key, (uint)offset));
        _places[key] = PlaceOf(pack, (uint)offset);
        return (pack, pack.Length);
    }

    private void WriteRecord(Pack pack, Block block)
    {
        Pack.WriteHeader(_record, block);
        var inOne = Math.Min(block.Bytes.Length, _record.Length - Pack.HeaderSize);
        block.Bytes.Span[..inOne].CopyTo(_record.AsSpan(Pack.HeaderSize));
        _files.Write(pack.File, _record.AsSpan(0, Pack.HeaderSize + inOne), pack.Length);
        if (inOne < block.Bytes.Length) _files.Write(pack.File, block.Bytes.Span[inOne..], pack.Length + Pack.HeaderSize + inOne);
    }

    // The disk is full, most likely. The earlier records of this pack are whole and can still be synced by their writers.
    private void DropTornRecord(Pack pack)
    {
        try
        {
            _files.Cut(pack.File, pack.Length);
        }
        catch (IOException)
        {
            _current = null;
        }
    }

    private void StartPack()
    {
        var path = Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{_lastNumber + 1:D8}.pack"));
        // Left by a creation that failed after the file was there: nothing in it was acknowledged.
        File.Delete(path);
        _current = new Pack(_lastNumber + 1, path, _files.Create(path));
        _packs[_current.Number] = _current;
        _lastNumber = _current.Number;
    }

    private async Task SyncAsync(Pack pack, long upTo, CancellationToken cancellation)
    {
        // One fsync serves everyone who wrote before it began.
        await pack.Turn.WaitAsync(cancellation);
        try
        {
            long end;
            lock (_lock)
            {
                if (pack.Synced >= upTo) return;
                // Read again after the wait: the fsync that was waited for may be the one that failed, and the kernel reports a loss once.
                if (pack.IsFailed) throw new IOException($"an earlier fsync of {pack.Path} failed");
                end = pack.Length;
            }
            Sync(pack, end);
        }
        finally
        {
            pack.Turn.Release();
        }
    }

    private void Sync(Pack pack, long end)
    {
        try
        {
            _files.Sync(pack.File);
        }
        catch (IOException)
        {
            lock (_lock) GiveUp(pack);
            throw;
        }
        lock (_lock)
        {
            pack.Synced = end;
            if (pack.Unindexed.Count >= IndexEveryRecords || end - pack.Indexed >= IndexEveryBytes || pack != _current) Note(pack);
        }
    }

    // Under the lock. What is durable stays readable; the rest was never acknowledged, and to whom it was promised is told by SyncAsync.
    private void GiveUp(Pack pack)
    {
        pack.IsFailed = true;
        if (_current == pack) _current = null;
        foreach (var (key, offset) in pack.Unindexed)
            if (offset >= pack.Synced) _places.Remove(key);
        pack.Unindexed.RemoveAll(r => r.Offset >= pack.Synced);
        if (pack.Synced > 0) return;
        // A disk that fails every fsync must not fill the folder with packs that hold nothing.
        _packs.Remove(pack.Number);
        pack.File.Dispose();
        File.Delete(pack.Path);
    }

    // Under the lock. The index is for a fast start only: where it cannot be written, the next start hashes instead.
    private static void Note(Pack pack)
    {
        if (pack.Synced <= pack.Indexed) return;
        var durable = pack.Unindexed.FindAll(r => r.Offset < pack.Synced);
        pack.Unindexed.RemoveRange(0, durable.Count);
        if (!pack.IsIndexable) return;
        try
        {
            PackIndex.Append(pack.IndexPath, durable, pack.Synced);
            pack.Indexed = pack.Synced;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            pack.IsIndexable = false;
        }
    }

    private sealed class Batch(EmbeddedBlockStore store) : IBlockBatch
    {
        private readonly Dictionary<Pack, long> _needed = [];

        public ValueTask PutAsync(Block block, CancellationToken cancellation)
        {
            try
            {
                lock (store._lock)
                {
                    var (pack, upTo) = store.Append(block);
                    if (_needed.GetValueOrDefault(pack) < upTo) _needed[pack] = upTo;
                }
                return ValueTask.CompletedTask;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw store.Unavailable(e);
            }
        }

        public async Task CommitAsync(IReadOnlyList<Cid> roots, CancellationToken cancellation)
        {
            try
            {
                foreach (var (pack, upTo) in _needed) await store.SyncAsync(pack, upTo, cancellation);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw store.Unavailable(e);
            }
        }
    }

    private BlockStoreUnavailableException Unavailable(Exception cause) => new($"the block store in {_folder} cannot be written", cause);
}
