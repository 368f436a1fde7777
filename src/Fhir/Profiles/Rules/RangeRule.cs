using System.Globalization;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>Least or greatest value: minValue[x], maxValue[x].</summary>
internal sealed class RangeRule(object limit, string shown, bool isMin) : ElementRule
{
    private static readonly string[] Types =
        ["Quantity", "Time", "Date", "DateTime", "Instant", "Decimal", "Integer", "PositiveInt", "UnsignedInt"];

    public static void Build(RuleSource source)
    {
        foreach (var (type, bound) in source.Choices("minValue")) Add(source, type, bound, true);
        foreach (var (type, bound) in source.Choices("maxValue")) Add(source, type, bound, false);
    }

    public override void Check(ProfileRun run, in Item item, ElementNode at)
    {
        if (item.Value is not { } value || value is FhirTemporal != limit is FhirTemporal
            || value is QuantityValue != limit is QuantityValue)
            return;
        var order = FhirPathValues.Order(value, limit);
        if (isMin ? order < 0 : order > 0)
            run.Error(IssueCode.Value, at, isMin ? $"the value is below the least, {shown}" : $"the value is above the greatest, {shown}");
    }

    private static void Add(RuleSource source, string type, JsonElement bound, bool isMin)
    {
        // R5 has more: a span of time, counted from today.
        if (!Types.Contains(type)) return;
        var text = bound.ValueKind == JsonValueKind.String ? bound.GetString()! : bound.GetRawText();
        object? limit = type switch
        {
            "Quantity" => FhirPathValues.QuantityOf(text),
            "Time" => FhirTemporal.Parse(TemporalKind.Time, text),
            "Date" => FhirTemporal.Parse(TemporalKind.Date, text),
            "DateTime" or "Instant" => FhirTemporal.Parse(TemporalKind.DateTime, text),
            _ => decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null,
        };
        source.Element.Rules.Add(new RangeRule(limit ?? throw new MalformedElementException($"{text} is no {type}"), text, isMin));
    }
}
