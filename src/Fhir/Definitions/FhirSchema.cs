using System.Collections.Frozen;

namespace PmrGateway.Fhir;

/// <summary>What a type is.</summary>
public enum TypeKind : byte
{
    /// <summary>A JSON scalar.</summary>
    Primitive,

    /// <summary>A datatype with children.</summary>
    Complex,

    /// <summary>An element with children that only one resource or datatype has.</summary>
    Backbone,

    /// <summary>A resource.</summary>
    Resource,
}

/// <summary>One type that an element may have.</summary>
/// <param name="Name">The type's name, or the path of a backbone.</param>
/// <param name="Targets">For a Reference: the resource types that it may point to. Empty: any.</param>
public sealed record TypeReference(string Name, IReadOnlyList<string> Targets);

/// <summary>One element of a type as its definition says.</summary>
/// <param name="Name">The name without [x].</param>
/// <param name="Min">Least occurrences.</param>
/// <param name="Max">Most occurrences; -1 without limit.</param>
/// <param name="IsArray">Whether JSON writes an array (the base type's max is above 1), whatever a profile narrows.</param>
/// <param name="IsChoice">Whether the name takes a type suffix.</param>
/// <param name="Types">The types it may have.</param>
/// <param name="RequiredValueSet">Canonical URL of the value set of a required binding, or null.</param>
/// <param name="Pattern">JSON text that the value must hold (pattern[x]) or be (fixed[x]), or null.</param>
/// <param name="IsFixed">Whether <paramref name="Pattern"/> must match exactly.</param>
public sealed record ElementSpec(
    string Name, int Min, int Max, bool IsArray, bool IsChoice, IReadOnlyList<TypeReference> Types, string? RequiredValueSet, string? Pattern, bool IsFixed);

/// <summary>A JSON property name of a type: which element, of which type.</summary>
/// <param name="Element">The element.</param>
/// <param name="Type">Its type under this name.</param>
/// <param name="IsSibling">Whether this is the <c>_name</c> property with id and extensions of a primitive.</param>
public sealed record PropertySpec(ElementSpec Element, TypeReference Type, bool IsSibling);

/// <summary>A datatype, backbone or resource: its elements, and each JSON property name that they make.</summary>
public sealed class TypeDefinition
{
    private readonly FrozenDictionary<string, PropertySpec> _properties;

    internal TypeDefinition(string name, TypeKind kind, bool isAbstract, IReadOnlyList<ElementSpec> elements)
    {
        (Name, Kind, IsAbstract, Elements) = (name, kind, isAbstract, elements);
        var properties = new Dictionary<string, PropertySpec>(StringComparer.Ordinal);
        foreach (var element in elements)
        {
            foreach (var type in element.Types)
            {
                var property = element.IsChoice ? element.Name + char.ToUpperInvariant(type.Name[0]) + type.Name[1..] : element.Name;
                properties[property] = new PropertySpec(element, type, false);
                if (char.IsAsciiLetterLower(type.Name[0])) properties["_" + property] = new PropertySpec(element, type, true);
            }
        }
        _properties = properties.ToFrozenDictionary(StringComparer.Ordinal);
    }

    /// <summary>Its name; for a backbone its path, e.g. <c>Consent.provision</c>; for a profile its canonical URL.</summary>
    public string Name { get; }

    /// <summary>What it is.</summary>
    public TypeKind Kind { get; }

    /// <summary>Whether no instance can have it.</summary>
    public bool IsAbstract { get; }

    /// <summary>Its elements in the order of the definition.</summary>
    public IReadOnlyList<ElementSpec> Elements { get; }

    /// <summary>The JSON property names it may have.</summary>
    public IEnumerable<string> PropertyNames => _properties.Keys;

    /// <summary>The element that a JSON property name stands for, or null for a name the type does not have.</summary>
    public PropertySpec? Property(string name) => _properties.GetValueOrDefault(name);
}

/// <summary>A search parameter of the definitions.</summary>
/// <param name="Code">Its name in a URL.</param>
/// <param name="Type">token, reference, date, string, uri, number, quantity, composite or special.</param>
/// <param name="Bases">The resource types that have it.</param>
/// <param name="Expression">Its FHIRPath expression.</param>
public sealed record SearchParameterSpec(string Code, string Type, IReadOnlyList<string> Bases, string Expression);

