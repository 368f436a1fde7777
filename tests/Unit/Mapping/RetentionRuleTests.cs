using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.Mapping;

/// <summary>The retention table, a row a case.</summary>
public class RetentionRuleTests
{
    private static readonly RetentionTable Table = new(3, 18, new Dictionary<string, int> { ["ImagingStudy"] = 10, ["Consent"] = 1 });

    // type; last day that it is about (none: -); last written; births (?: not known; none: -), held ones with a !; until (-: no end), rule.
    [Theory]
    // From the later of what it is about and its last write, through the same day years later.
    [InlineData("Observation", "2020-01-02", "2020-01-02", "1980-01-01", "2023-01-02", "period")]
    [InlineData("Observation", "2020-01-02", "2021-06-30", "1980-01-01", "2024-06-30", "period")]
    [InlineData("Observation", "2022-01-02", "2021-06-30", "1980-01-01", "2025-01-02", "period")]
    [InlineData("Observation", "-", "2021-06-30", "1980-01-01", "2024-06-30", "period")]
    [InlineData("Observation", "-", "2021-06-30", "-", "2024-06-30", "period")]
    [InlineData("ImagingStudy", "2020-01-02", "2020-01-02", "1980-01-01", "2030-01-02", "period")]
    // A day that the year of the end does not have is over with the next.
    [InlineData("Observation", "2024-02-29", "2020-01-01", "1980-01-01", "2027-03-01", "period")]
    [InlineData("ImagingStudy", "2020-02-29", "2020-01-01", "1980-01-01", "2030-03-01", "period")]
    // What goes on has no end.
    [InlineData("CarePlan", "9999-12-31", "2020-01-01", "1980-01-01", "-", "no-end")]
    // A minor, until majority and the years.
    [InlineData("Observation", "2020-01-02", "2020-01-02", "2010-05-06", "2031-05-06", "minor")]
    [InlineData("ImagingStudy", "2020-01-02", "2020-01-02", "2010-05-06", "2038-05-06", "minor")]
    // Majority on the last day, the day before, the day behind.
    [InlineData("Observation", "2020-01-02", "2020-01-02", "2002-01-02", "2023-01-02", "period")]
    [InlineData("Observation", "2020-01-02", "2020-01-02", "2002-01-01", "2023-01-02", "period")]
    [InlineData("Observation", "2020-01-02", "2020-01-02", "2002-01-03", "2023-01-03", "minor")]
    // Born on 29 February: of age on 1 March of a year that has none.
    [InlineData("Observation", "2020-01-02", "2020-01-02", "2004-02-29", "2025-03-01", "minor")]
    [InlineData("Observation", "2022-02-28", "2020-01-02", "2004-02-29", "2025-03-01", "minor")]
    [InlineData("Observation", "2022-03-01", "2020-01-02", "2004-02-29", "2025-03-01", "period")]
    // Not known: as who was born on the record's last day.
    [InlineData("Observation", "2020-01-02", "2020-01-02", "?", "2041-01-02", "unknown-birth-date")]
    [InlineData("Observation", "2020-01-02", "2021-02-03", "?", "2042-02-03", "unknown-birth-date")]
    // Several patients: the latest of all, in any order.
    [InlineData("Observation", "2020-01-02", "2020-01-02", "1980-01-01 2010-05-06", "2031-05-06", "minor")]
    [InlineData("Observation", "2020-01-02", "2020-01-02", "2010-05-06 1980-01-01", "2031-05-06", "minor")]
    [InlineData("Observation", "2020-01-02", "2020-01-02", "2010-05-06 2015-07-08", "2036-07-08", "minor")]
    [InlineData("Observation", "2020-01-02", "2020-01-02", "2010-05-06 ?", "2041-01-02", "unknown-birth-date")]
    public void A_record_is_kept_until_the_latest_day_of_all_rules(
        string type, string about, string written, string births, string until, string rule)
    {
        var answer = RetentionRule.Of(Table, Record(type, about, written, births));
        Assert.Equal((until, rule), (answer.Until?.ToString("yyyy-MM-dd") ?? "-", answer.Rule));
    }

    [Theory]
    [InlineData("2023-01-01", false)]
    [InlineData("2023-01-02", false)]
    [InlineData("2023-01-03", true)]
    public void It_is_past_retention_on_the_day_behind_the_last_and_never_while_a_hold_stands_on_a_patient(string day, bool isPast)
    {
        var today = DateOnly.Parse(day);
        var record = Record("Observation", "2020-01-02", "2020-01-02", "1980-01-01 1981-01-01");
        Assert.Equal(isPast, RetentionRule.Of(Table, record).IsPast(today));
        foreach (var place in new[] { 0, 1 })
        {
            var patients = record.Patients.ToArray();
            patients[place] = patients[place] with { IsHeld = true };
            var held = RetentionRule.Of(Table, record with { Patients = patients });
            Assert.True(held.IsHeld);
            Assert.False(held.IsPast(today));
            // A hold does not move the day: that counts again when it is lifted.
            Assert.Equal(new DateOnly(2023, 1, 2), held.Until);
        }
    }

