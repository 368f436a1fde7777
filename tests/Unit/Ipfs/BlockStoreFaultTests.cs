using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using PmrGateway.Ipfs;

namespace PmrGateway.Tests.Unit.Ipfs;

/// <summary>The embedded store on a disk that is full, fails, or lost what it had not synced.</summary>
public sealed class BlockStoreFaultTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FaultyFiles _disk = new();

    [Fact]
    public async Task After_a_full_disk_the_store_takes_blocks_again_by_itself_and_loses_none()
    {
        using var store = EmbeddedBlockStore.Open(_folder.Path, _disk);
        var files = new UnixFs(store);
        var before = await files.AddAsync(Bytes(1), default);
        _disk.RoomLeft = 70_000;
        await Assert.ThrowsAsync<BlockStoreUnavailableException>(() => files.AddAsync(Bytes(2), default));
        Assert.Equal(-1, await store.ReadAsync(Cid.Of(Bytes(2)), new byte[1 << 20], default));
        _disk.RoomLeft = long.MaxValue;
        var after = await files.AddAsync(Bytes(2), default);
        Assert.Single(Packs());
        foreach (var reopened in new[] { false, true })
        {
            using var again = reopened ? Reopened(store) : null;
            Assert.Equal(Bytes(1), await new UnixFs(again ?? store).ReadAllAsync(before, default));
            Assert.Equal(Bytes(2), await new UnixFs(again ?? store).ReadAllAsync(after, default));
        }
    }

    [Fact]
    public async Task A_torn_record_that_cannot_be_cut_off_starts_a_new_pack()
    {
        using var store = EmbeddedBlockStore.Open(_folder.Path, _disk);
        var files = new UnixFs(store);
        var before = await files.AddAsync(Bytes(1), default);
        _disk.BreakPack = true;
        await Assert.ThrowsAsync<BlockStoreUnavailableException>(() => files.AddAsync(Bytes(2), default));
        _disk.BreakPack = false;
        var after = await files.AddAsync(Bytes(2), default);
        Assert.Equal(2, Packs().Length);
        Assert.Equal(Bytes(2), await files.ReadAllAsync(after, default));
        using var again = Reopened(store);
        Assert.Equal(Bytes(1), await new UnixFs(again).ReadAllAsync(before, default));
        Assert.Equal(Bytes(2), await new UnixFs(again).ReadAllAsync(after, default));
    }

    [Fact]
    public async Task Nobody_who_waited_for_a_failed_fsync_is_told_that_the_blocks_are_stored()
    {
        using var store = EmbeddedBlockStore.Open(_folder.Path, _disk);
        await new UnixFs(store).AddAsync(Bytes(0), default);
        using var entered = new SemaphoreSlim(0);
        using var go = new SemaphoreSlim(0);
        _disk.OnSync = () =>
        {
            entered.Release();
            go.Wait();
            throw new IOException("EIO");
        };
        var first = Task.Run(() => new UnixFs(store).AddAsync(Bytes(1), default));
        await entered.WaitAsync();
        // Written while the fsync runs: the kernel reports the loss to that one call and to none after it.
        var waiters = Enumerable.Range(2, 5).Select(i => Task.Run(() => new UnixFs(store).AddAsync(Bytes(i), default))).ToList();
        while (store.Count < 7) await Task.Delay(5);
        // One puts the very block that is about to be lost.
        var same = store.Begin();
        await same.PutAsync(new Block(Cid.Of(Bytes(1)), Bytes(1)), default);
        waiters.Add(Task.Run(async () =>
        {
            await same.CommitAsync([], default);
            return Cid.Of(Bytes(1));
        }));
        _disk.OnSync = () => { };
        go.Release(1);
        foreach (var waiter in waiters.Append(first)) await Assert.ThrowsAsync<BlockStoreUnavailableException>(() => waiter);
        Assert.Equal(1, store.Count);

        foreach (var i in Enumerable.Range(1, 6)) await new UnixFs(store).AddAsync(Bytes(i), default);
        using var again = Reopened(store);
        foreach (var i in Enumerable.Range(0, 7)) Assert.Equal(Bytes(i), await new UnixFs(again).ReadAllAsync(Cid.Of(Bytes(i)), default));
    }

    [Fact]
    public async Task A_disk_that_fails_every_fsync_leaves_no_heap_of_packs()
    {
        using var store = EmbeddedBlockStore.Open(_folder.Path, _disk);
        _disk.OnSync = () => throw new IOException("EIO");
        for (var i = 0; i < 20; i++)
            await Assert.ThrowsAsync<BlockStoreUnavailableException>(() => new UnixFs(store).AddAsync(Bytes(1), default));
        Assert.InRange(Packs().Length, 0, 1);
        _disk.OnSync = () => { };
        var root = await new UnixFs(store).AddAsync(Bytes(1), default);
        Assert.Equal(Bytes(1), await new UnixFs(store).ReadAllAsync(root, default));
    }

    [Fact]
    public async Task A_group_of_writers_shares_fsyncs()
    {
        using var store = EmbeddedBlockStore.Open(_folder.Path, _disk);
        _disk.OnSync = () => Thread.Sleep(20);
        var files = new UnixFs(store);
        // A thread each: the pool may have two, and then two at most wait for one fsync.
        await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Factory.StartNew(
            () => files.AddAsync(BitConverter.GetBytes(i), default).GetAwaiter().GetResult(), default, TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));
        Assert.InRange(_disk.Syncs, 1, 32);
    }

    [Fact]
    public async Task What_an_index_tells_of_is_not_read_again_and_what_it_does_not_is_hashed()
    {
        using (var store = EmbeddedBlockStore.Open(_folder.Path)) await new UnixFs(store).AddAsync(Bytes(1), default);
        var pack = Packs().Single();
        // A record that lost its payload in a power cut, behind what the index tells of.
        using (var lost = EmbeddedBlockStore.Open(_folder.Path)) await new UnixFs(lost).AddAsync(Bytes(2), default);
        File.Delete(Path.ChangeExtension(pack, ".index"));
        var bytes = await File.ReadAllBytesAsync(pack);
        bytes.AsSpan(^1000..).Clear();
        await File.WriteAllBytesAsync(pack, bytes);
        for (var start = 0; start < 3; start++)
        {
            using var store = EmbeddedBlockStore.Open(_folder.Path);
            Assert.Equal(1, store.Count);
            Assert.Equal(-1, await store.ReadAsync(Cid.Of(Bytes(2)), new byte[1 << 20], default));
        }
        using (var store = EmbeddedBlockStore.Open(_folder.Path)) await new UnixFs(store).AddAsync(Bytes(2), default);
        using var again = EmbeddedBlockStore.Open(_folder.Path);
        Assert.Equal(Bytes(2), await new UnixFs(again).ReadAllAsync(Cid.Of(Bytes(2)), default));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(19)]
    [InlineData(-1)]
    [InlineData(-30)]
    public async Task An_index_that_is_torn_or_changed_is_passed_over(int at)
    {
        using (var store = EmbeddedBlockStore.Open(_folder.Path))
            for (var i = 0; i < 3; i++) await new UnixFs(store).AddAsync(Bytes(i), default);
        var index = Directory.GetFiles(_folder.Path, "*.index").Single();
        var bytes = await File.ReadAllBytesAsync(index);
        bytes[at >= 0 ? at : bytes.Length + at] ^= 4;
        foreach (var broken in new[] { bytes, bytes[..^5], [.. bytes, 1, 2, 3] })
        {
            await File.WriteAllBytesAsync(index, broken);
            for (var start = 0; start < 2; start++)
            {
                using var store = EmbeddedBlockStore.Open(_folder.Path);
                for (var i = 0; i < 3; i++) Assert.Equal(Bytes(i), await new UnixFs(store).ReadAllAsync(Cid.Of(Bytes(i)), default));
            }
        }
    }

    [Fact]
    public async Task What_a_killed_process_left_in_the_page_cache_is_synced_before_it_counts_as_stored()
    {
        using (var store = EmbeddedBlockStore.Open(_folder.Path))
        {
            await new UnixFs(store).AddAsync(Bytes(1), default);
            // Put and never committed: as after a kill, it lies in the pack and no index tells of it.
            await store.Begin().PutAsync(new Block(Cid.Of(Bytes(2)), Bytes(2)), default);
        }
        using var again = EmbeddedBlockStore.Open(_folder.Path, _disk);
        Assert.Equal(1, _disk.Syncs);
        Assert.Equal(2, again.Count);
    }

    [Fact]
    public async Task A_start_with_two_hundred_thousand_blocks_takes_no_two_seconds()
    {
        using (var store = EmbeddedBlockStore.Open(_folder.Path))
        {
            var batch = store.Begin();
            for (var i = 0; i < 200_000; i++)
            {
                var bytes = BitConverter.GetBytes(i);
                await batch.PutAsync(new Block(Cid.Of(bytes), bytes), default);
            }
            await batch.CommitAsync([], default);
        }
        var clock = Stopwatch.StartNew();
        using var again = EmbeddedBlockStore.Open(_folder.Path);
        Assert.Equal(200_000, again.Count);
        Assert.InRange(clock.ElapsedMilliseconds, 0, 2000);
    }

    public void Dispose() => _folder.Dispose();

    private static byte[] Bytes(int seed)
    {
        var bytes = new byte[100_000];
        for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)((i * 31) ^ (i >> 8) ^ seed);
        return bytes;
    }

    private string[] Packs() => Directory.GetFiles(_folder.Path, "*.pack");

    private EmbeddedBlockStore Reopened(EmbeddedBlockStore store)
    {
        store.Dispose();
        return EmbeddedBlockStore.Open(_folder.Path);
    }

    private sealed class FaultyFiles : PackFiles
    {
        public long RoomLeft { get; set; } = long.MaxValue;

        public bool BreakPack { get; set; }

        public Action OnSync { get; set; } = () => { };

        public int Syncs { get; private set; }

        public override void Write(SafeFileHandle file, ReadOnlySpan<byte> bytes, long offset)
        {
            if (BreakPack)
            {
                base.Write(file, bytes[..(bytes.Length / 2)], offset);
                throw new IOException("EIO");
            }
            if (bytes.Length > RoomLeft)
            {
                base.Write(file, bytes[..(int)RoomLeft], offset);
                RoomLeft = 0;
                throw new IOException("ENOSPC");
            }
            base.Write(file, bytes, offset);
            if (RoomLeft != long.MaxValue) RoomLeft -= bytes.Length;
        }

        public override void Cut(SafeFileHandle file, long length)
        {
            if (BreakPack) throw new IOException("EIO");
            base.Cut(file, length);
        }

        public override void Sync(SafeFileHandle file)
        {
            Syncs++;
            OnSync();
            base.Sync(file);
        }
    }
}