/// <summary>
/// FHIR R4 4.0.1 as data, read from the pack that <c>tools/DefinitionPack</c> compiles from the official definitions, plus the
/// profiles added with <see cref="WithProfile"/>. Immutable.
/// </summary>
public sealed class FhirSchema
{
    private static readonly Lazy<FhirSchema> Official = new(PackFormat.ReadEmbedded);
    private readonly FrozenDictionary<string, TypeDefinition> _types;
    private readonly FrozenDictionary<string, TypeDefinition> _profiles;
    private readonly FrozenDictionary<string, FrozenSet<string>> _valueSets;
    private readonly FrozenDictionary<string, IReadOnlyList<string>> _patientCompartment;

    internal FhirSchema(
        IEnumerable<TypeDefinition> types,
        IReadOnlyDictionary<string, FrozenSet<string>> valueSets,
        IReadOnlyList<SearchParameterSpec> searchParameters,
        IReadOnlyDictionary<string, IReadOnlyList<string>> patientCompartment,
        IEnumerable<TypeDefinition>? profiles = null)
    {
        _types = types.ToFrozenDictionary(t => t.Name, StringComparer.Ordinal);
        _profiles = (profiles ?? []).ToFrozenDictionary(t => t.Name, StringComparer.Ordinal);
        _valueSets = valueSets.ToFrozenDictionary(StringComparer.Ordinal);
        _patientCompartment = patientCompartment.ToFrozenDictionary(StringComparer.Ordinal);
        SearchParameters = searchParameters;
    }

    /// <summary>The official definitions. Read once, on first use.</summary>
    public static FhirSchema R4 => Official.Value;

    /// <summary>All search parameters.</summary>
    public IReadOnlyList<SearchParameterSpec> SearchParameters { get; }

    /// <summary>The concrete resource types, sorted.</summary>
    public IEnumerable<string> ResourceTypes =>
        _types.Values.Where(t => t is { Kind: TypeKind.Resource, IsAbstract: false }).Select(t => t.Name).Order(StringComparer.Ordinal);

    internal IEnumerable<TypeDefinition> Types => _types.Values;

    internal IReadOnlyDictionary<string, FrozenSet<string>> ValueSets => _valueSets;

    internal IReadOnlyDictionary<string, IReadOnlyList<string>> PatientCompartment => _patientCompartment;

    internal IEnumerable<string> PropertyNames => _types.Values.SelectMany(t => t.PropertyNames).Append("resourceType").Distinct();

    /// <summary>A type by name, or null.</summary>
    public TypeDefinition? Type(string name) => _types.GetValueOrDefault(name) ?? _profiles.GetValueOrDefault(name);

    /// <summary>A profile by canonical URL, or null.</summary>
    public TypeDefinition? Profile(string url) => _profiles.GetValueOrDefault(url);

    /// <summary>Whether a name is a concrete resource type.</summary>
    public bool IsResourceType(string name) => _types.TryGetValue(name, out var type) && type is { Kind: TypeKind.Resource, IsAbstract: false };

    /// <summary>The search parameters that put a type into the Patient compartment; empty where the type is not in it.</summary>
    public IReadOnlyList<string> PatientCompartmentParameters(string type) => _patientCompartment.GetValueOrDefault(type) ?? [];

    /// <summary>
    /// Whether a code is in a value set. Null where the set cannot be listed (all of BCP 47, all MIME types): nothing is claimed then.
    /// </summary>
    /// <param name="valueSet">Canonical URL.</param>
    /// <param name="system">The code's system, or null for a bare code, which any system of the set may hold.</param>
    /// <param name="code">The code.</param>
    public bool? Contains(string valueSet, string? system, string code) =>
        !_valueSets.TryGetValue(valueSet, out var codes) ? null : codes.Contains(system is null ? code : system + "|" + code);

    /// <summary>This schema with a profile added.</summary>
    /// <param name="types">The profile's root type, named by its canonical URL, and its backbones.</param>
    internal FhirSchema WithProfile(IEnumerable<TypeDefinition> types) =>
        new(_types.Values, _valueSets, SearchParameters, _patientCompartment, _profiles.Values.Concat(types));
}
