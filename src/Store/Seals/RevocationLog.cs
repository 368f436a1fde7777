using System.Text;

namespace PmrGateway.Store;

/// <summary>
/// The revocations that this gateway has acknowledged, in a file beside the database, a sealed line each: a database that is restored
/// from a backup does not know of those that came after it, and the chain may not either, where it was out of reach then. Only what
/// permitted is here: that a denial was ended may be forgotten, and it denies again.
/// </summary>
/// <remarks>A line is the commitment and its seal, both in hex. One that was cut off was never acknowledged.</remarks>
internal sealed class RevocationLog(string path, RowSeals seals)
{
    private const string Table = "revocations";
    private readonly Lock _turn = new();
    private readonly List<string> _waiting = [];
    private bool _isFolderSynced;

    /// <summary>Why revocations cannot be kept; null: they can, as far as is known. Asked again where they could not.</summary>
    public Exception? Failure
    {
        get
        {
            try
            {
                Append([]);
                return null;
            }
            catch (StoreUnavailableException e)
            {
                return e;
            }
        }
    }

    /// <summary>
    /// Keeps revocations that are done: they are durable when this returns, with those that could not be kept before. One that is here
    /// already may be kept again.
    /// </summary>
    /// <exception cref="StoreUnavailableException">They are not kept; the next call tries them too.</exception>
    public void Append(IReadOnlyCollection<string> commitments)
    {
        lock (_turn)
        {
            _waiting.AddRange(commitments.Except(_waiting));
            if (_waiting.Count == 0) return;
            var lines = string.Concat(_waiting.Select(c => $"{c} {Convert.ToHexStringLower(seals.Of(Row(c)))}\n"));
            try
            {
                using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
                var isCutOff = file.Length > 0 && file.Seek(-1, SeekOrigin.End) >= 0 && file.ReadByte() != '\n';
                file.Seek(0, SeekOrigin.End);
                file.Write(Encoding.ASCII.GetBytes(isCutOff ? "\n" + lines : lines));
                file.Flush();
                Fsync.File(file.SafeFileHandle);
                if (!_isFolderSynced) Fsync.Folder(Path.GetDirectoryName(Path.GetFullPath(path))!);
                _isFolderSynced = true;
                _waiting.Clear();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new StoreUnavailableException($"a revocation cannot be written to {path}", e);
            }
        }
    }

    /// <summary>The commitments; a line that is not what was sealed is noted, and gives nothing.</summary>
    public IEnumerable<string> Read()
    {
        if (!File.Exists(path)) yield break;
        var number = 0;
        foreach (var line in File.ReadLines(path, Encoding.ASCII))
        {
            number++;
            if (line.Split(' ') is [{ Length: 64 } commitment, { Length: > 0 } seal] && IsHex(seal)
                && seals.Check(Row(commitment), Convert.FromHexString(seal), Table, $"line {number}"))
                yield return commitment;
        }
    }

    private static bool IsHex(string text) => text.Length % 2 == 0 && text.All(char.IsAsciiHexDigit);

    private static RowBytes Row(string commitment) => RowBytes.Of(Table).Text(commitment);
}
