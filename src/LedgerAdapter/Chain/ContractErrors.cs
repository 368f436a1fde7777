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

    // A period or a deadline that is over stays over.
    private static readonly Type[] Over = [typeof(PeriodInvalidError), typeof(IntentExpiredError)];

    private static readonly Dictionary<string, Revert> Known = typeof(ContractErrors).Assembly.GetTypes()
        .Where(t => t.Namespace == typeof(ContractErrors).Namespace && typeof(IErrorDTO).IsAssignableFrom(t))
        .Select(t => (Abi: ABITypedRegistry.GetError(t), Type: t))
        .ToDictionary(
            e => "0x" + e.Abi.Sha3Signature, e => new Revert(e.Abi.Name, Done.Contains(e.Type)) { IsOver = Over.Contains(e.Type) });

    /// <summary>Why a call was reverted.</summary>
    public static Revert Read(RpcException refusal)
    {
        var data = refusal.RevertData;
        // Some nodes have the data in their words only.
        var at = refusal.Text.IndexOf("0x", StringComparison.Ordinal);
        if (data.Length == 0 && at >= 0) data = refusal.Text[at..];
        return data.Length >= 10 && Known.TryGetValue(data[..10].ToLowerInvariant(), out var error)
            ? error
            : new Revert(refusal.Text, IsDone: false);
    }
}
