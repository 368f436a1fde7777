using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace PmrGateway.Vault;

/// <summary>
/// The master key, in a JSON file of mode 0600: <c>{"format":"pmr-keyring/1","masterKey":"base64"}</c>. Whoever has this file and the
/// stores can read everything; whoever has the stores without it can read nothing.
/// </summary>
public sealed class Keyring
{
    private const string Format = "pmr-keyring/1";

    private Keyring(byte[] masterKey) => MasterKey = masterKey;

    internal byte[] MasterKey { get; }

    /// <summary>Opens the keyring, making it durably on first start.</summary>
    /// <exception cref="KeyringException">Others may read the file, or it is no keyring: the gateway must not start.</exception>
    public static Keyring OpenOrCreate(string path)
    {
        if (!File.Exists(path)) Create(path);
        if ((File.GetUnixFileMode(path) & ~(UnixFileMode.UserRead | UnixFileMode.UserWrite)) != 0)
            throw new KeyringException($"the keyring {path} may be read or written by others: its mode must be 0600 (chmod 600)");
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            if (json.RootElement.GetProperty("format").GetString() != Format) throw new KeyringException($"the keyring {path} is not of format {Format}");
            var key = json.RootElement.GetProperty("masterKey").GetBytesFromBase64();
            return key.Length == Primitives.KeySize ? new Keyring(key) : throw new KeyringException($"the master key in {path} has {key.Length} bytes, not {Primitives.KeySize}");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new KeyringException($"{path} is not a keyring: restore it from its backup; without it no record can be read", e);
        }
    }

    /// <summary>32 bytes derived from the master key for one purpose, e.g. a signing key. The same label gives the same bytes.</summary>
    public byte[] Derive(string label) => Primitives.Derive(MasterKey, label);

    private static void Create(string path)
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
            SafeFileHandle handle = file.SafeFileHandle;
            Fsync.File(handle);
        }
        File.Move(temporary, path);
        Fsync.Folder(folder);
    }
}

/// <summary>A keyring that the gateway must not start with.</summary>
public sealed class KeyringException(string message, Exception? cause = null) : Exception(message, cause);
