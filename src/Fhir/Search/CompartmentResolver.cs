using System.Collections.Frozen;

namespace PmrGateway.Fhir;

/// <summary>
/// Which patients' compartments a resource is in, by every parameter of the CompartmentDefinition. Consent is asked of each of them.
/// Source: R4 compartmentdefinition-patient.html.
/// </summary>
public sealed class CompartmentResolver
{
    private readonly FhirSchema _schema;
    private readonly FrozenDictionary<string, IReadOnlyList<PathExpression>> _paths;

    /// <summary>A resolver for a schema.</summary>
    /// <exception cref="InvalidOperationException">A parameter of the compartment does not compile: it must not be passed over.</exception>
    public CompartmentResolver(FhirSchema schema)
    {
        _schema = schema;
        _paths = schema.ResourceTypes.ToFrozenDictionary(t => t, t => (IReadOnlyList<PathExpression>)[.. Paths(t)], StringComparer.Ordinal);
    }

    /// <summary>Whether resources of a type belong to patients.</summary>
    public bool IsInPatientCompartment(string type) => type == "Patient" || _paths.GetValueOrDefault(type)?.Count > 0;

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
        foreach (var path in _paths.GetValueOrDefault(document.ResourceType) ?? [])
            foreach (var found in path.Select(document, _schema))
                if (FhirReference.TryParse(found.Node.StringAt("reference"), out var reference) && reference.Type == "Patient" && !patients.Contains(reference.Id))
                    patients.Add(reference.Id);
        return patients;
    }

    private IEnumerable<PathExpression> Paths(string type)
    {
        foreach (var code in _schema.PatientCompartmentParameters(type))
        {
            var spec = _schema.SearchParameters.FirstOrDefault(p => p.Code == code && p.Bases.Contains(type))
                ?? throw new InvalidOperationException($"the Patient compartment names {type}:{code}, which is not defined");
            if (!PathExpression.TryCompile(spec.Expression, out var path)) throw new InvalidOperationException($"cannot compile {type}:{code}: {spec.Expression}");
            yield return path!;
        }
    }
}
