using System.Collections.Frozen;

namespace PmrGateway.Fhir;

/// <summary>
/// Which patients' compartments a resource is in, by every parameter of the CompartmentDefinition. Consent is asked of each of them.
/// Source: R4 compartmentdefinition-patient.html. Thread-safe.
/// </summary>
public sealed class CompartmentResolver
{
    private readonly FrozenDictionary<string, Expr[]> _paths;
    private readonly ThreadLocal<FhirPathContext> _contexts;

    /// <summary>A resolver for a schema.</summary>
    /// <exception cref="InvalidOperationException">The compartment names a parameter that is not defined: it must not be passed
    /// over.</exception>
    public CompartmentResolver(FhirSchema schema)
    {
        _contexts = new ThreadLocal<FhirPathContext>(() => new FhirPathContext(schema, schema.Terminology) { ResolvesToStubs = true });
        _paths = schema.ResourceTypes.ToFrozenDictionary(t => t, t => Paths(schema, t).ToArray(), StringComparer.Ordinal);
    }

    /// <summary>The ids of the patients whose compartments the resource is in, each once; a Patient is in its own.</summary>
    /// <param name="document">A resource; of a Patient, with its id.</param>
    public IReadOnlyList<string> PatientsOf(ResourceDocument document)
    {
        var patients = new List<string>();
        if (document.ResourceType == "Patient")
        {
            if (document.Id is { } id) patients.Add(id);
            return patients;
        }
        var context = _contexts.Value!;
        var root = Item.OfNode(document.Root);
        foreach (var path in _paths.GetValueOrDefault(document.ResourceType) ?? [])
        {
            context.Begin(root, root, root);
            path.Eval(context, root);
            for (var i = 0; i < context.Count; i++)
                if (context[i].Row >= 0 && FhirReference.TryParse(context[i].Node.StringAt("reference"), out var reference)
                    && reference.Type == "Patient" && !patients.Contains(reference.Id))
                    patients.Add(reference.Id);
        }
        return patients;
    }

    private static IEnumerable<Expr> Paths(FhirSchema schema, string type)
    {
        foreach (var code in schema.PatientCompartmentParameters(type))
        {
            var spec = schema.SearchParameters.FirstOrDefault(p => p.Code == code && p.Bases.Contains(type))
                ?? throw new InvalidOperationException($"the Patient compartment names {type}:{code}, which is not defined");
            yield return TypeParameters.CompileFor(schema, spec.Expression, type)
                ?? throw new InvalidOperationException($"{type}:{code} begins at no {type}: {spec.Expression}");
        }
    }
}
