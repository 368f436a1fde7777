using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>A StructureDefinition that constrains a type, compiled to a tree of rules.</summary>
/// <param name="Url">Canonical URL, without version.</param>
/// <param name="Type">The type that it constrains; of a part of a profile (<c>url#Composition.section:plan</c>) the part's.</param>
/// <param name="Root">Its rules.</param>
/// <param name="Contexts">Of an extension: what it may be on: elements, extensions, or what an expression says; empty: anything.</param>
internal sealed record Profile(string Url, string Type, ProfileElement Root, IReadOnlyList<(string Type, string Expression)> Contexts)
{
    /// <summary>Of an extension: whether it changes the meaning of what it stands on.</summary>
    public bool IsModifier { get; init; }

    /// <summary>Of an extension: rules over what it stands on.</summary>
    public IReadOnlyList<Invariant> ContextInvariants { get; init; } = [];

    /// <summary>The part of this profile that an element of it is, as a profile of its own; null: there is no element of that id.</summary>
    public Profile? Part(string id) => Root.Find(id) is { } element ? new Profile($"{Url}#{id}", element.Path, element, []) : null;
}

/// <summary>A type that an element of a profile may have.</summary>
/// <param name="Code">The type; "": any.</param>
/// <param name="Profiles">Profiles of it, one of which an instance conforms to; empty: any.</param>
/// <param name="Targets">Of a Reference or canonical: profiles of what it points to; empty: any.</param>
internal sealed record ProfileType(string Code, IReadOnlyList<string> Profiles, IReadOnlyList<string> Targets)
{
    private const string PartOfProfile = SchemaCompiler.CoreTypes + "elementdefinition-profile-element";

    /// <summary>Reads ElementDefinition.type.</summary>
    public static ProfileType Read(JsonElement type)
    {
        var code = type.TryGetProperty("code", out var c) ? c.GetString()! : "";
        if (code.StartsWith("http://hl7.org/fhirpath/System.", StringComparison.Ordinal)) code = "";
        return new ProfileType(code, Urls(type, "profile"), Urls(type, "targetProfile"));
    }

    private static List<string> Urls(JsonElement type, string name)
    {
        var urls = new List<string>();
        if (!type.TryGetProperty(name, out var list)) return urls;
        foreach (var (i, url) in list.EnumerateArray().Index())
            if (url.ValueKind == JsonValueKind.String)
                urls.Add(url.GetString()!.Split('|')[0] + (Part(type, name, i) is { } part ? "#" + part : ""));
        return urls;
    }

    // An extension on the URL says which element of the profile is meant.
    private static string? Part(JsonElement type, string name, int at)
    {
        if (!type.TryGetProperty("_" + name, out var siblings) || siblings.GetArrayLength() <= at
            || siblings[at].ValueKind != JsonValueKind.Object || !siblings[at].TryGetProperty("extension", out var extensions))
            return null;
        foreach (var extension in extensions.EnumerateArray())
            if (extension.GetProperty("url").GetString() == PartOfProfile && extension.TryGetProperty("valueString", out var id))
                return id.GetString();
        return null;
    }
}

/// <summary>How one of several repetitions is told from the others.</summary>
/// <param name="Type">value, pattern, exists, type or profile.</param>
/// <param name="Path">Where to look, in FHIRPath from the repetition.</param>
internal sealed record Discriminator(string Type, string Path)
{
    private FhirPathExpression? _compiled;
    private string[]? _steps;

    public FhirPathExpression Compiled => _compiled ??= FhirPathExpression.Compile(Path);

    /// <summary>
    /// The path step by step: names, <c>extension('url')</c>, <c>resolve()</c>; what changes the view alone (<c>$this</c>, <c>ofType()</c>)
    /// is left out.
    /// </summary>
    public ReadOnlySpan<string> Steps => _steps ??= [.. Split(Path)];

    private static List<string> Split(string path)
    {
        var steps = new List<string>();
        var (depth, start) = (0, 0);
        for (var i = 0; i <= path.Length; i++)
        {
            if (i < path.Length && path[i] == '(') depth++;
            if (i < path.Length && path[i] == ')') depth--;
            if (i < path.Length && (path[i] != '.' || depth > 0)) continue;
            var step = path[start..i].Trim();
            if (step.Length > 0 && step != "$this" && !step.StartsWith("ofType(", StringComparison.Ordinal)
                && !step.StartsWith("as(", StringComparison.Ordinal))
                steps.Add(step);
            start = i + 1;
        }
        return steps;
    }
}

/// <summary>The slicing of an element. https://hl7.org/fhir/R4/profiling.html#slicing</summary>
/// <param name="Discriminators">What tells the slices apart.</param>
/// <param name="Rules">open, closed or openAtEnd.</param>
/// <param name="IsOrdered">Whether the slices come in the order of their definition.</param>
internal sealed record Slicing(IReadOnlyList<Discriminator> Discriminators, string Rules, bool IsOrdered)
{
    /// <summary>Reads ElementDefinition.slicing.</summary>
    /// <exception cref="MalformedElementException">A discriminator or the rules are of no known kind.</exception>
    public static Slicing Read(JsonElement slicing)
    {
        var rules = slicing.TryGetProperty("rules", out var given) ? given.GetString()! : "open";
        if (rules is not ("open" or "closed" or "openAtEnd"))
            throw new MalformedElementException($"slicing is open, closed or openAtEnd, not {rules}");
        List<Discriminator> discriminators = slicing.TryGetProperty("discriminator", out var list)
            ? [.. list.EnumerateArray()
                .Select(d => new Discriminator(d.GetProperty("type").GetString()!, d.GetProperty("path").GetString()!))]
            : [];
        foreach (var discriminator in discriminators)
        {
            if (discriminator.Type is not ("value" or "pattern" or "exists" or "type" or "profile"))
                throw new MalformedElementException($"there is no discriminator of type {discriminator.Type}");
            _ = discriminator.Compiled;
        }
        return new Slicing(discriminators, rules, slicing.TryGetProperty("ordered", out var ordered) && ordered.GetBoolean());
    }
}

/// <summary>What a profile says of one element, or of one slice of it.</summary>
internal sealed class ProfileElement
{
    /// <summary>Id of the element in the profile, e.g. <c>Patient.identifier:mrn.system</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Its path: the id without slice names.</summary>
    public required string Path { get; init; }

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

    /// <summary>The rules of all instances in one parent.</summary>
    public List<RepetitionRule> RepetitionRules { get; } = [];

    public List<ProfileElement> Slices { get; } = [];

    public List<ProfileElement> Children { get; } = [];

    /// <summary>Where the children are instead: id of another element of the profile.</summary>
    public string? ContentReference { get; set; }

    public ProfileElement? Child(string name) => Children.Find(c => c.Name == name);

    /// <summary>This element, or one below it, by id.</summary>
    public ProfileElement? Find(string id)
    {
        if (Id == id) return this;
        foreach (var below in Children.Concat(Slices))
            if (id.StartsWith(below.Id, StringComparison.Ordinal) && below.Find(id) is { } found) return found;
        return null;
    }
}
