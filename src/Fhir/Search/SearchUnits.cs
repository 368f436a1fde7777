namespace PmrGateway.Fhir;

/// <summary>Units in which quantities of one kind can be compared. https://hl7.org/fhir/R4/search.html#quantity</summary>
public static class SearchUnits
{
    private const double LeastInDecimals = 1e-12;
    private const string UcumSystem = "http://unitsofmeasure.org";

    /// <summary>
    /// The dimension of a unit and how many of its base units it is; null: it is none of UCUM, or has no factor (a degree Celsius).
    /// </summary>
    /// <param name="system">The code system, or null.</param>
    /// <param name="code">The code, or null.</param>
    public static (decimal Factor, string Dimension)? InBaseUnits(string? system, string? code) =>
        system == UcumSystem && code is not null ? Ucum.InBaseUnits(code) : null;

    /// <summary>A number of a unit in base units. Infinite stays infinite.</summary>
    /// <param name="value">The number.</param>
    /// <param name="factor">How many base units the unit is.</param>
    public static double InBaseUnits(double value, decimal factor)
    {
        if (!double.IsFinite(value)) return value;
        // In decimals, so that 0.0054 g and 5.4 mg come to the same number; one that is too small for their digits not.
        try
        {
            var product = (double)((decimal)value * factor);
            return Math.Abs(product) > LeastInDecimals || value == 0 ? product : value * (double)factor;
        }
        catch (OverflowException)
        {
            return value * (double)factor;
        }
    }
}
