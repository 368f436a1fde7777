using FsCheck;
using FsCheck.Fluent;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

/// <summary>A date of birth is found by the names of the spans that it lies in exactly where its range would be.</summary>
public class PersonDateTests
{
    private static readonly string[] Prefixes = ["eq", "lt", "le", "gt", "ge", "sa", "eb", "ap"];

    [Fact]
    public void Names_of_spans_say_what_ranges_say()
    {
        var (found, asked) = (0, 0);
        var any = from born in Any
                  from value in Gen.OneOf(Any, Any, Time)
                  from prefix in Gen.Elements(Prefixes)
                  select (born, value, prefix);
        Prop.ForAll(any.ToArbitrary(), x =>
        {
            var value = new SearchValue(null, null, x.prefix, x.value.From, x.value.To);
            var byName = PersonDates.Of(x.born.From, x.born.To).Intersect(PersonDates.Matching(value)).Any();
            asked++;
            if (byName) found++;
            return (byName == ByRange(x.born, value)).Label($"{x.prefix} {Text(x.value)} of {Text(x.born)}: {byName} by name");
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5000));
        // Neither answer is given to all.
        Assert.InRange(found, asked / 10, asked * 9 / 10);
    }

    [Fact]
    public void A_day_has_four_names_and_a_long_span_is_asked_by_few()
    {
        var day = Of(new DateOnly(1980, 5, 3), 'd');
        Assert.Equal(["c19", "1980", "1980-05", "1980-05-03"], PersonDates.Of(day.From, day.To));
        var month = Of(new DateOnly(1980, 5, 3), 'm');
        Assert.Equal(["c19", "1980", "1980-05", "=1980-05"], PersonDates.Of(month.From, month.To));
        var year = Of(new DateOnly(1980, 5, 3), 'y');
        Assert.Equal(["c19", "1980", "=1980"], PersonDates.Of(year.From, year.To));
        Assert.Equal(["1980"], PersonDates.Matching(new SearchValue(null, null, "eq", year.From, year.To)));
        Assert.InRange(PersonDates.Matching(new SearchValue(null, null, "ge", day.From, day.To)).Count, 1, 250);
    }

    private static bool ByRange((long From, long To) born, SearchValue value)
    {
        var inside = born.From >= value.From && born.To <= value.To;
        return value.Prefix switch
        {
            "lt" => born.From < value.From,
            "le" => born.From < value.From || inside,
            "gt" => born.To > value.To,
            "ge" => born.To > value.To || inside,
            "sa" => born.From >= value.To,
            "eb" => born.To <= value.From,
            "ap" => born.From < value.To && born.To > value.From,
            _ => inside,
        };
    }

    // Near each other, and over the end of a century.
    private static Gen<(long From, long To)> Any =>
        from days in Gen.Frequency((3, Gen.Choose(-40, 40)), (1, Gen.Choose(-5000, 5000)))
        from precision in Gen.Elements('y', 'm', 'd')
        select Of(new DateOnly(2000, 1, 1).AddDays(days), precision);

    // A search may name a minute, or a span that begins and ends at any.
    private static Gen<(long From, long To)> Time =>
        from span in Any
        from begin in Gen.Choose(0, 1439)
        from end in Gen.Choose(0, 1439)
        let start = span.From + (begin * 60_000)
        select (start, Math.Max(start + 60_000, span.To - (end * 60_000)));

    private static (long From, long To) Of(DateOnly day, char precision)
    {
        var from = precision switch { 'y' => new DateOnly(day.Year, 1, 1), 'm' => new DateOnly(day.Year, day.Month, 1), _ => day };
        var to = precision switch { 'y' => from.AddYears(1), 'm' => from.AddMonths(1), _ => from.AddDays(1) };
        return (At(from), At(to));
    }

    private static long At(DateOnly day) => new DateTimeOffset(day, TimeOnly.MinValue, TimeSpan.Zero).ToUnixTimeMilliseconds();

    private static string Text((long From, long To) span) =>
        $"{DateTimeOffset.FromUnixTimeMilliseconds(span.From):s}/{DateTimeOffset.FromUnixTimeMilliseconds(span.To):s}";
}
