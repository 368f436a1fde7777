namespace PmrGateway.Fhir;

/// <summary>
/// FHIR R4 4.0.1 as data, read from the pack that <c>tools/DefinitionPack</c> compiles from the official definitions. Immutable; the
/// profiles of implementation guides are in a <see cref="ProfileSet"/> beside it.
/// </summary>
public sealed class FhirSchema
{
    private static readonly Lazy<FhirSchema> Official = new(PackFormat.ReadEmbedded);
    private readonly Dictionary<string, TypeDefinition> _types;
    private readonly Dictionary<string, IReadOnlyList<string>> _patientCompartment;
    private readonly TypeDefinition?[] _resourceTypeOfName;

    internal FhirSchema(
        IReadOnlyList<TypeDefinition> types,
        IReadOnlyList<SearchParameterSpec> searchParameters,
        IReadOnlyDictionary<string, IReadOnlyList<string>> patientCompartment,
        Func<Terminology> terminology,
        Func<Dictionary<string, string>> coreProfiles)
    {
        _coreProfiles = new Lazy<Dictionary<string, string>>(coreProfiles);
        _types = new Dictionary<string, TypeDefinition>(types.Count, StringComparer.Ordinal);
        foreach (var type in types) _types.Add(type.Name, type);
        _patientCompartment = new Dictionary<string, IReadOnlyList<string>>(patientCompartment, StringComparer.Ordinal);
        SearchParameters = searchParameters;
        Names = new NameTable(types);
        foreach (var type in types) type.Bind(this);
        _resourceTypeOfName = new TypeDefinition?[Names.Count];
        foreach (var type in types)
            if (type is { Kind: TypeKind.Resource, IsAbstract: false }) _resourceTypeOfName[Names.IdOf(type.Name)] = type;
        _terminology = new Lazy<Terminology>(terminology);
    }

    private readonly Lazy<Terminology> _terminology;
    private readonly Lazy<Dictionary<string, string>> _coreProfiles;

    /// <summary>The official definitions. Read once, on first use.</summary>
    public static FhirSchema R4 => Official.Value;

    /// <summary>All search parameters.</summary>
    public IReadOnlyList<SearchParameterSpec> SearchParameters { get; }

    /// <summary>The code systems and value sets that the definitions hold. Read on first use.</summary>
    public Terminology Terminology => _terminology.Value;

    /// <summary>The concrete resource types, sorted.</summary>
    public IEnumerable<string> ResourceTypes =>
        _types.Values.Where(t => t is { Kind: TypeKind.Resource, IsAbstract: false }).Select(t => t.Name).Order(StringComparer.Ordinal);

    internal NameTable Names { get; }

    /// <summary>
    /// The profiles and extensions of the core, by URL: StructureDefinitions in JSON with what a <see cref="ProfileCompiler"/> reads. Read
    /// on first use.
    /// </summary>
    internal IReadOnlyDictionary<string, string> CoreProfiles => _coreProfiles.Value;

    /// <summary>All types: primitives, datatypes, backbones, resources.</summary>
    public IEnumerable<TypeDefinition> Types => _types.Values;

    internal IReadOnlyDictionary<string, IReadOnlyList<string>> PatientCompartment => _patientCompartment;

    /// <summary>A type by name (<c>Patient</c>, <c>HumanName</c>, <c>date</c>, <c>Consent.provision</c>), or null.</summary>
    public TypeDefinition? Type(string name) => _types.GetValueOrDefault(name);

    /// <summary>
    /// The type whose StructureDefinition a canonical URL names, with or without a version; null where it names no type of the core.
    /// </summary>
    public TypeDefinition? TypeOfCanonical(string canonical) =>
        canonical.StartsWith(SchemaCompiler.CoreTypes, StringComparison.Ordinal)
            ? Type(canonical[SchemaCompiler.CoreTypes.Length..].Split('|')[0])
            : null;

    /// <summary>Whether a name is a concrete resource type.</summary>
    public bool IsResourceType(string name) =>
        _types.TryGetValue(name, out var type) && type is { Kind: TypeKind.Resource, IsAbstract: false };

    /// <summary>The search parameters that put a type into the Patient compartment; empty where the type is not in it.</summary>
    public IReadOnlyList<string> PatientCompartmentParameters(string type) => _patientCompartment.GetValueOrDefault(type) ?? [];

    internal TypeDefinition? ResourceTypeOf(ReadOnlySpan<byte> utf8) => Names.TryGetId(utf8, out var id) ? _resourceTypeOfName[id] : null;
}
