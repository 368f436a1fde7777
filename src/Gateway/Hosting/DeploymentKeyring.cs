using PmrGateway.Gateway.Options;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Hosting;

/// <summary>The keyring that belongs to the data: without it nothing could be opened, and with another what is written could not.</summary>
internal static class DeploymentKeyring
{
    private const string Check = "keyring check";

    /// <summary>The file of the keyring.</summary>
    public static string PathOf(GatewayOptions options) =>
        options.KeyringFile.Length > 0 ? options.KeyringFile : Path.Combine(options.DataFolder, "keyring.json");

    /// <summary>Opens the keyring of a deployment, or makes that of a new one.</summary>
    /// <exception cref="KeyringException">It is missing, or it is that of another deployment: the gateway must not start.</exception>
    public static async Task<Keyring> OpenAsync(string path, RecordDatabase database, CancellationToken cancellation)
    {
        var kept = await database.DeploymentFactAsync(Check, cancellation);
        // A database of an earlier version has records and no check value yet.
        var isNew = kept is null && !await database.HasRecordsAsync(cancellation);
        var keyring = isNew && !File.Exists(path) ? Keyring.Create(path) : Keyring.Open(path);
        var check = Convert.ToHexStringLower(keyring.CheckValue);
        if (kept is null)
        {
            await MustOpenAsync(keyring, database, path, cancellation);
            kept = await database.KeepDeploymentFactAsync(Check, check);
        }
        return kept == check ? keyring : throw Foreign(path);
    }

    /// <summary>Opens the keyring of a deployment that is there already, for who looks at it beside its gateway.</summary>
    /// <exception cref="KeyringException">It is missing, or of another deployment, or no gateway has run on the database.</exception>
    public static async Task<Keyring> OpenExistingAsync(string path, RecordDatabase database, CancellationToken cancellation)
    {
        var kept = await database.DeploymentFactAsync(Check, cancellation)
            ?? throw new KeyringException("no gateway of this version has run on the database yet");
        var keyring = Keyring.Open(path);
        return kept == Convert.ToHexStringLower(keyring.CheckValue) ? keyring : throw Foreign(path);
    }

    // Before there was a check value, it is the subject keys that tell: they are wrapped by the master key.
    private static async Task MustOpenAsync(Keyring keyring, RecordDatabase database, string path, CancellationToken cancellation)
    {
        if (await database.AnySubjectKeyAsync(cancellation) is not { } key) return;
        try
        {
            new RecordVault(keyring).UnwrapSubjectKey(key.Subject, key.Wrapped);
        }
        catch (SealBrokenException)
        {
            throw Foreign(path);
        }
    }

    private static KeyringException Foreign(string path) =>
        new($"the keyring {path} is of another deployment than the database: restore the one that belongs to it");
}
