using Hl7.Fhir.ElementModel;
using Hl7.Fhir.FhirPath;
using Hl7.Fhir.Model;
using Hl7.FhirPath;

namespace PmrGateway.Fhir;

/// <summary>
/// FHIRPath by Firely's engine over the typed model: for what the native compiler does not have, and the oracle of its tests.
/// </summary>
public static class FirelyFhirPath
{
    private static readonly FhirPathCompilerCache Cache = new();

    static FirelyFhirPath() => ElementNavFhirExtensions.PrepareFhirSymbolTableFunctions();

    /// <summary>The items that an expression selects or computes.</summary>
    /// <exception cref="FhirPathException">It does not compile, or cannot be evaluated.</exception>
    public static IReadOnlyList<FhirPathResult> Evaluate(ResourceDocument document, string expression)
    {
        try
        {
            // Firely's parser goes down a deep expression by recursion, without a limit.
            Parser.Parse(expression);
            var node = FhirTyped.Parse<Resource>(document).ToPocoNode();
            return [.. Cache.Select(
                node, expression, new FhirEvaluationContext { Resource = node, RootResource = node }).Select(r => Result(r))];
        }
        catch (Exception e) when (e is not (FhirPathException or OutOfMemoryException))
        {
            throw new FhirPathException(e is FormatException ? FhirPathFault.Syntax : FhirPathFault.Execution, e.Message);
        }
    }

    /// <summary>Whether Firely's engine has all that an expression uses.</summary>
    public static bool Compiles(string expression)
    {
        try
        {
            Parser.Parse(expression);
            return new FhirPathCompiler().Compile(expression) is not null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return false;
        }
    }

    private static FhirPathResult Result(ITypedElement element)
    {
        var type = element.InstanceType ?? "";
        if (type.StartsWith("System.", StringComparison.Ordinal)) type = type[7..];
        else if (element is PocoNode { Poco: not null } node && FhirTyped.Node(node.Poco) is { } json)
            return new FhirPathResult(type, json.ChildCount > 0 ? null : json.Text, json);
        var text = element.Value switch
        {
            null => null,
            bool b => b ? "true" : "false",
            IFormattable f => f.ToString(null, System.Globalization.CultureInfo.InvariantCulture),
            var other => other.ToString(),
        };
        return new FhirPathResult(type, text, null);
    }
}
