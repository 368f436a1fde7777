namespace PmrGateway.Vault;

/// <summary>Files of secrets: mode 0600, or they are not used.</summary>
public static class PrivateFile
{
    /// <summary>Stops where others than its owner may read or write a file.</summary>
    /// <param name="path">The file, which there is.</param>
    /// <param name="what">What it is, for the message.</param>
    /// <exception cref="KeyringException">They may: the gateway must not start.</exception>
    public static void Require(string path, string what)
    {
        if ((File.GetUnixFileMode(path) & ~(UnixFileMode.UserRead | UnixFileMode.UserWrite)) != 0)
            throw new KeyringException($"{what} {path} may be read or written by others: its mode must be 0600 (chmod 600)");
    }
}
