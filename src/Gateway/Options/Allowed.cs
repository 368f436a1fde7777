using System.Globalization;
using System.Net;

namespace PmrGateway.Gateway.Options;

/// <summary>Checks of single settings.</summary>
internal static class Allowed
{
    /// <summary>What is wrong with a duration; null: nothing.</summary>
    public static string? Between(string key, TimeSpan value, TimeSpan from, TimeSpan to) =>
        value >= from && value <= to ? null : $"{key} is {Text(value)}: {Text(from)} to {Text(to)}";

    /// <summary>What is wrong with a number; null: nothing.</summary>
    public static string? Between(string key, long value, long from, long to) =>
        value >= from && value <= to ? null : $"{key} is {value}: {from} to {to}";

    /// <summary>The network that a text names, of one address or in CIDR; null: none.</summary>
    public static IPNetwork? NetworkOf(string text) => IPNetwork.TryParse(text, out var network) ? network
        : IPAddress.TryParse(text, out var address) ? new IPNetwork(address, address.GetAddressBytes().Length * 8)
        : null;

    /// <summary>Whether a text is an http or https URL.</summary>
    public static bool IsHttp(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is ("http" or "https");

    private static string Text(TimeSpan value) => value.ToString("c", CultureInfo.InvariantCulture);
}
