using System.Globalization;
using Hl7.Fhir.Model;
using static Hl7.Fhir.Model.StructureDefinition;

namespace PmrGateway.Fhir;

/// <summary>
/// A type of the schema as the StructureDefinition it was compiled from, without prose: what a snapshot generator starts from, since the
/// official definitions themselves are not at hand at run time.
/// </summary>
internal static class CoreStructureDefinition
{
    /// <summary>The definition of a primitive, datatype or resource, with its snapshot.</summary>
    public static StructureDefinition Of(TypeDefinition type)
    {
        var elements = new List<ElementDefinition> { Element(type.Name, 0, -1) };
        elements[0].Constraint = Constraints(type.Invariants, type);
        AddChildren(elements, type, type.Name, type);
        if (type.Kind == TypeKind.Primitive)
        {
            var value = Element(type.Name + ".value", 0, 1);
            value.Type = [new ElementDefinition.TypeRefComponent { Code = "http://hl7.org/fhirpath/System.String" }];
            elements.Add(value);
        }
        return new StructureDefinition
        {
            Url = SchemaCompiler.CoreTypes + type.Name,
            Name = type.Name,
            Type = type.Name,
            Status = PublicationStatus.Active,
            Kind = type.Kind switch
            {
                TypeKind.Resource => StructureDefinitionKind.Resource,
                TypeKind.Primitive => StructureDefinitionKind.PrimitiveType,
                _ => StructureDefinitionKind.ComplexType,
            },
            Abstract = type.IsAbstract,
            Derivation = TypeDerivationRule.Specialization,
            BaseDefinition = type.BaseName is null ? null : SchemaCompiler.CoreTypes + type.BaseName,
            FhirVersion = FHIRVersion.N4_0_1,
            Snapshot = new SnapshotComponent { Element = elements },
            Differential = new DifferentialComponent(),
        };
    }

    private static void AddChildren(List<ElementDefinition> elements, TypeDefinition type, string path, TypeDefinition root)
    {
        foreach (var spec in type.Elements)
        {
            var element = Element($"{path}.{spec.Name}{(spec.IsChoice ? "[x]" : "")}", spec.Min, spec.Max);
            element.Constraint = Constraints(spec.Invariants, root);
            if (spec.Binding is { } binding) element.Binding = new() { Strength = Strength(binding), ValueSet = binding.ValueSet };
            elements.Add(element);
            if (spec.Types is not [{ Definition: { Kind: TypeKind.Backbone } backbone }])
            {
                element.Type = [.. spec.Types
                    .Select(t => new ElementDefinition.TypeRefComponent
                    {
                        Code = t.Name, TargetProfile = t.Targets.Select(x => SchemaCompiler.CoreTypes + x)
                    })];
            }
            else if (backbone.Name == element.Path)
            {
                element.Type = [new ElementDefinition.TypeRefComponent { Code = backbone.BaseName }];
                AddChildren(elements, backbone, element.Path, root);
            }
            else
            {
                element.ContentReference = "#" + backbone.Name;
            }
        }
    }

    private static ElementDefinition Element(string path, int min, int max)
    {
        var most = max < 0 ? "*" : max.ToString(CultureInfo.InvariantCulture);
        return new ElementDefinition
        {
            ElementId = path,
            Path = path,
            Min = min,
            Max = most,
            Base = new() { Path = path, Min = min, Max = most }
        };
    }

    private static Hl7.Fhir.Model.BindingStrength Strength(Binding binding) =>
        binding.Strength == BindingStrength.Required ? Hl7.Fhir.Model.BindingStrength.Required : Hl7.Fhir.Model.BindingStrength.Extensible;

    private static List<ElementDefinition.ConstraintComponent> Constraints(IReadOnlyList<Invariant> invariants, TypeDefinition source) =>
        [.. invariants.Select(i => new ElementDefinition.ConstraintComponent
    {
        Key = i.Key,
        Severity = i.IsWarning ? ConstraintSeverity.Warning : ConstraintSeverity.Error,
        Human = i.Key,
        Expression = i.Expression,
        Source = SchemaCompiler.CoreTypes + source.Name,
    })];
}
