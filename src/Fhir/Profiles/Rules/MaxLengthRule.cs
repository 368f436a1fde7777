using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>Most characters of a text.</summary>
internal sealed class MaxLengthRule(int max) : ElementRule
{
    public static void Build(RuleSource source)
    {
        if (!source.Definition.TryGetProperty("maxLength", out var max)) return;
        if (max.GetInt32() < 1) throw new MalformedElementException($"maxLength is a number from 1, not {max}");
        source.Element.Rules.Add(new MaxLengthRule(max.GetInt32()));
    }

    public override void Check(ProfileRun run, in Item item, ElementNode at)
    {
        if (item.HasScalar && item.Node.Kind == JsonTokenType.String && item.Node.Text.EnumerateRunes().Count() is var length
            && length > max)
            run.Error(IssueCode.Value, at, $"at most {max} characters are allowed, {length} given");
    }
}
