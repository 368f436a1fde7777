using System.Text.Json;
using PmrGateway.Mapping;

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

    private readonly byte[] _deployer;

    /// <summary>The contracts that an account deploys.</summary>
    /// <param name="deployer">Address of the gateway's account, 20 bytes.</param>
    public ContractSet(byte[] deployer)
    {
        _deployer = deployer;
        string[] names = [Actors, Consents, Anchors];
        Addresses = names.Select((name, nonce) => (name, EthereumAccount.ContractAddress(deployer, nonce))).ToDictionary(a => a.name, a => a.Item2);
    }

    /// <summary>Addresses by contract name, 20 bytes each.</summary>
    public IReadOnlyDictionary<string, byte[]> Addresses { get; }

    /// <summary>Queues the deployments, once for all starts.</summary>
    public async Task EnqueueDeploymentAsync(ILedgerJournal journal, CancellationToken cancellation)
    {
        await DeployAsync(Actors, Abi.Encode(_deployer));
        await DeployAsync(Consents, Abi.Encode(_deployer, Addresses[Actors]));
        await DeployAsync(Anchors, Abi.Encode(_deployer));

        Task DeployAsync(string name, byte[] arguments) =>
            journal.EnqueueAsync("deploy " + name, "", name, [.. CreationCode(name), .. arguments], cancellation);
    }

    private static byte[] CreationCode(string name)
    {
        using var stream = typeof(ContractSet).Assembly.GetManifestResourceStream($"PmrGateway.Contracts.{name}.json")!;
        using var json = JsonDocument.Parse(stream);
        return Hex.Bytes(json.RootElement.GetProperty("bytecode").GetString()!);
    }
}
