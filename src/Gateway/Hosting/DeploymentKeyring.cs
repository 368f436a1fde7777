using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Hosting;

/// <summary>The keyring that belongs to the data: without it nothing could be opened, and with another what is written could not.</summary>
internal static class DeploymentKeyring
{
    private const string Check = "keyring check";

    /// <summary>Opens the keyring of a deployment, or makes that of a new one.</summary>
    /// <exception cref="KeyringException">It is missing, or it is that of another deployment: the gateway must not start.</exception>
    public static async Task<Keyring> OpenAsync(string path, RecordDatabase database, CancellationToken cancellation)
    {
        var kept = await database.DeploymentFactAsync(Check, cancellation);
        // A database of an earlier version has records and no check value yet.
        var isNew = kept is null && !await database.HasRecordsAsync(cancellation);
        var keyring = isNew && !File.Exists(path) ? Keyring.Create(path) : Keyring.Open(path);
        var check = Convert.ToHexStringLower(keyring.CheckValue);
        if (kept is null) kept = await database.KeepDeploymentFactAsync(Check, check);
        return kept == check
            ? keyring
            : throw new KeyringException($"the keyring {path} is of another deployment than the database: restore the one that belongs to it");
    }
}
