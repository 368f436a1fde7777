using Microsoft.Win32.SafeHandles;

namespace PmrGateway.Ipfs;

/// <summary>
/// The file operations of <see cref="EmbeddedBlockStore"/> that can fail on a full or broken disk; a test puts its own in their place.
/// </summary>
internal class PackFiles
{
    public virtual SafeFileHandle Create(string path)
    {
        var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            // The file's name must survive power loss before anything in it is acknowledged.
            Fsync.Folder(Path.GetDirectoryName(path)!);
            return file;
        }
        catch (IOException)
        {
            file.Dispose();
            throw;
        }
    }

    public virtual void Write(SafeFileHandle file, ReadOnlySpan<byte> bytes, long offset) => RandomAccess.Write(file, bytes, offset);

    public virtual void Cut(SafeFileHandle file, long length) => RandomAccess.SetLength(file, length);

    public virtual void Sync(SafeFileHandle file) => Fsync.File(file);
}
