namespace PmrGateway.Fhir;

/// <summary>Arithmetic of two quantities.</summary>
internal static class Quantities
{
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
