using System.Globalization;
using System.Text.RegularExpressions;

namespace PmrGateway.Fhir;

internal static partial class Functions
{
    private static void AddConversions()
    {
        AddConversion("Boolean", (v, _) => v switch
        {
            bool => v,
            int i when i is 0 or 1 => i == 1,
            decimal d when d is 0m or 1m => d == 1,
            string s =>
                s.ToLowerInvariant() switch
                {
                    "true" or "t" or "yes" or "y" or "1" or "1.0" => true,
                    "false" or "f" or "no" or "n" or "0" or "0.0" => false,
                    _ => (object?)null
                },
            _ => null,
        });
        AddConversion("Integer", (v, _) => v switch
        {
            int => v,
            bool b => b ? 1 : 0,
            string s when int.TryParse(s, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var i) => i,
            _ => null,
        });
        AddConversion("Long", (v, _) => v switch
        {
            int i => (long)i,
            long => v,
            bool b => b ? 1L : 0L,
            string s when long.TryParse(s, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var l) => l,
            _ => null,
        });
        AddConversion("Decimal", (v, _) => v switch
        {
            decimal => v,
            int or long => FhirPathValues.Number(v),
            bool b => b ? 1.0m : 0.0m,
            string s when DecimalText().IsMatch(s)
                && decimal.TryParse(
                    s, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var d) => d,
            _ => null,
        });
        AddConversion("String", (v, _) => FhirPathValues.Text(v));
        AddConversion(
            "Date",
            (v, _) =>
                v switch
                {
                    FhirTemporal { Kind: not TemporalKind.Time } t => t.To(TemporalKind.Date),
                    string s => FhirTemporal.Parse(TemporalKind.DateTime, s)?.To(TemporalKind.Date),
                    _ => null
                });
        AddConversion(
            "DateTime",
            (v, _) =>
                v switch
                {
                    FhirTemporal { Kind: not TemporalKind.Time } t => t.To(TemporalKind.DateTime),
                    string s => FhirTemporal.Parse(TemporalKind.DateTime, s),
                    _ => null
                });
        AddConversion(
            "Time",
            (v, _) =>
                v switch
                {
                    FhirTemporal { Kind: TemporalKind.Time } => v,
                    string s => FhirTemporal.Parse(TemporalKind.Time, s.TrimStart('T')),
                    _ => null
                });
        AddConversion("Quantity", Quantity);
    }

    private static void AddConversion(string type, Func<object, string?, object?> of)
    {
        AddScalar("to" + type, 0, 1, (v, a) => of(v, a.Length > 0 ? a[0] as string : null));
        AddScalar("convertsTo" + type, 0, 1, (v, a) => of(v, a.Length > 0 ? a[0] as string : null) is not null);
    }

    private static object? Quantity(object value, string? unit)
    {
        QuantityValue? quantity = value switch
        {
            QuantityValue q => q,
            int or long or decimal => new QuantityValue(FhirPathValues.Number(value)!.Value, "1", false),
            bool b => new QuantityValue(b ? 1.0m : 0.0m, "1", false),
            string s when QuantityText().Match(s) is { Success: true } m
                && decimal.TryParse(
                    m.Groups[1].Value,
                    NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint,
                    CultureInfo.InvariantCulture,
                    out var number) =>
                m.Groups[2].Success
                    ? new QuantityValue(number, m.Groups[2].Value, false)
                    : m.Groups[3].Success
                    ? new QuantityValue(number, m.Groups[3].Value.TrimEnd('s'), true)
                    : new QuantityValue(number, "1", false),
            _ => null,
        };
        if (quantity is null || unit is null || quantity.Unit == unit) return quantity;
        return QuantityValue.AreComparable(quantity, new QuantityValue(1, unit, false)) ? quantity : null;
    }

    [GeneratedRegex(@"\A[+-]?\d+(\.\d+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex DecimalText();

    [GeneratedRegex(
        @"\A([+-]?\d+(?:\.\d+)?)(?:\s*'([^']+)'|\s+(years?|months?|weeks?|days?|hours?|minutes?|seconds?|milliseconds?))?\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex QuantityText();
}
