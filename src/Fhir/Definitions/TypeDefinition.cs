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

/// <summary>How binding a value set is. https://hl7.org/fhir/R4/terminologies.html#strength</summary>
public enum BindingStrength : byte
{
    /// <summary>No binding, or one that says nothing of validity (preferred, example).</summary>
    None,

    /// <summary>A code of the set where one fits.</summary>
    Extensible,

    /// <summary>A code of the set.</summary>
    Required,
}

/// <summary>A binding to a value set.</summary>
/// <param name="Strength">How binding it is.</param>
/// <param name="ValueSet">Canonical URL, without a version.</param>
public sealed record Binding(BindingStrength Strength, string ValueSet);

/// <summary>
/// A rule over an element's content, in FHIRPath. https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.constraint
/// </summary>
/// <param name="Key">Its name, e.g. <c>pat-1</c>.</param>
/// <param name="IsWarning">Whether breaking it is worth a warning only.</param>
/// <param name="Expression">FHIRPath that must be true of the element.</param>
public sealed record Invariant(string Key, bool IsWarning, string Expression)
{
    private FhirPathExpression? _compiled;

    /// <summary>The expression, compiled on first use.</summary>
    /// <exception cref="FhirPathException">It does not compile.</exception>
    internal FhirPathExpression Compiled => _compiled ??= FhirPathExpression.Compile(Expression);
}

/// <summary>One type that an element may have.</summary>
/// <param name="Name">The type's name, or the path of a backbone.</param>
/// <param name="Targets">For a Reference: the resource types that it may point to. Empty: any.</param>
public sealed record TypeReference(string Name, IReadOnlyList<string> Targets)
{
    /// <summary>The type itself; null where the schema does not have it.</summary>
    public TypeDefinition? Definition { get; internal set; }
}

/// <summary>One element of a type as its definition says.</summary>
/// <param name="Name">The name without [x].</param>
/// <param name="Min">Least occurrences.</param>
/// <param name="Max">Most occurrences; -1 without limit.</param>
/// <param name="IsChoice">Whether the name takes a type suffix.</param>
/// <param name="Types">The types it may have.</param>
/// <param name="Binding">Its value set, or null.</param>
/// <param name="Invariants">The rules that this element adds to those of its type.</param>
public sealed record ElementSpec(
    string Name, int Min, int Max, bool IsChoice, IReadOnlyList<TypeReference> Types, Binding? Binding, IReadOnlyList<Invariant> Invariants)
{
    /// <summary>
    /// Whether it belongs to a summary of the resource.
    /// https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.isSummary
    /// </summary>
    public bool IsSummary { get; init; }

    /// <summary>
    /// Whether its value may change what the others mean.
    /// https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.isModifier
    /// </summary>
    public bool IsModifier { get; init; }

    /// <summary>Whether JSON writes an array.</summary>
    public bool IsArray => Max is -1 or > 1;

    internal int NameId { get; set; }

    /// <summary>Place among the elements of its type.</summary>
    internal int Ordinal { get; set; }
}

/// <summary>A JSON property name of a type: which element, of which type.</summary>
/// <param name="Name">The property name.</param>
/// <param name="Element">The element.</param>
/// <param name="Type">Its type under this name.</param>
/// <param name="IsSibling">Whether this is the <c>_name</c> property with id and extensions of a primitive.</param>
public sealed record PropertySpec(string Name, ElementSpec Element, TypeReference Type, bool IsSibling)
{
    private Dictionary<TypeDefinition, PropertySpec>? _resources;

    internal int NameId { get; init; }

    /// <summary>Path of the element: its type and its name, e.g. <c>HumanName.family</c>, <c>Patient.contact.relationship</c>.</summary>
    internal string Path { get; init; } = "";

    /// <summary>
    /// Number of the name that goes with this one: of <c>x</c>, <c>_x</c>; of <c>_x</c>, <c>x</c>; -1 where there is none.
    /// </summary>
    internal int PairId { get; init; } = -1;

    /// <summary>The property as one that holds a certain resource: contained[0] is a Patient.</summary>
    internal PropertySpec Holding(TypeDefinition resource)
    {
        lock (this)
        {
            _resources ??= [];
            if (!_resources.TryGetValue(resource, out var property))
                _resources[resource] = property = this with { Type = new TypeReference(resource.Name, []) { Definition = resource } };
            return property;
        }
    }
}

/// <summary>A datatype, backbone or resource: its elements, and each JSON property name that they make.</summary>
public sealed class TypeDefinition
{
    private FhirSchema? _schema;
    private PropertySpec?[]? _table;
    private PropertySpec? _root;

    internal TypeDefinition(
        string name,
        TypeKind kind,
        bool isAbstract,
        string? baseType,
        IReadOnlyList<ElementSpec> elements,
        IReadOnlyList<Invariant> invariants) =>
        (Name, Kind, IsAbstract, BaseName, Elements, Invariants) = (name, kind, isAbstract, baseType, elements, invariants);

