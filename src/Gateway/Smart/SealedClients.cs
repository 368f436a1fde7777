using Microsoft.Extensions.Options;
using OpenIddict.Abstractions;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore.Models;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// The clients as OpenIddict and the endpoints ask for them: written with a seal, and found only where it holds. Whatever rests on a
/// client (its keys, type, redirects, scopes) comes through here, so that none is believed that the gateway did not write.
/// </summary>
internal sealed class SealedClients(
    IOpenIddictApplicationCache<OpenIddictEntityFrameworkCoreApplication> cache,
    ILogger<OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>> log,
    IOptionsMonitor<OpenIddictCoreOptions> options,
    IOpenIddictApplicationStore<OpenIddictEntityFrameworkCoreApplication> store,
    AuthSeals seals) : OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>(cache, log, options, store)
{
    public override async ValueTask<OpenIddictEntityFrameworkCoreApplication?> FindByClientIdAsync(
        string identifier, CancellationToken cancellationToken = default) =>
        Whole(await base.FindByClientIdAsync(identifier, cancellationToken));

    public override async ValueTask<OpenIddictEntityFrameworkCoreApplication?> FindByIdAsync(
        string identifier, CancellationToken cancellationToken = default) =>
        Whole(await base.FindByIdAsync(identifier, cancellationToken));

    public override ValueTask CreateAsync(
        OpenIddictEntityFrameworkCoreApplication application, string? secret, CancellationToken cancellationToken = default)
    {
        seals.Put(application);
        return base.CreateAsync(application, secret, cancellationToken);
    }

    public override ValueTask UpdateAsync(
        OpenIddictEntityFrameworkCoreApplication application, CancellationToken cancellationToken = default)
    {
        // Only one that was found is changed: a broken one is none.
        seals.Put(application);
        return base.UpdateAsync(application, cancellationToken);
    }

    public override async ValueTask DeleteAsync(
        OpenIddictEntityFrameworkCoreApplication application, CancellationToken cancellationToken = default)
    {
        await base.DeleteAsync(application, cancellationToken);
        seals.Forget(application);
    }

    private OpenIddictEntityFrameworkCoreApplication? Whole(OpenIddictEntityFrameworkCoreApplication? client) =>
        client is not null && seals.Holds(client) ? client : null;
}
