using System.Collections.Concurrent;
using Fhir.Metrics;

namespace PmrGateway.Fhir;

/// <summary>
/// Units of UCUM in the base units of their dimension, by Fhir.Metrics. Its tables take most of a second to load: they are not touched
/// before two different units meet, and each unit is worked out once. https://ucum.org
/// </summary>
internal static class Ucum
{
    private const int MaxKnown = 4096;
    private const int MaxLength = 64;
    private static readonly Lazy<SystemOfUnits> Units = new(UCUM.Load);
    private static readonly ConcurrentDictionary<string, (decimal Factor, string Dimension)?> Known = new(StringComparer.Ordinal);

    /// <summary>
    /// How many of the base units a unit is, and their dimension; null: it is no unit of UCUM, or one without a factor (Cel is one of
    /// those: 0 degrees are not nothing), or out of the range of a decimal.
    /// </summary>
    /// <param name="unit">A UCUM code, e.g. <c>mg/dL</c>.</param>
    public static (decimal Factor, string Dimension)? InBaseUnits(string unit)
    {
        if (Known.TryGetValue(unit, out var known)) return known;
        // A unit of a document may be made to be slow, and there is no end of them.
        if (unit.Length > MaxLength) return null;
        if (Known.Count >= MaxKnown) Known.Clear();
        return Known[unit] = Work(unit);
    }

    private static (decimal Factor, string Dimension)? Work(string unit)
    {
        try
        {
            lock (Units)
            {
                var canonical = Units.Value.Canonical(Units.Value.Quantity(Exponential.Exact(1m), unit));
                var axes = canonical.Metric.Axes.Where(a => a.Exponent != 0 && a.Unit.Symbol != "1")
                    .Select(a => $"{a.Unit.Symbol}{a.Exponent}").Order(StringComparer.Ordinal);
                return (canonical.Value.ToDecimal(), string.Join('.', axes));
            }
        }
        catch (Exception e) when (
            e is ArgumentException or InvalidCastException or ArithmeticException or FormatException or InvalidOperationException)
        {
            return null;
        }
    }
}
