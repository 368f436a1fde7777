using System.Numerics;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// What a transaction offers for its gas. Set here because Nethereum's defaults offer 2 gwei on a chain without fees, where we have no
/// ether.
/// </summary>
public static class FeePolicy
{
    /// <summary>
    /// Gas of a call: the dearest of ours uses a third. A block is filled by what is used, not by what is allowed, so the margin costs no
    /// room.
    /// </summary>
    public const long CallGas = 600_000;

    /// <summary>Gas of a contract's creation.</summary>
    public const long DeployGas = 4_000_000;

    private static readonly BigInteger LeastTip = new(1_000_000_000);

    /// <summary>What a call costs at most at a base fee, wei; an account that has less sends nothing.</summary>
    public static BigInteger LargestCost(BigInteger baseFee) => CallGas * Offer(baseFee).MaxFee;

    /// <summary>What is offered at a base fee.</summary>
    public static (BigInteger Tip, BigInteger MaxFee) Offer(BigInteger baseFee)
    {
        var tip = baseFee.IsZero ? BigInteger.Zero : LeastTip;
        return (tip, 2 * baseFee + tip);
    }

    /// <summary>What is offered in place of an earlier offer: nodes want an eighth more of both.</summary>
    public static (BigInteger Tip, BigInteger MaxFee) Raise(SignedTransaction before, BigInteger baseFee)
    {
        var (tip, maxFee) = Offer(baseFee);
        return (BigInteger.Max(tip, Raised(before.Tip)), BigInteger.Max(maxFee, Raised(before.MaxFee)));
    }

    private static BigInteger Raised(BigInteger fee) => fee + fee / 8 + 1;
}
