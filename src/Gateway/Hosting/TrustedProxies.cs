using Microsoft.AspNetCore.HttpOverrides;
using PmrGateway.Gateway.Options;

namespace PmrGateway.Gateway.Hosting;

/// <summary>The client's address where a proxy stands before the gateway.</summary>
internal static class TrustedProxies
{
    /// <summary>Takes the word of these on who the client is; of none: the address is that of who connects.</summary>
    public static void UseTrustedProxies(this IApplicationBuilder app, IReadOnlyList<string> proxies)
    {
        if (proxies.Count == 0) return;
        // Through a row of them, as far as each is trusted.
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var proxy in proxies) options.KnownIPNetworks.Add(Allowed.NetworkOf(proxy)!.Value);
        app.UseForwardedHeaders(options);
    }
}
