namespace PmrGateway.Tools.Cases;

/// <summary>A case that does not pass, with what differed.</summary>
internal sealed class CaseFailed(string message) : Exception(message)
{
    /// <summary>Of a text in the file that the runner cannot act on: never a silent pass.</summary>
    public static CaseFailed NotUnderstood(string what) => new("not understood: " + what);

    /// <summary>Of a situation that cannot be made with one gateway and its own chain.</summary>
    public static CaseFailed NotApplicable(string reason) => new("not applicable here: " + reason);
}
