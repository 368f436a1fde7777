namespace PmrGateway.Gateway.Hosting;

/// <summary>
/// One process on a data folder: two would write one database and one chain, and lose what the other keeps. An open file that nobody else
/// can open; it ends with the process, however that ends.
/// </summary>
internal sealed partial class DataFolderLock : IDisposable
{
    private const UnixFileMode OwnersAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly FileStream _file;

    private DataFolderLock(FileStream file) => _file = file;

    /// <summary>
    /// Takes the folder, which is made when missing. It is its owner's alone, with all that is in it: databases, blocks and the chain's
    /// state are made with whatever rights the process gives.
    /// </summary>
    /// <param name="folder">The data folder.</param>
    /// <param name="log">Told where it was open to others.</param>
    /// <exception cref="DataFolderInUseException">Another gateway has it.</exception>
    /// <exception cref="IOException">Others may look into it, and that cannot be changed.</exception>
    public static DataFolderLock Take(string folder, ILogger log)
    {
        if (Directory.Exists(folder)) Narrow(folder, log);
        else Directory.CreateDirectory(folder, OwnersAlone);
        try
        {
            return new DataFolderLock(new FileStream(
                Path.Combine(folder, "gateway.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException))
        {
            throw new DataFolderInUseException(
                $"the data folder {Path.GetFullPath(folder)} is in use: another gateway runs on it (DataFolder, --data)", e);
        }
    }

    private static void Narrow(string folder, ILogger log)
    {
        if ((File.GetUnixFileMode(folder) & ~OwnersAlone) == 0) return;
        var path = Path.GetFullPath(folder);
        try
        {
            File.SetUnixFileMode(folder, OwnersAlone);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"the data folder {path} is open to others and not ours to close: its mode must be 0700 (chmod 700)", e);
        }
        LogNarrowed(log, path);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The data folder {Folder} was open to others: its mode is 0700 now")]
    private static partial void LogNarrowed(ILogger log, string folder);

    /// <summary>Gives the folder back. The file stays: removed, it could be taken twice.</summary>
    public void Dispose() => _file.Dispose();
}

/// <summary>Another gateway runs on the data folder.</summary>
public sealed class DataFolderInUseException(string message, Exception inner) : IOException(message, inner);