    [Fact]
    public void What_has_no_end_is_never_past_retention() =>
        Assert.False(RetentionRule.Of(Table, Record("CarePlan", "9999-12-31", "2020-01-01", "-")).IsPast(DateOnly.MaxValue));

    [Theory]
    [InlineData("9999-12-31", "2023-06-30")]
    [InlineData("-", "2023-06-30")]
    [InlineData("2022-01-02", "2025-01-02")]
    public void What_goes_on_ends_with_its_deletion_and_what_has_an_end_keeps_that(string about, string until)
    {
        var deleted = Record("CarePlan", about, "2020-06-30", "1980-01-01") with { IsDeleted = true };
        var answer = RetentionRule.Of(Table, deleted);
        Assert.Equal((DateOnly.Parse(until), RetentionBasis.Period), (answer.Until, answer.Basis));
    }

    [Theory]
    [InlineData("Consent", "2040-05-05", "2040-05-05", "longest")]
    [InlineData("Consent", "2021-05-05", "2021-06-30", "period")]
    [InlineData("AuditEvent", "2040-05-05", "2040-05-05", "longest")]
    [InlineData("AuditEvent", "2021-05-05", "2023-06-30", "period")]
    [InlineData("Patient", "9999-12-31", "-", "no-end")]
    [InlineData("Binary", "2040-05-05", "2040-05-05", "longest")]
    public void Consents_the_audit_log_the_Patient_and_a_Binary_are_kept_at_least_as_long_as_the_longest_record_that_they_go_with(
        string type, string longest, string until, string rule)
    {
        Assert.True(RetentionRule.GoesWithLongest(type));
        var answer = RetentionRule.Of(
            Table, Record(type, "-", "2020-06-30", "1980-01-01") with { Longest = DateOnly.Parse(longest) });
        Assert.Equal((until, rule), (answer.Until?.ToString("yyyy-MM-dd") ?? "-", answer.Rule));
    }

    [Fact]
    public void What_is_of_the_directory_is_never_past_retention()
    {
        foreach (var type in DirectoryTypes.All)
        {
            var answer = RetentionRule.Of(Table, Record(type, "2001-01-01", "2001-01-01", "-") with { IsDeleted = true });
            Assert.Equal((null, "directory", false), (answer.Until, answer.Rule, answer.IsPast(DateOnly.MaxValue)));
        }
    }

    [Fact]
    public void Nobody_is_a_minor_where_the_age_of_majority_is_zero() =>
        Assert.Equal(
            (new DateOnly(2023, 1, 2), RetentionBasis.Period),
            RetentionRule.Of(Table with { AgeOfMajority = 0 }, Record("Observation", "2020-01-02", "2020-01-02", "2010-05-06 ?"))
                is var a ? (a.Until!.Value, a.Basis) : default);

    [Fact]
    public void The_latest_of_whatever_rules_speak_is_never_before_any_of_them()
    {
        // Each day of four years with a leap day, and who was born around them or is not known.
        RetainedPatient[] people =
        [
            new(null), new(new DateOnly(1950, 3, 1)), new(new DateOnly(2001, 12, 31)), new(new DateOnly(2004, 2, 29)),
            new(new DateOnly(2019, 7, 1)),
        ];
        for (var day = 0; day < 4 * 366; day++)
        {
            var written = Instant("2018-06-01").AddDays(day);
            for (var among = 0; among < 1 << people.Length; among++)
            {
                var patients = people.Where((_, i) => (among & (1 << i)) != 0).ToList();
                var record = new RetainedRecord("Observation", null, written, patients);
                var until = RetentionRule.Of(Table, record).Until!.Value;
                Assert.True(until >= RetentionRule.Of(Table, record with { Patients = [] }).Until);
                foreach (var patient in patients)
                {
                    Assert.True(until >= RetentionRule.Of(Table, record with { Patients = [patient] }).Until);
                    if (patient.Birth is { } birth) Assert.True(until >= RetentionRule.After(birth, 21));
                }
            }
        }
    }

    private static RetainedRecord Record(string type, string about, string written, string births) => new(
        type,
        // The instant behind the day; a period without an end has the last that there is.
        about == "-" ? null : about == "9999-12-31" ? DateTimeOffset.MaxValue : Instant(about).AddDays(1),
        Instant(written).AddHours(13),
        [
            .. births == "-" ? [] : births.Split(' ').Select(b => new RetainedPatient(b == "?" ? null : DateOnly.Parse(b))),
        ]);

    private static DateTimeOffset Instant(string day) => new(DateOnly.Parse(day), TimeOnly.MinValue, TimeSpan.Zero);
}
