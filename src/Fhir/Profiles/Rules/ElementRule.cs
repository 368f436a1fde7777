using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>One rule of a profile over each instance of an element.</summary>
internal abstract class ElementRule
{
    /// <summary>Checks one instance.</summary>
    /// <param name="run">The run of the profile.</param>
    /// <param name="item">The instance.</param>
    /// <param name="at">Where a finding is: the instance's value, or its <c>_name</c> where it has none.</param>
    public abstract void Check(ProfileRun run, in Item item, ElementNode at);
}

/// <summary>One rule of a profile over all repetitions of an element together.</summary>
internal abstract class RepetitionRule
{
    /// <summary>Checks the repetitions in one parent.</summary>
    public abstract void Check(ProfileRun run, Repetition[] repetitions, ElementNode parent);
}

/// <summary>One of the repetitions of an element.</summary>
/// <param name="Item">The instance.</param>
/// <param name="Index">Its place in the array; -1 where the element is none.</param>
internal readonly record struct Repetition(Item Item, int Index)
{
    /// <summary>The instance's value, or its <c>_name</c> where it has none.</summary>
    public ElementNode At => new(Item.Document!, Item.Row >= 0 ? Item.Row : Item.Sibling);
}

/// <summary>What a rule is built from.</summary>
/// <param name="Schema">The types of the core.</param>
/// <param name="Element">The element of the profile that the rule is for.</param>
/// <param name="Definition">Its ElementDefinition.</param>
/// <param name="Type">The type that the profile constrains.</param>
/// <param name="Profile">Canonical URL of the profile.</param>
/// <param name="Core">The element of that type, or null for the root and what the core does not have.</param>
internal sealed record RuleSource(
    FhirSchema Schema, ProfileElement Element, JsonElement Definition, string Type, string Profile, ElementSpec? Core)
{
    /// <summary>Path of the element, without slice names.</summary>
    public string Path => Definition.TryGetProperty("path", out var path) ? path.GetString()! : Element.Id;

    /// <summary>The choice elements of the ElementDefinition of a name: <c>fixed</c> gives fixedCode and fixedUri.</summary>
    public IEnumerable<(string Type, JsonElement Value)> Choices(string name)
    {
        foreach (var property in Definition.EnumerateObject())
            if (property.Name.StartsWith(name, StringComparison.Ordinal) && property.Name.Length > name.Length
                && char.IsAsciiLetterUpper(property.Name[name.Length]))
                yield return (property.Name[name.Length..], property.Value);
    }
}
