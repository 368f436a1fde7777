using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>Whether a coded element is of its value set. https://hl7.org/fhir/R4/terminologies.html#strength</summary>
internal static class BindingRules
{
    public static void Check(ValidationRun run, Binding binding, ElementNode node)
    {
        switch (node.Kind)
        {
            case JsonTokenType.String:
                Span<char> buffer = stackalloc char[128];
                if (run.Profiles.Terminology.Contains(binding.ValueSet, null, node.TextIn(buffer)) == false)
                    Report(run, binding, node, null);
                break;
            case JsonTokenType.StartObject when node.Type?.Name == "CodeableConcept":
                Concept(run, binding, node);
                break;
            case JsonTokenType.StartObject when node.Type?.Name is "Coding" or "Quantity":
                if (Contains(run, binding, node) == false) Report(run, binding, node, node);
                break;
        }
    }

    private static void Concept(ValidationRun run, Binding binding, ElementNode node)
    {
        ElementNode? first = null;
        foreach (var coding in node.ItemsAt("coding"))
        {
            // One coding of the set is enough; one that cannot be told leaves it open.
            if (Contains(run, binding, coding) is not false) return;
            first ??= coding;
        }
        if (first is { } outside) Report(run, binding, node, outside);
        else if (binding.Strength == BindingStrength.Required && node["text"] is not null && node["coding"] is null)
            run.Sink.Error(IssueCode.CodeInvalid, node, $"a code of the value set {binding.ValueSet} is required, a text is not enough");
    }

    private static bool? Contains(ValidationRun run, Binding binding, ElementNode coding)
    {
        if (coding.StringAt("code") is not { } code) return null;
        // A code without its system is of no value set; that it means the right one is nobody's to say.
        return run.Profiles.Terminology.Contains(binding.ValueSet, coding.StringAt("system") ?? "", code);
    }

    private static void Report(ValidationRun run, Binding binding, ElementNode node, ElementNode? coding)
    {
        var shown = IssueSink.Shown(coding is { } c ? $"{c.StringAt("system")}#{c.StringAt("code")}" : node.Text);
        if (binding.Strength == BindingStrength.Required)
            run.Sink.Error(IssueCode.CodeInvalid, node, $"'{shown}' is not in the required value set {binding.ValueSet}");
        else
            run.Sink.Warning(IssueCode.CodeInvalid, node, $"'{shown}' is not in the extensible value set {binding.ValueSet}");
    }
}
