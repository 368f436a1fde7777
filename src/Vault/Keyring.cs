using System.Text.Json;

namespace PmrGateway.Vault;

/// <summary>
/// The master key, in a JSON file of mode 0600: <c>{"format":"pmr-keyring/1","masterKey":"base64","rowsSealed":true}</c>. Whoever has this
/// file and the stores can read everything; whoever has the stores without it can read nothing.
/// </summary>
public sealed class Keyring
{
    private const string Format = "pmr-keyring/1";
    private const string Sealed = "rowsSealed";

    private Keyring(byte[] masterKey, bool rowsAreSealed) => (MasterKey, RowsAreSealed) = (masterKey, rowsAreSealed);

    /// <summary>
    /// Whether all rows of its database were sealed once. That stands here since who writes the database could say otherwise there, and
    /// have rows sealed as they left them. A keyring from before there were seals does not say it.
    /// </summary>
    public bool RowsAreSealed { get; }

    /// <summary>
    /// 32 bytes that tell this keyring from every other and nothing else of it. The database keeps them, so that a start with a foreign
    /// keyring is found before it writes what nobody could open.
    /// </summary>
    public byte[] CheckValue => Derive("check");

    internal byte[] MasterKey { get; }

    /// <summary>Opens a keyring that there is.</summary>
    /// <exception cref="KeyringException">
    /// There is none, others may read it, or it is no keyring: the gateway must not start. The message says what to do.
    /// </exception>
    public static Keyring Open(string path)
    {
        if (!File.Exists(path))
            throw new KeyringException($"the keyring {path} is missing: restore it from its backup; without it no record can be read");
        PrivateFile.Require(path, "the keyring");
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            if (json.RootElement.GetProperty("format").GetString() != Format)
                throw new KeyringException($"the keyring {path} is not of format {Format}");
            var key = json.RootElement.GetProperty("masterKey").GetBytesFromBase64();
            var rowsAreSealed = json.RootElement.TryGetProperty(Sealed, out var said) && said.GetBoolean();
            return key.Length == Primitives.KeySize
                ? new Keyring(key, rowsAreSealed)
                : throw new KeyringException($"the master key in {path} has {key.Length} bytes, not {Primitives.KeySize}");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new KeyringException($"{path} is not a keyring: restore it from its backup; without it no record can be read", e);
        }
    }

    /// <summary>
    /// Makes the keyring of a new deployment, durably. Only where there is no data yet: to what is there its own keyring belongs.
    /// </summary>
    /// <exception cref="KeyringException">There is one already: nothing was written.</exception>
    public static Keyring Create(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        try
        {
            Write(path, Primitives.Random(Primitives.KeySize), overwrite: false);
        }
        catch (IOException e) when (File.Exists(path))
        {
            throw new KeyringException($"there is a keyring at {path} already: it is kept", e);
        }
        return Open(path);
    }

    /// <summary>Notes in the file of a keyring from before there were seals that its rows are sealed now.</summary>
    /// <returns>Whether that could be written.</returns>
    public bool TryNoteSealedRows(string path)
    {
        try
        {
            Write(path, MasterKey, overwrite: true);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static void Write(string path, byte[] masterKey, bool overwrite)
    {
        var temporary = path + ".new";
        File.Delete(temporary);
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (var file = new FileStream(temporary, options))
        {
            JsonSerializer.Serialize(file, new { format = Format, masterKey, rowsSealed = true });
            file.Flush();
            Fsync.File(file.SafeFileHandle);
        }
        try
        {
            File.Move(temporary, path, overwrite);
        }
        finally
        {
            File.Delete(temporary);
        }
        Fsync.Folder(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>Stops where this is not the keyring that a deployment's data was sealed under.</summary>
    /// <param name="known">The <see cref="CheckValue"/> that the database keeps.</param>
    /// <param name="path">Where this keyring lies, for the message.</param>
    /// <exception cref="KeyringException">It is another's: the gateway must not start.</exception>
    public void MustBe(ReadOnlySpan<byte> known, string path)
    {
        if (!known.SequenceEqual(CheckValue))
            throw new KeyringException(
                $"the keyring {path} is not the one that this data was sealed under: "
                + "put that one there, or name the data folder of this one");
    }

    /// <summary>32 bytes derived from the master key for one purpose, e.g. a signing key. The same label gives the same bytes.</summary>
    public byte[] Derive(string label) => Primitives.Derive(MasterKey, label);
}

/// <summary>A keyring that the gateway must not start with.</summary>
public sealed class KeyringException(string message, Exception? cause = null) : Exception(message, cause);