    /// <summary>Its name; for a backbone its path, e.g. <c>Consent.provision</c>.</summary>
    public string Name { get; }

    /// <summary>What it is.</summary>
    public TypeKind Kind { get; }

    /// <summary>Whether no instance can have it.</summary>
    public bool IsAbstract { get; }

    /// <summary>Name of the type that it specialises, or null.</summary>
    public string? BaseName { get; }

    /// <summary>The type that it specialises, or null.</summary>
    public TypeDefinition? Base { get; private set; }

    /// <summary>Its elements in the order of the definition.</summary>
    public IReadOnlyList<ElementSpec> Elements { get; }

    /// <summary>The rules of every instance of the type.</summary>
    public IReadOnlyList<Invariant> Invariants { get; }

    /// <summary>The JSON property names it may have.</summary>
    public IEnumerable<PropertySpec> Properties => Table.OfType<PropertySpec>();

    /// <summary>A property that the outermost value of a document has, as this type.</summary>
    internal PropertySpec Root =>
        _root ??= new PropertySpec(
            "", new ElementSpec("", 1, 1, false, [], null, []), new TypeReference(Name, []) { Definition = this }, false)
        { NameId = -1 };

    private PropertySpec?[] Table => _table ?? Build();

    /// <summary>The element that a JSON property name stands for, or null for a name the type does not have.</summary>
    public PropertySpec? Property(string name) => _schema!.Names.TryGetId(name, out var id) ? Property(id) : null;

    internal PropertySpec? Property(int nameId)
    {
        var table = Table;
        for (var at = Slot(nameId, table.Length); table[at] is { } property; at = (at + 1) & (table.Length - 1))
            if (property.NameId == nameId) return property;
        return null;
    }

    /// <summary>Whether it is a type or specialises it.</summary>
    public bool Is(TypeDefinition other)
    {
        for (var type = this; type is not null; type = type.Base)
            if (ReferenceEquals(type, other)) return true;
        return false;
    }

    internal void Bind(FhirSchema schema)
    {
        _schema = schema;
        Base = BaseName is null ? null : schema.Type(BaseName);
        for (var i = 0; i < Elements.Count; i++)
        {
            Elements[i].Ordinal = i;
            Elements[i].NameId = schema.Names.IdOf(Elements[i].Name);
            foreach (var type in Elements[i].Types) type.Definition = schema.Type(type.Name);
        }
    }

    internal static string PropertyName(ElementSpec element, TypeReference type) =>
        element.IsChoice ? element.Name + char.ToUpperInvariant(type.Name[0]) + type.Name[1..] : element.Name;

    private static int Slot(int nameId, int size) => (nameId * 7919) & (size - 1);

    // Built when the type is first met: most of the six hundred never are.
    private PropertySpec?[] Build()
    {
        var properties = new List<PropertySpec>();
        foreach (var element in Elements)
        {
            foreach (var type in element.Types)
            {
                var name = PropertyName(element, type);
                var isPrimitive = char.IsAsciiLetterLower(type.Name[0]);
                var (nameId, siblingId) = (_schema!.Names.IdOf(name), isPrimitive ? _schema.Names.IdOf("_" + name) : -1);
                properties.Add(new PropertySpec(name, element, type, false)
                {
                    NameId = nameId,
                    PairId = siblingId,
                    Path = Name + "." + element.Name
                });
                if (isPrimitive)
                    properties.Add(new PropertySpec("_" + name, element, type, true)
                    {
                        NameId = siblingId,
                        PairId = nameId,
                        Path = Name + "." + element.Name
                    });
            }
        }
        var table = new PropertySpec?[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, properties.Count * 2 + 1))];
        foreach (var property in properties)
        {
            var at = Slot(property.NameId, table.Length);
            while (table[at] is not null) at = (at + 1) & (table.Length - 1);
            table[at] = property;
        }
        return _table = table;
    }
}

/// <summary>A search parameter of the definitions.</summary>
/// <param name="Code">Its name in a URL.</param>
/// <param name="Type">token, reference, date, string, uri, number, quantity, composite or special.</param>
/// <param name="Bases">The resource types that have it.</param>
/// <param name="Expression">Its FHIRPath expression; "" where it has none.</param>
/// <param name="Targets">Of a reference: the types that it may name; none: it does not say.</param>
/// <param name="Components">Of a composite: its components.</param>
public sealed record SearchParameterSpec(
    string Code, string Type, IReadOnlyList<string> Bases, string Expression, IReadOnlyList<string> Targets,
    IReadOnlyList<SearchComponentSpec> Components);

/// <summary>A component of a composite search parameter.</summary>
/// <param name="Code">Code of the parameter that it is defined by.</param>
/// <param name="Type">Type of that parameter.</param>
/// <param name="Expression">FHIRPath expression under the composite's own.</param>
public sealed record SearchComponentSpec(string Code, string Type, string Expression);
