namespace PmrGateway.LedgerAdapter;

/// <summary>The node cannot be asked now.</summary>
public class RpcUnavailableException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>The node is of another chain than the one that is asked.</summary>
public sealed class WrongChainException(string message) : RpcUnavailableException(message);

/// <summary>The node refused a call. Codes differ between nodes, so what it means is told by <see cref="Kind"/>, from its text.</summary>
/// <param name="method">The method.</param>
/// <param name="code">The node's code.</param>
/// <param name="text">The node's words.</param>
/// <param name="data">What a contract said when it reverted, hex with 0x; "" for nothing.</param>
public sealed class RpcException(string method, int code, string text, string data = "") : Exception($"{method}: {text} ({code})")
{
    /// <summary>What the refusal means.</summary>
    /// <remarks>Codes: EIP-1474; -32604 is Besu's for a method that is switched off.</remarks>
    public RpcErrorKind Kind { get; } = code is -32601 or -32004 or -32604 ? RpcErrorKind.NoSuchMethod : Classify(text);

    /// <summary>The node's words.</summary>
    public string Text { get; } = text;

    /// <summary>What a contract said when it reverted, hex with 0x; "" for nothing.</summary>
    public string RevertData { get; } = data;

    internal static RpcErrorKind Classify(string text)
    {
        bool Says(string words) => text.Contains(words, StringComparison.OrdinalIgnoreCase);
        if (Says("already imported") || Says("already known") || Says("already in the TxPool")) return RpcErrorKind.AlreadyKnown;
        if (Says("nonce too low") || Says("tx nonce too low")) return RpcErrorKind.NonceTooLow;
        if (Says("underpriced") || Says("replacement gas too low") || Says("less than block base fee")) return RpcErrorKind.Underpriced;
        if (Says("insufficient funds") || Says("does not have enough balance")) return RpcErrorKind.InsufficientFunds;
        return Says("revert") ? RpcErrorKind.Reverted : RpcErrorKind.Other;
    }
}

/// <summary>What a node's refusal means to the sender of a transaction.</summary>
public enum RpcErrorKind
{
    /// <summary>Something else.</summary>
    Other,

    /// <summary>The node has this very transaction.</summary>
    AlreadyKnown,

    /// <summary>The chain has a transaction with this nonce.</summary>
    NonceTooLow,

    /// <summary>The fee is below what the node takes.</summary>
    Underpriced,

    /// <summary>The sender cannot pay.</summary>
    InsufficientFunds,

    /// <summary>A contract reverted.</summary>
    Reverted,

    /// <summary>The node does not have the method.</summary>
    NoSuchMethod,
}
