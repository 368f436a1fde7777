using System.Text.Json;

namespace PmrGateway.Vault;

/// <summary>
/// The master key, in a JSON file of mode 0600: <c>{"format":"pmr-keyring/1","masterKey":"base64"}</c>. Whoever has this file and the
/// stores can read everything; whoever has the stores without it can read nothing.
/// </summary>
public sealed class Keyring
{
    private const string Format = "pmr-keyring/1";

    private Keyring(byte[] masterKey) => MasterKey = masterKey;

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
            return key.Length == Primitives.KeySize
                ? new Keyring(key)
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
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        Directory.CreateDirectory(folder);
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
            JsonSerializer.Serialize(file, new { format = Format, masterKey = Primitives.Random(Primitives.KeySize) });
            file.Flush();
            Fsync.File(file.SafeFileHandle);
        }
        try
        {
            File.Move(temporary, path);
        }
        catch (IOException e)
        {
            File.Delete(temporary);
            throw new KeyringException($"there is a keyring at {path} already: it is kept", e);
        }
        Fsync.Folder(folder);
        return Open(path);
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
