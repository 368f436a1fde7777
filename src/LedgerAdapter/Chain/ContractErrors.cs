using Nethereum.ABI.FunctionEncoding.Attributes;
using Nethereum.Contracts;

namespace PmrGateway.LedgerAdapter;

/// <summary>What our contracts say when they revert.</summary>
internal static class ContractErrors
{
    // Ids and keys are random and commitments salted, so "exists" is always our own; and an intent's nonce is used by that intent alone.
    private static readonly Type[] Done =
    [
        typeof(ActorExistsError), typeof(PatientExistsError), typeof(GrantExistsError), typeof(GrantNotActiveError), typeof(NonceUsedError),
    ];

    private static readonly Dictionary<string, (string Name, bool IsDone)> Known = typeof(ContractErrors).Assembly.GetTypes()
        .Where(t => t.Namespace == typeof(ContractErrors).Namespace && typeof(IErrorDTO).IsAssignableFrom(t))
        .Select(t => (Abi: ABITypedRegistry.GetError(t), IsDone: Done.Contains(t)))
        .ToDictionary(e => "0x" + e.Abi.Sha3Signature, e => (e.Abi.Name, e.IsDone));

    /// <summary>Why a call was reverted.</summary>
    public static Revert Read(RpcException refusal)
    {
        var data = refusal.RevertData;
        // Some nodes have the data in their words only.
        var at = refusal.Text.IndexOf("0x", StringComparison.Ordinal);
        if (data.Length == 0 && at >= 0) data = refusal.Text[at..];
        return data.Length >= 10 && Known.TryGetValue(data[..10].ToLowerInvariant(), out var error)
            ? new Revert(error.Name, error.IsDone)
            : new Revert(refusal.Text, IsDone: false);
    }
}
