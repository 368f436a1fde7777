namespace PmrGateway.Gateway.Hosting;

/// <summary>
/// One process on a data folder: two would write one database and one chain, and lose what the other keeps. An open file that nobody else
/// can open; it ends with the process, however that ends.
/// </summary>
internal sealed class DataFolderLock : IDisposable
{
    private readonly FileStream _file;

    private DataFolderLock(FileStream file) => _file = file;

    /// <summary>Takes the folder, which is made when missing.</summary>
    /// <exception cref="DataFolderInUseException">Another gateway has it.</exception>
    public static DataFolderLock Take(string folder)
    {
        Directory.CreateDirectory(folder);
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

    /// <summary>Gives the folder back. The file stays: removed, it could be taken twice.</summary>
    public void Dispose() => _file.Dispose();
}

/// <summary>Another gateway runs on the data folder.</summary>
public sealed class DataFolderInUseException(string message, Exception inner) : IOException(message, inner);
