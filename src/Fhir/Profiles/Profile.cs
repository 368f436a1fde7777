namespace PmrGateway.Fhir;

/// <summary>A StructureDefinition that constrains a type, compiled to a tree of rules.</summary>
/// <param name="Url">Canonical URL, without version.</param>
/// <param name="Type">The type that it constrains.</param>
/// <param name="Root">Its rules.</param>
/// <param name="Contexts">Of an extension: what it may be on: elements, extensions, or what an expression says; empty: anything.</param>
internal sealed record Profile(string Url, string Type, ProfileElement Root, IReadOnlyList<(string Type, string Expression)> Contexts);

/// <summary>A type that an element of a profile may have.</summary>
/// <param name="Code">The type.</param>
/// <param name="Profiles">Profiles of it, one of which an instance conforms to; empty: any.</param>
/// <param name="Targets">Of a Reference or canonical: profiles of what it points to; empty: any.</param>
internal sealed record ProfileType(string Code, IReadOnlyList<string> Profiles, IReadOnlyList<string> Targets);

/// <summary>How one of several repetitions is told from the others.</summary>
/// <param name="Type">value, pattern, exists, type or profile.</param>
/// <param name="Path">Where to look, in FHIRPath from the repetition.</param>
internal sealed record Discriminator(string Type, string Path)
{
    private FhirPathExpression? _compiled;

    public FhirPathExpression Compiled => _compiled ??= FhirPathExpression.Compile(Path);
}

/// <summary>The slicing of an element. https://hl7.org/fhir/R4/profiling.html#slicing</summary>
/// <param name="Discriminators">What tells the slices apart.</param>
/// <param name="Rules">open, closed or openAtEnd.</param>
/// <param name="IsOrdered">Whether the slices come in the order of their definition.</param>
internal sealed record Slicing(IReadOnlyList<Discriminator> Discriminators, string Rules, bool IsOrdered);

/// <summary>What a profile says of one element, or of one slice of it.</summary>
internal sealed class ProfileElement
{
    /// <summary>Id of the element in the profile, e.g. <c>Patient.identifier:mrn.system</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Name of the element without [x].</summary>
    public required string Name { get; init; }

    /// <summary>Name of the slice, or null.</summary>
    public string? SliceName { get; init; }

    public int Min { get; set; }

    /// <summary>Most occurrences; -1: the profile does not say.</summary>
    public int Max { get; set; } = -1;

    public IReadOnlyList<ProfileType> Types { get; set; } = [];

    /// <summary>The rules of each instance.</summary>
    public List<ElementRule> Rules { get; } = [];

    public Slicing? Slicing { get; set; }

    public List<ProfileElement> Slices { get; } = [];

    public List<ProfileElement> Children { get; } = [];

    /// <summary>Where the children are instead: id of another element of the profile.</summary>
    public string? ContentReference { get; set; }

    public ProfileElement? Child(string name) => Children.Find(c => c.Name == name);
}
