namespace PmrGateway.Tools.Cases;

/// <summary>How a case came out.</summary>
/// <param name="Difference">What differed; null: it passes.</param>
/// <param name="Note">What of a case that passes was not looked for, and why; null: all was.</param>
internal sealed record CaseResult(string? Difference, string? Note = null);
