namespace PmrGateway.Fhir;

/// <summary>What is wrong with an expression.</summary>
public enum FhirPathFault
{
    /// <summary>It does not parse, or is longer or deeper than an expression may be.</summary>
    Syntax,

    /// <summary>It uses a function that this engine does not have.</summary>
    UnknownFunction,

    /// <summary>It parses and cannot be right on any input of its type.</summary>
    Semantic,

    /// <summary>It could not be evaluated on this input, e.g. single() of two items.</summary>
    Execution,

    /// <summary>It takes more than an evaluation may: steps, items, texts, time.</summary>
    TooCostly,
}

/// <summary>An expression that cannot be compiled or evaluated.</summary>
public sealed class FhirPathException(FhirPathFault fault, string message) : Exception(message)
{
    /// <summary>What kind of fault it is.</summary>
    public FhirPathFault Fault => fault;

    internal static FhirPathException Execution(string message) => new(FhirPathFault.Execution, message);

    internal static FhirPathException TooCostly(string message) => new(FhirPathFault.TooCostly, message);

    internal static FhirPathException Semantic(string message) => new(FhirPathFault.Semantic, message);
}
