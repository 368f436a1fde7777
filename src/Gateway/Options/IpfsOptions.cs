namespace PmrGateway.Gateway.Options;

/// <summary>Section <c>Ipfs</c>.</summary>
public sealed class IpfsOptions
{
    internal const string Embedded = "embedded";
    internal const string Kubo = "kubo";

    /// <summary>embedded (default): pack files in the data folder; kubo: an IPFS node.</summary>
    public string Store { get; set; } = Embedded;

    /// <summary>URL of the node's RPC API. Default http://127.0.0.1:5001; used when Store is kubo.</summary>
    public string KuboUrl { get; set; } = "http://127.0.0.1:5001";

    internal string? Validate()
    {
        if (Store is not (Embedded or Kubo)) return $"Ipfs:Store is '{Store}': {Embedded} or {Kubo}";
        return Store == Embedded || Allowed.IsHttp(KuboUrl)
            ? null
            : $"Ipfs:KuboUrl is '{KuboUrl}': the URL of a Kubo RPC API, e.g. http://127.0.0.1:5001";
    }
}
