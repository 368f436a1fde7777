namespace PmrGateway.Mapping;

/// <summary>How long records are kept, as it is configured.</summary>
/// <param name="Years">Years from the end of what a record is about.</param>
/// <param name="AgeOfMajority">Age until which a patient is a minor, in years.</param>
/// <param name="YearsOf">Other numbers of years, by resource type.</param>
public sealed record RetentionTable(int Years, int AgeOfMajority, IReadOnlyDictionary<string, int> YearsOf)
{
    /// <summary>The years for a resource type.</summary>
    public int For(string type) => YearsOf.TryGetValue(type, out var years) ? years : Years;
}

/// <summary>A patient of a record, as far as it counts for how long that is kept.</summary>
/// <param name="Birth">The last day on which the patient can have been born; null: that is not known.</param>
/// <param name="IsHeld">Whether a legal hold stands on the patient.</param>
public readonly record struct RetainedPatient(DateOnly? Birth, bool IsHeld = false);

/// <summary>A record, as far as it counts for how long it is kept.</summary>
/// <param name="Type">Resource type.</param>
/// <param name="To">The instant behind the last that it is about; null: it names no time.</param>
/// <param name="LastWritten">When it was last written or deleted.</param>
/// <param name="Patients">All whom it concerns.</param>
public sealed record RetainedRecord(string Type, DateTimeOffset? To, DateTimeOffset LastWritten, IReadOnlyList<RetainedPatient> Patients)
{
    /// <summary>Whether it was deleted: from then on it goes on no more.</summary>
    public bool IsDeleted { get; init; }

    /// <summary>The day until which the longest of the records that it goes with is kept; null: it goes with none.</summary>
    public DateOnly? Longest { get; init; }
}

/// <summary>Which rule made the date until which a record is kept.</summary>
public enum RetentionBasis
{
    /// <summary>The years of its type from the end of what it is about.</summary>
    Period,

    /// <summary>A patient of it was a minor then.</summary>
    Minor,

    /// <summary>The birth date of a patient of it is not known.</summary>
    UnknownBirthDate,

    /// <summary>It is kept as long as the longest record that it goes with.</summary>
    Longest,

    /// <summary>What it is about has no end.</summary>
    NoEnd,

    /// <summary>It is of the directory, and kept for as long as any record is.</summary>
    Directory,
}

/// <summary>How long a record is kept.</summary>
/// <param name="Until">The last day on which it must be there; null: it has no end.</param>
/// <param name="Basis">Which rule that is by.</param>
/// <param name="Years">The years of its type.</param>
/// <param name="IsHeld">Whether a legal hold stands on one of its patients.</param>
public sealed record RetentionAnswer(DateOnly? Until, RetentionBasis Basis, int Years, bool IsHeld)
{
    /// <summary>The rule as a code.</summary>
    public string Rule => Basis switch
    {
        RetentionBasis.Minor => "minor",
        RetentionBasis.UnknownBirthDate => "unknown-birth-date",
        RetentionBasis.Longest => "longest",
        RetentionBasis.NoEnd => "no-end",
        RetentionBasis.Directory => "directory",
        _ => "period",
    };

    /// <summary>Whether it need not be kept any more. While a hold stands nothing is past retention.</summary>
    /// <param name="today">The day.</param>
    public bool IsPast(DateOnly today) => !IsHeld && Until < today;
}

/// <summary>
/// The retention table: how long a record must be kept. Where several rules speak of one record, the latest date holds; where something
/// is not known, the date is the latest that it can be. Days are those of UTC. Pure.
/// </summary>
public static class RetentionRule
{
    // Without these, nobody would know of a record that is kept whose it is, who permitted it, who has read it, and what it links to.
    private static readonly HashSet<string> WithTheLongest = ["Patient", "Consent", "AuditEvent", "Binary"];

    /// <summary>
    /// Whether records of a type are kept at least as long as the longest record that they go with: of their patients, a Binary of those
    /// that link to it.
    /// </summary>
    public static bool GoesWithLongest(string type) => WithTheLongest.Contains(type);

    /// <summary>How long a record is kept.</summary>
    /// <param name="table">The table.</param>
    /// <param name="record">The record.</param>
    public static RetentionAnswer Of(RetentionTable table, RetainedRecord record)
    {
        var years = table.For(record.Type);
        // Any record may name it, and would name nobody.
        if (DirectoryTypes.Contains(record.Type)) return new RetentionAnswer(null, RetentionBasis.Directory, years, false);
        var end = Later(LastDay(record), DayOf(record.LastWritten));
        var (until, basis) = (After(end, years), RetentionBasis.Period);
        foreach (var patient in record.Patients)
        {
            // Of whom it is not known: who was there by the end of the record was born by then.
            var majority = After(patient.Birth ?? end, table.AgeOfMajority);
            Take(After(majority, years), patient.Birth is null ? RetentionBasis.UnknownBirthDate : RetentionBasis.Minor);
        }
        if (record.Longest is { } longest) Take(longest, RetentionBasis.Longest);
        var isHeld = record.Patients.Any(p => p.IsHeld);
        return until == DateOnly.MaxValue
            ? new RetentionAnswer(null, RetentionBasis.NoEnd, years, isHeld)
            : new RetentionAnswer(until, basis, years, isHeld);

        void Take(DateOnly day, RetentionBasis by)
        {
            if (day > until) (until, basis) = (day, by);
        }
    }

    /// <summary>
    /// A number of years behind a day. Where that year has no 29 February, it is the day behind it: on the one before, the years are not
    /// over. The last day that there is means that there is no end.
    /// </summary>
    public static DateOnly After(DateOnly day, int years)
    {
        if (day.Year + years > DateOnly.MaxValue.Year) return DateOnly.MaxValue;
        var then = day.AddYears(years);
        return then.Day == day.Day ? then : then.AddDays(1);
    }

    private static DateOnly Later(DateOnly? a, DateOnly b) => a > b ? a.Value : b;

    private static DateOnly DayOf(DateTimeOffset instant) => DateOnly.FromDateTime(instant.UtcDateTime);

    private static DateOnly? LastDay(RetainedRecord record) => record.To is not { } behind ? null
        // A period without an end goes on, until it is deleted.
        : behind.UtcDateTime.Year == DateTime.MaxValue.Year ? record.IsDeleted ? null : DateOnly.MaxValue
        : behind == DateTimeOffset.MinValue ? DateOnly.MinValue
        : DayOf(behind.AddTicks(-1));
}
