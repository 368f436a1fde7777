using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using OpenIddict.EntityFrameworkCore.Models;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// Seals the rows of clients and users with the key of the records' rows: who can write the database and has not the keyring makes nobody
/// a client or a user, and nobody another one. A row whose seal does not hold is as if it were not there.
/// </summary>
internal sealed class AuthSeals(RecordDatabase database)
{
    private const string Clients = "OpenIddictApplications";
    private const string Users = "Users";
    private const string Seal = "pmr_seal";
    private const string Done = "clients and users sealed";

    /// <summary>Seals a client as it is now.</summary>
    public void Put(OpenIddictEntityFrameworkCoreApplication client)
    {
        var properties = PropertiesOf(client);
        properties[Seal] = Convert.ToBase64String(database.SealOf(RowOf(client, properties)));
        client.Properties = properties.ToJsonString();
    }

    /// <summary>Seals a user as it is now.</summary>
    public void Put(AuthUser user) => user.Seal = database.SealOf(RowOf(user));

    /// <summary>Whether a client is as it was sealed; where it is not, that is noted and told.</summary>
    public bool Holds(OpenIddictEntityFrameworkCoreApplication client)
    {
        try
        {
            var properties = PropertiesOf(client);
            return database.IsWhole(RowOf(client, properties), SealOf(properties), Clients, $"{client.ClientId}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            // Not what the gateway writes: it holds under no seal.
            return database.IsWhole(RowBytes.Of(Clients), null, Clients, $"{client.ClientId}");
        }
    }

    /// <summary>Whether a user is as it was sealed; where it is not, that is noted and told.</summary>
    public bool Holds(AuthUser user) => database.IsWhole(RowOf(user), user.Seal, Users, user.Id);

    /// <summary>Notes that a client was deleted.</summary>
    public void Forget(OpenIddictEntityFrameworkCoreApplication client) => database.NoteGone(Clients, $"{client.ClientId}");

    /// <summary>Notes that a user was deleted.</summary>
    public void Forget(AuthUser user) => database.NoteGone(Users, user.Id);

    /// <summary>
    /// Seals, once, the clients and users from before there were seals. A note under the key, beside the one of the records' rows, says
    /// that it was done.
    /// </summary>
    /// <returns>How many there were.</returns>
    /// <exception cref="StoreStartException">It was done, and the note of it was taken out or changed.</exception>
    public async Task<long> PutAllOnceAsync(AuthDatabase auth, CancellationToken cancellation)
    {
        // A value that nobody makes without the key.
        var note = Convert.ToHexStringLower(database.SealOf(RowBytes.Of("deployment").Text(Done)));
        if (await database.DeploymentFactAsync(Done, cancellation) is { } kept) return kept == note ? 0 : throw Changed();
        var clients = await auth.Set<OpenIddictEntityFrameworkCoreApplication>().ToListAsync(cancellation);
        var users = await auth.Users.ToListAsync(cancellation);
        if (clients.Exists(HasSeal) || users.Exists(u => u.Seal is not null))
        {
            // All of them, when a start was ended between the seals and the note; else who took the note out wants rows sealed as they are.
            if (!clients.TrueForAll(Holds) || !users.TrueForAll(Holds)) throw Changed();
            clients.Clear();
            users.Clear();
        }
        else if (database.RowsAreSealed && clients.Count + users.Count > 0) throw Changed();
        clients.ForEach(Put);
        users.ForEach(Put);
        await auth.SaveChangesAsync(cancellation);
        await database.KeepDeploymentFactAsync(Done, note);
        return clients.Count + users.Count;
    }

    private static StoreStartException Changed() => new(
        "the database says no longer that its clients and users were sealed, but they were: it was changed by others; "
            + "restore it from its backup");

    private static bool HasSeal(OpenIddictEntityFrameworkCoreApplication client) =>
        client.Properties?.Contains(Seal, StringComparison.Ordinal) == true;

    private static JsonObject PropertiesOf(OpenIddictEntityFrameworkCoreApplication client) =>
        string.IsNullOrEmpty(client.Properties) ? []
        : JsonNode.Parse(client.Properties) as JsonObject ?? throw new JsonException();

    private static byte[]? SealOf(JsonObject properties)
    {
        var seal = new byte[64];
        return properties[Seal] is JsonValue value && value.TryGetValue(out string? text)
            && Convert.TryFromBase64String(text, seal, out var length)
            ? seal[..length]
            : null;
    }

    // All that OpenIddict goes by: also what we never set, since it would count if others set it.
    private static RowBytes RowOf(OpenIddictEntityFrameworkCoreApplication client, JsonObject properties)
    {
        var row = RowBytes.Of(Clients).Text(client.ClientId).Text(client.ClientType).Text(client.ClientSecret)
            .Text(client.ApplicationType).Text(client.ConsentType).Text(client.JsonWebKeySet).Text(client.Permissions)
            .Text(client.Requirements).Text(client.RedirectUris).Text(client.PostLogoutRedirectUris).Text(client.Settings);
        foreach (var (name, value) in properties.Where(p => p.Key != Seal).OrderBy(p => p.Key, StringComparer.Ordinal))
            row.Text(name).Text(value?.ToJsonString());
        return row;
    }

    private static RowBytes RowOf(AuthUser user) => RowBytes.Of(Users).Text(user.Id).Text(user.PasswordHash).Text(user.FhirUser);
}
