namespace PmrGateway.Fhir;

internal static partial class Functions
{
    private const int DefaultPrecision = 8;
    private const int MaxPrecision = 28;

    private static void AddNumbers()
    {
        AddScalar(
            "abs",
            0,
            0,
            (v, _) =>
                v switch
                {
                    int i => Math.Abs(i),
                    decimal d => Math.Abs(d),
                    long l => Math.Abs(l),
                    QuantityValue q => q with { Value = Math.Abs(q.Value) },
                    _ => throw NotANumber("abs")
                });
        AddScalar("ceiling", 0, 0, (v, _) => Whole(decimal.Ceiling(Number("ceiling", v))));
        AddScalar("floor", 0, 0, (v, _) => Whole(decimal.Floor(Number("floor", v))));
        AddScalar("truncate", 0, 0, (v, _) => Whole(decimal.Truncate(Number("truncate", v))));
        AddScalar("round", 0, 1, (v, a) => (a.Length == 0 || a[0] is null ? 0 : a[0]) is int digits and >= 0 and <= MaxPrecision
            ? decimal.Round(Number("round", v), digits, MidpointRounding.AwayFromZero)
            : throw FhirPathException.Execution("round() takes a number of digits"));
        AddScalar("exp", 0, 0, (v, _) => Real(Math.Exp((double)Number("exp", v))));
        AddScalar("ln", 0, 0, (v, _) => Real(Math.Log((double)Number("ln", v))));
        AddScalar("sqrt", 0, 0, (v, _) => Real(Math.Sqrt((double)Number("sqrt", v))));
        AddScalar("log", 1, 1, (v, a) => a[0] is { } b ? Real(Math.Log((double)Number("log", v), (double)Number("log", b))) : null);
        AddScalar("power", 1, 1, (v, a) => a[0] is not { } e ? null
            : Real(Math.Pow((double)Number("power", v), (double)Number("power", e))) is { } power && v is int && e is int and >= 0
                ? Whole(decimal.Round(power))
                : Real(Math.Pow((double)Number("power", v), (double)Number("power", e))));
        AddScalar("lowBoundary", 0, 1, (v, a) => Boundary(v, a, high: false));
        AddScalar("highBoundary", 0, 1, (v, a) => Boundary(v, a, high: true));
        AddScalar("precision", 0, 0, (v, _) => v switch
        {
            FhirTemporal t => t.Precision,
            decimal d => (int)d.Scale,
            int or long => 0,
            _ => null,
        });
        AddScalar("comparable", 1, 1, (v, a) => (v, a[0]) is (QuantityValue x, QuantityValue y) ? QuantityValue.AreComparable(x, y) : null);
    }

    private static FhirPathException NotANumber(string function) => FhirPathException.Execution($"{function}() is asked of a number");

    private static decimal Number(string function, object value) => FhirPathValues.Number(value) ?? throw NotANumber(function);

    private static object Whole(decimal number) => number is >= int.MinValue and <= int.MaxValue ? (int)number : (object)number;

    private static decimal? Real(double number)
    {
        if (!double.IsFinite(number) || Math.Abs(number) > (double)decimal.MaxValue) return null;
        return (decimal)number;
    }

    private static object? Boundary(object value, object?[] arguments, bool high)
    {
        var digits = arguments.Length > 0 ? arguments[0] as int? : null;
        switch (value)
        {
            case FhirTemporal temporal:
                return temporal.Boundary(high, digits);
            case QuantityValue quantity:
                return Boundary(quantity.Value, digits, high) is { } bound ? quantity with { Value = bound } : null;
            default:
                return Boundary(Number("boundary", value), digits, high);
        }
    }

    // Half a unit of the last digit written, then cut outwards at the precision asked for.
    private static decimal? Boundary(decimal value, int? digits, bool high)
    {
        var precision = digits ?? DefaultPrecision;
        if (precision is < 0 or > MaxPrecision) return null;
        var half = 0.5m * Unit(value.Scale);
        var bound = high ? value + half : value - half;
        var unit = Unit((byte)precision);
        var cut = (high ? decimal.Ceiling(bound / unit) : decimal.Floor(bound / unit)) * unit;
        // With as many digits as were asked for, zeros too.
        return cut + new decimal(0, 0, 0, false, (byte)precision);
    }

    private static decimal Unit(byte scale) => new(1, 0, 0, false, scale);
}
