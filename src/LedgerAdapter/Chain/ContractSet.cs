using System.Text.Json;
using Nethereum.ABI;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// The three contracts and where they are. They are the first three transactions of the gateway's account, so their addresses follow
/// from that account alone: known before the chain is, and the same again on a chain that has to be told everything anew.
/// </summary>
public sealed class ContractSet
{
    /// <summary>Name of the actor registry.</summary>
    public const string Actors = "ActorRegistry";

    /// <summary>Name of the consent registry.</summary>
    public const string Consents = "ConsentRegistry";

    /// <summary>Name of the anchor registry.</summary>
    public const string Anchors = "AnchorRegistry";

    /// <summary>Stands for the account itself in a command that only uses up a nonce.</summary>
    internal const string Self = "self";

    private readonly byte[] _deployer;

    /// <summary>The contracts that an account deploys.</summary>
    /// <param name="deployer">Address of the gateway's account, 20 bytes.</param>
    public ContractSet(byte[] deployer)
    {
        _deployer = deployer;
        string[] names = [Actors, Consents, Anchors];
        Addresses = names.Select((name, nonce) => (name, EthereumAccount.ContractAddress(deployer, nonce)))
            .ToDictionary(a => a.name, a => a.Item2);
    }

    private ContractSet(byte[] deployer, Dictionary<string, byte[]> addresses) => (_deployer, Addresses) = (deployer, addresses);

    /// <summary>Addresses by contract name, 20 bytes each.</summary>
    public IReadOnlyDictionary<string, byte[]> Addresses { get; }

    /// <summary>An anchor registry alone, wherever it is: for who checks a proof.</summary>
    /// <param name="registry">Its address, 20 bytes.</param>
    public static ContractSet OfAnchors(byte[] registry) => new(registry, new Dictionary<string, byte[]> { [Anchors] = registry });

    /// <summary>Whom a command calls, 20 bytes.</summary>
    internal byte[] AddressOf(string contract) => contract == Self ? _deployer : Addresses[contract];

    /// <summary>The deployments, in the order of their nonces.</summary>
    internal IReadOnlyList<ChainCommand> Deployments() =>
        [Deploy(Actors, _deployer), Deploy(Consents, _deployer, Addresses[Actors]), Deploy(Anchors, _deployer)];

    private static ChainCommand Deploy(string name, params ReadOnlySpan<byte[]> addresses)
    {
        var values = new ABIValue[addresses.Length];
        for (var i = 0; i < values.Length; i++) values[i] = new ABIValue("address", EthereumAccount.Text(addresses[i]));
        return ChainCommands.Deploy(name, [.. CreationCode(name), .. new ABIEncode().GetABIEncoded(values)]);
    }

    private static byte[] CreationCode(string name)
    {
        using var stream = typeof(ContractSet).Assembly.GetManifestResourceStream($"PmrGateway.Contracts.{name}.json")!;
        using var json = JsonDocument.Parse(stream);
        return Convert.FromHexString(json.RootElement.GetProperty("bytecode").GetString()!.AsSpan(2));
    }
}
