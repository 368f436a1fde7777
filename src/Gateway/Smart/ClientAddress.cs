using System.Net;

namespace PmrGateway.Gateway.Smart;

/// <summary>The network address of a client.</summary>
internal static class ClientAddress
{
    /// <summary>Of a request; null: it came over no network.</summary>
    public static string? Of(HttpContext context) => context.Connection.RemoteIpAddress is not { } address ? null
        : (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();

    /// <summary>What counts as one client: of IPv6 the network of one customer, who has all its addresses.</summary>
    public static string NetworkOf(HttpContext context)
    {
        if (context.Connection.RemoteIpAddress is not { } address) return "";
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        var bytes = address.GetAddressBytes();
        if (bytes.Length == 16) bytes.AsSpan(8).Clear();
        return new IPAddress(bytes).ToString();
    }
}
