using System.Globalization;
using System.Text;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>One rule of a profile over an instance of an element.</summary>
internal abstract class ElementRule
{
    public abstract void Check(ValidationRun run, in Item item, ElementNode at);
}

/// <summary>A value given in a profile: fixed[x] must be equal, pattern[x] contained.</summary>
internal sealed class ValueRule : ElementRule
{
    private readonly ResourceDocument _document;

    public ValueRule(string json, bool isFixed)
    {
        IsFixed = isFixed;
        _document = ResourceDocument.TryParse(Encoding.UTF8.GetBytes($"{{\"value\":{json}}}"), out var document, out var issue) ? document! : throw new FormatException(issue!.Text);
    }

    public bool IsFixed { get; }

    public ElementNode Value => _document.Root["value"]!.Value;

    public override void Check(ValidationRun run, in Item item, ElementNode at)
    {
        if (item.Row < 0 || !Holds(item.Node, Value, IsFixed)) run.Sink.Error(IssueCode.Value, at, IsFixed ? "the value is not the one that the profile fixes" : "the value does not hold what the profile's pattern asks for");
    }

    public static bool Holds(ElementNode node, ElementNode pattern, bool isFixed)
    {
        if (pattern.Kind == JsonTokenType.StartArray)
        {
            if (node.Kind != JsonTokenType.StartArray || (isFixed && node.ChildCount != pattern.ChildCount)) return false;
            foreach (var wanted in pattern)
            {
                var any = false;
                foreach (var item in node) any |= Holds(item, wanted, isFixed);
                if (!any) return false;
            }
            return true;
        }
        if (node.Kind != pattern.Kind) return false;
        if (pattern.Kind != JsonTokenType.StartObject)
            return node.Kind == JsonTokenType.Number && decimal.TryParse(node.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var a) && decimal.TryParse(pattern.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var b)
                ? a == b
                : node.Text == pattern.Text;
        if (isFixed && node.ChildCount != pattern.ChildCount) return false;
        foreach (var wanted in pattern)
            if (node[wanted.Name!] is not { } child || !Holds(child, wanted, isFixed)) return false;
        return true;
    }
}

/// <summary>A value set.</summary>
internal sealed class BindingRule(Binding binding) : ElementRule
{
    public Binding Binding => binding;

    public override void Check(ValidationRun run, in Item item, ElementNode at)
    {
        if (item.Row >= 0) BindingRules.Check(run, binding, item.Node);
    }
}

/// <summary>A rule in FHIRPath.</summary>
internal sealed class InvariantRule(Invariant invariant) : ElementRule
{
    public override void Check(ValidationRun run, in Item item, ElementNode at) => run.Check(invariant, item, at);
}

/// <summary>Most characters of a text.</summary>
internal sealed class MaxLengthRule(int max) : ElementRule
{
    public override void Check(ValidationRun run, in Item item, ElementNode at)
    {
        if (item.HasScalar && item.Node.Kind == JsonTokenType.String && item.Node.Text.EnumerateRunes().Count() is var length && length > max)
            run.Sink.Error(IssueCode.Value, at, $"at most {max} characters are allowed, {length} given");
    }
}

/// <summary>Least or greatest value.</summary>
internal sealed class RangeRule(string type, string bound, bool isMin) : ElementRule
{
    public override void Check(ValidationRun run, in Item item, ElementNode at)
    {
        object? limit = type == "Quantity" ? FhirPathValues.QuantityOf(bound) : type is "Date" or "DateTime" or "Instant" or "Time"
            ? FhirTemporal.Parse(type == "Time" ? TemporalKind.Time : type == "Date" ? TemporalKind.Date : TemporalKind.DateTime, bound)
            : decimal.TryParse(bound, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;
        if (limit is null || item.Value is not { } value || value is FhirTemporal != limit is FhirTemporal || value is QuantityValue != limit is QuantityValue) return;
        var order = FhirPathValues.Compare(value, limit);
        if (isMin ? order < 0 : order > 0) run.Sink.Error(IssueCode.Value, at, isMin ? $"the value is below the least, {bound}" : $"the value is above the greatest, {bound}");
    }
}
