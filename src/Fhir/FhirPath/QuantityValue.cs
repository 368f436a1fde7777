namespace PmrGateway.Fhir;

/// <summary>A number with a unit.</summary>
/// <param name="Value">The number.</param>
/// <param name="Unit">A UCUM code, or the singular name of a calendar duration.</param>
/// <param name="IsCalendar">Whether <paramref name="Unit"/> is a calendar duration: a year is not 365.25 days.</param>
internal sealed record QuantityValue(decimal Value, string Unit, bool IsCalendar)
{
    /// <summary>Less than, equal to, greater than 0; null: the units do not compare.</summary>
    public static int? Compare(QuantityValue a, QuantityValue b)
    {
        if (a.Unit == b.Unit && a.IsCalendar == b.IsCalendar) return a.Value.CompareTo(b.Value);
        // Above weeks a calendar duration and its UCUM namesake are not of one length.
        if (Milliseconds(a) is { } left && Milliseconds(b) is { } right) return left.CompareTo(right);
        return InOneUnit(a, b) is { } same ? same.A.CompareTo(same.B) : null;
    }

    /// <summary>
    /// The numbers of two UCUM quantities in the base units of their dimension; null: they are of two dimensions, or not to be told.
    /// </summary>
    public static (decimal A, decimal B)? InOneUnit(QuantityValue a, QuantityValue b)
    {
        if (a.IsCalendar || b.IsCalendar || Ucum.InBaseUnits(a.Unit) is not { } x || Ucum.InBaseUnits(b.Unit) is not { } y
            || x.Dimension != y.Dimension)
            return null;
        try
        {
            return (a.Value * x.Factor, b.Value * y.Factor);
        }
        catch (OverflowException)
        {
            return null;
        }
    }

    /// <summary>Whether the units are of one dimension.</summary>
    public static bool AreComparable(QuantityValue a, QuantityValue b) => Compare(a, b) is not null;

    /// <inheritdoc/>
    public override string ToString() => IsCalendar
        ? $"{FhirPathValues.Text(Value)} {Unit}{(Value == 1 ? "" : "s")}"
        : $"{FhirPathValues.Text(Value)} '{Unit}'";

    private static decimal? Milliseconds(QuantityValue q) => (q.IsCalendar, q.Unit) switch
    {
        (true, "week") or (false, "wk") => q.Value * 604_800_000,
        (true, "day") or (false, "d") => q.Value * 86_400_000,
        (true, "hour") or (false, "h") => q.Value * 3_600_000,
        (true, "minute") or (false, "min") => q.Value * 60_000,
        (true, "second") or (false, "s") => q.Value * 1000,
        (true, "millisecond") or (false, "ms") => q.Value,
        _ => null,
    };
}
