namespace PmrGateway.LedgerAdapter;

/// <summary>Section <c>Ledger</c> of the configuration.</summary>
public sealed class LedgerOptions
{
    /// <summary>JSON-RPC URL of an EVM node. Empty (default): the gateway starts a development chain of its own.</summary>
    public string RpcUrl { get; set; } = "";

    /// <summary>
    /// JSON-RPC URLs of more nodes of the chain (<c>Ledger:WitnessUrls:0</c> and so on): what they do not all have is not believed, and
    /// where one is away reads stop when the view is too old. Empty (default): the one of <see cref="RpcUrl"/> is believed as far as
    /// hashes prove what it says.
    /// </summary>
    public List<string> WitnessUrls { get; set; } = [];

    /// <summary>EIP-155 chain id; the gateway refuses a node of another chain. Default 1337.</summary>
    public long ChainId { get; set; } = 1337;

    /// <summary>Path of the anvil binary for the development chain. Empty (default): contracts/node_modules, then PATH.</summary>
    public string AnvilPath { get; set; } = "";

    /// <summary>Port of the development chain on 127.0.0.1. 0 (default): a free one.</summary>
    public int AnvilPort { get; set; }

    /// <summary>Blocks on top of a grant before it counts, and of a transaction before it is confirmed. Default 2; 0 to 100.</summary>
    public int Confirmations { get; set; } = 2;

    /// <summary>
    /// Hash of the chain's first block, 64 hex digits with or without 0x; a node with another is refused. Empty (default): the chain that
    /// was followed first is followed for ever.
    /// </summary>
    public string Genesis { get; set; } = "";

    /// <summary>
    /// Whether the chain makes blocks also where there is nothing to put into them (default true): then a node whose last block is old has
    /// lost the chain, and what it says counts as that old.
    /// </summary>
    public bool BlocksWhenIdle { get; set; } = true;

    /// <summary>
    /// Age of what is known of the chain after which reads are refused with 503. Default 30 s; at least 1 s, and longer than the chain's
    /// block time.
    /// </summary>
    public TimeSpan MaxStaleness { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Time between looks at the chain. Default 250 ms.</summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Versions in an anchor batch, at most. Default 1000; 1 to 100000.</summary>
    public int AnchorBatchSize { get; set; } = 1000;

    /// <summary>Age of the oldest waiting version at which a batch is closed though it is not full. Default 2 s.</summary>
    public TimeSpan AnchorMaxAge { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Age of an entry of the audit log at which its head is anchored though no version waits. Default 1 h; 1 s to 1 day.
    /// </summary>
    public TimeSpan AuditAnchorMaxAge { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Gas of a block of the development chain: room for some thousand transactions a second.</summary>
    internal const long DevelopmentGasLimit = 300_000_000;

    private static bool IsUrl(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https";

    /// <summary>A hash as the adapter writes them: lower-case hex without 0x.</summary>
    public static string Hash(string text) => (text.StartsWith("0x", StringComparison.Ordinal) ? text[2..] : text).ToLowerInvariant();

    /// <summary>What is wrong with the values, naming key, value and what is allowed; null: nothing.</summary>
    public string? Validate()
    {
        if (RpcUrl.Length > 0 && !IsUrl(RpcUrl)) return $"Ledger:RpcUrl is '{RpcUrl}': an http or https URL, or nothing";
        if (WitnessUrls.FirstOrDefault(u => !IsUrl(u)) is { } witness) return $"Ledger:WitnessUrls has '{witness}': http or https URLs";
        if (WitnessUrls.Count > 0 && RpcUrl.Length == 0)
            return "Ledger:WitnessUrls is set without Ledger:RpcUrl: they are more nodes of that chain";
        if (ChainId <= 0) return $"Ledger:ChainId is {ChainId}: a positive number";
        if (Genesis.Length > 0 && !(Hash(Genesis) is { Length: 64 } hash && hash.All(char.IsAsciiHexDigitLower)))
            return $"Ledger:Genesis is '{Genesis}': 64 hex digits, or nothing";
        if (Confirmations is < 0 or > 100) return $"Ledger:Confirmations is {Confirmations}: 0 to 100";
        if (MaxStaleness < TimeSpan.FromSeconds(1)) return $"Ledger:MaxStaleness is {MaxStaleness}: at least 00:00:01";
        if (PollInterval < TimeSpan.FromMilliseconds(10) || PollInterval >= MaxStaleness)
            return $"Ledger:PollInterval is {PollInterval}: at least 00:00:00.010 and below Ledger:MaxStaleness";
        if (AnchorBatchSize is < 1 or > 100_000) return $"Ledger:AnchorBatchSize is {AnchorBatchSize}: 1 to 100000";
        return AnvilPort is < 0 or > 65535 ? $"Ledger:AnvilPort is {AnvilPort}: 0 to 65535" : null;
    }
}
