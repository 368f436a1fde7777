using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Flows;

/// <summary>The tag of a resource of which a part was left out. https://hl7.org/fhir/R4/search.html#summary</summary>
internal static class Subsetted
{
    /// <summary>The tag's system.</summary>
    public const string System = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

    /// <summary>The tag's code.</summary>
    public const string Code = "SUBSETTED";

    /// <summary>Whether a tag is that one.</summary>
    public static bool Is(ElementNode tag) => tag.StringAt("system") == System && tag.StringAt("code") == Code;

    /// <summary>Why a resource is not written: what was left out of it would be lost. Null: it is not marked as a part.</summary>
    public static Outcome? Refusal(ResourceDocument resource)
    {
        if (resource.Root["meta"] is not { } meta || !meta.ItemsAt("tag").Any(Is)) return null;
        var text = $"the tag {Code} says that a part was left out: read it without _summary and _elements, and change that";
        return new Outcome(
            OutcomeCategory.Invalid,
            [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, $"{resource.ResourceType}.meta.tag", text)]);
    }
}
