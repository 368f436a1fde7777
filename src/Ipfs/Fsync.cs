using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PmrGateway;

/// <summary>
/// fsync(2) that says when it failed. <c>FileStream.Flush(true)</c> and <c>RandomAccess.FlushToDisk</c> of .NET 10 swallow EIO, and a
/// write acknowledged after a failed fsync is lost. Source file shared by the projects that write files of their own.
/// </summary>
internal static partial class Fsync
{
    /// <summary>Makes a file's bytes durable.</summary>
    /// <exception cref="IOException">The kernel could not write them; the file must not be written further.</exception>
    public static void File(SafeFileHandle file)
    {
        if (fsync(file) != 0) throw new IOException("fsync failed", new Win32Exception(Marshal.GetLastPInvokeError()));
    }

    /// <summary>Makes a file's name durable: a new or renamed file survives power loss only once its folder is synced.</summary>
    /// <exception cref="IOException">The folder cannot be opened or synced.</exception>
    public static void Folder(string path)
    {
        var fd = open(path, 0);
        if (fd < 0) throw new IOException($"cannot open the folder {path}", new Win32Exception(Marshal.GetLastPInvokeError()));
        using var handle = new SafeFileHandle(fd, ownsHandle: true);
        File(handle);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(SafeFileHandle fd);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);
}
