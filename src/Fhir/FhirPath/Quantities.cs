namespace PmrGateway.Fhir;

/// <summary>Arithmetic of two quantities.</summary>
internal static class Quantities
{
    /// <summary>The sum or difference, in the finer of the two units; null where they are not of one dimension.</summary>
    public static QuantityValue? Sum(QuantityValue a, QuantityValue b, bool subtract)
    {
        var sign = subtract ? -1 : 1;
        if (a.Unit == b.Unit && a.IsCalendar == b.IsCalendar) return a with { Value = a.Value + sign * b.Value };
        if (a.IsCalendar || b.IsCalendar || Ucum.InBaseUnits(a.Unit) is not { } x || Ucum.InBaseUnits(b.Unit) is not { } y
            || x.Dimension != y.Dimension)
            return null;
        return x.Factor <= y.Factor
            ? a with { Value = a.Value + sign * b.Value * (y.Factor / x.Factor) }
            : b with { Value = a.Value * (x.Factor / y.Factor) + sign * b.Value };
    }

    /// <summary>The product or quotient, with the unit that this gives; null for a division by zero.</summary>
    public static QuantityValue? Product(QuantityValue a, QuantityValue b, bool divide)
    {
        if (divide && b.Value == 0) return null;
        var value = divide ? a.Value / b.Value : a.Value * b.Value;
        if (b.Unit == "1") return a with { Value = value };
        if (a.Unit == "1" && !divide) return b with { Value = value };
        if (a.Unit == b.Unit) return new QuantityValue(value, divide ? "1" : a.Unit + "2", false);
        return new QuantityValue(value, divide ? $"{a.Unit}/{b.Unit}" : $"{a.Unit}.{b.Unit}", false);
    }
}
