using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using PmrGateway.Gateway.Hosting;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Cli;

/// <summary>
/// <c>pmr retention</c>: until when each record must be kept, told to the operator from the database. Nothing is changed, and nothing of
/// what is opened for a birth date is told but the date that follows from it.
/// </summary>
internal static class RetentionCommands
{
    private static readonly Option<string[]> Patient = new("--patient")
    {
        Description = "The patient whose records are listed: an id, or Patient/id; else all are",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<bool> Due = new("--due") { Description = "Only what is past retention" };
    private static readonly Option<bool> Json = new("--json") { Description = "One JSON document in place of text" };

    public static Command Create()
    {
        var command = new Command("retention", "Tell until when records must be kept");
        command.Subcommands.Add(List());
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(parsed => CommandError.Say("pmr retention list", 2));
        return command;
    }

    private static Command List()
    {
        var list = new Command("list", "List which records are past retention, which are held, and until when the others are kept")
        {
            Patient, Due, Json,
        };
        var given = CommandSettings.AddTo(list, "which database is looked at, its keyring, the table");
        list.SetAction(async (parsed, cancellation) =>
        {
            // As pmr consent has it: given without a value, or twice, it is no patient.
            var patients = parsed.GetResult(Patient) is null ? null : parsed.GetValue(Patient) ?? [];
            if (patients is not (null or [_])) return CommandError.Say("pmr retention list takes one --patient: an id, or Patient/id", 2);
            return await BesideGateway.RunAsync(
                given(parsed),
                async (options, database, keyring) =>
                {
                    var patient = patients is [var id] ? id.StartsWith("Patient/", StringComparison.Ordinal) ? id[8..] : id : null;
                    if (patient is not null && await new DirectoryStore(database).PatientAsync(patient, cancellation) is null)
                        return CommandError.Say($"Patient/{patient} is no registered patient");
                    var report = new RetentionReport(database, keyring, options.Retention.Table, TimeProvider.System);
                    var lines = report.RunAsync(patient, parsed.GetValue(Due), cancellation);
                    await (parsed.GetValue(Json) ? WriteJsonAsync(report.Today, lines) : WriteTextAsync(lines));
                    return 0;
                },
                cancellation);
        });
        return list;
    }

    private static async Task WriteTextAsync(IAsyncEnumerable<RetentionLine> lines)
    {
        var (all, past, held) = (0L, 0L, 0L);
        await foreach (var line in lines)
        {
            all++;
            if (line.IsPast) past++;
            if (line.Answer is { IsHeld: true }) held++;
            Console.WriteLine($"{line.Reference}{(line.IsDeleted ? " (deleted)" : "")}  {StateOf(line)}{WordsOf(line.Answer)}");
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{all} listed: {past} past retention, {held} held"));
    }

    private static string StateOf(RetentionLine line) => line switch
    {
        { Answer: null } => "kept: its row, or one of its patient, is not what was sealed",
        { IsPast: true } => "past retention, was kept until ",
        { Answer.IsHeld: true } => "held, else kept until ",
        _ => "kept until ",
    };

    private const string Unknown = "a day that is not known yet";

    private static string WordsOf(RetentionAnswer? answer) => answer is null ? "" : (DayOf(answer) ?? Unknown) + answer.Basis switch
    {
        RetentionBasis.Minor => $" ({answer.Years} years from majority)",
        RetentionBasis.UnknownBirthDate => $" (birth date not known: {answer.Years} years from majority of who was born on its last day)",
        RetentionBasis.Longest => " (as long as the longest record that it goes with)",
        RetentionBasis.Directory => " (of the directory: as long as any record)",
        RetentionBasis.NoEnd => " (what it is about has no end)",
        _ => $" ({answer.Years} years)",
    };

    private static string? DayOf(RetentionAnswer answer) => answer.Until?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    // Line by line onto the output: there may be more of them than memory.
    private static async Task WriteJsonAsync(DateOnly today, IAsyncEnumerable<RetentionLine> lines)
    {
        await using var output = Console.OpenStandardOutput();
        await using var json = new Utf8JsonWriter(
            output, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("day", today.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
        json.WriteStartArray("records");
        await foreach (var line in lines)
        {
            json.WriteStartObject();
            json.WriteString("resource", line.Reference);
            json.WriteBoolean("deleted", line.IsDeleted);
            json.WriteBoolean("past", line.IsPast);
            if (line.Answer is { } answer)
            {
                if (DayOf(answer) is { } until) json.WriteString("until", until);
                json.WriteString("rule", answer.Rule);
                json.WriteNumber("years", answer.Years);
                json.WriteBoolean("held", answer.IsHeld);
            }
            else
            {
                json.WriteString("rule", "row-broken");
            }
            json.WriteEndObject();
            if (json.BytesPending > 32 * 1024) await json.FlushAsync();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        await json.FlushAsync();
        output.WriteByte((byte)'\n');
    }
}
