using System.Globalization;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios.NonInterference;

/// <summary>
/// No byte of what somebody may not see reaches them: over HTTP, whatever is asked is answered as by a second gateway that holds only what
/// the asker may see. <see cref="Mirror"/> says what that one holds, <see cref="Side.InNames(Answer, string)"/> what of two answers is not
/// compared.
/// </summary>
/// <remarks>
/// Left out: consents for data that is <c>related</c> to a record (what it refers to is shown whether or not the record is, which is what
/// such a consent says); the audit log (a patient's tells of all who asked, and the two gateways are asked by others); changes, by a
/// custodian's system, of what its hospital keeps and it may not read (it corrects that by design), and what is explained to such a system
/// of the consents about somebody else; creates about patients of another hospital (a denial that refuses them is not shown, and refuses
/// all the same); a Binary that ended with a record which was closed since
/// (that it ended is shown by what it was, and the second gateway cannot have it without that record): it is taken out of histories.
/// </remarks>
public partial class NonInterferenceScenarios
{
    private const int CasesARound = 2800;
    private const int Worlds = 6;
    private const int StepsOfAWorld = 18;

    // With a plus: by a token that reaches some records alone.
    private static readonly string[] Viewers = ["insurer", "doctor", "lab", "other", "w0.p", "lab+", "w0.p+"];

    private static readonly HashSet<string> None = [];

    private static int Cases =>
        int.Parse(Environment.GetEnvironmentVariable("GATEWAY_TEST_CASES") ?? "2800", CultureInfo.InvariantCulture);

    // Every run of the tests asks the same; a longer one, which looks for something new, asks something else in each round. One that failed
    // names its seed, to be played again.
    private static int NewSeed() =>
        int.TryParse(Environment.GetEnvironmentVariable("GATEWAY_TEST_SEED"), out var given) ? given
        : Cases <= CasesARound ? 2
        : System.Security.Cryptography.RandomNumberGenerator.GetInt32(int.MaxValue);

    [Fact]
    public async Task Whatever_is_asked_is_answered_as_by_a_gateway_that_holds_only_what_the_asker_may_see()
    {
        var (asked, compared, shown) = (0, 0, 0);
        for (var round = 0; asked < Cases; round++)
        {
            var count = Math.Min(CasesARound, Cases - asked);
            var (more, showing) = await RoundAsync(NewSeed(), count);
            (asked, compared, shown) = (asked + count, compared + more, shown + showing);
        }
        // What is left out is left out of the count: make test compares 2,000 of 2,800.
        Assert.True(compared >= asked / 7 * 5, $"{compared} of {asked} answers were compared");
        // Where nothing is shown, nothing could leak.
        Assert.True(shown > asked / 5, $"{shown} of {asked} answers show a record");
    }

    private static async Task<(int Compared, int Shown)> RoundAsync(int seed, int cases)
    {
        // They wait for their chains most of the time: for all at once.
        var sides = await Task.WhenAll(Enumerable.Range(0, Viewers.Length + 1).Select(_ => Side.StartAsync(seed)));
        try
        {
            var (all, compared, shown) = (sides[^1], 0, 0);
            var log = await WriteAsync(all, new Dice(seed));
            foreach (var (viewer, seen) in Viewers.Zip(sides))
            {
                var sight = await Sight.OfAsync(all, viewer, log);
                await Mirror.MakeAsync(all, log, viewer, sight, seen);
                var records = await AlikeAsync(all, seen, viewer, log, sight, seed);
                var (more, showing) = Compare(all, seen, viewer, log, records, sight, seed, cases / Viewers.Length);
                (compared, shown) = (compared + more, shown + showing);
            }
            return (compared, shown);
        }
        finally
        {
            foreach (var side in sides) await side.DisposeAsync();
        }
    }

    private static async Task<List<Written>> WriteAsync(Side all, Dice dice)
    {
        var stories = Enumerable.Range(0, Worlds).Select(n => new Story(dice, n)).ToList();
        var (log, versions) = (new List<Written>(), new Dictionary<string, int>());
        foreach (var step in stories.SelectMany(s => s.Floor())) await AddAsync(step.Compact());
        Assert.Equal(4 * Worlds, log.Count);
        var floors = log.Where(w => w.Step.Type == "Consent").Select(w => w.Step).ToList();
        await all.SettleAsync(floors, floors[^1]);
        var steps = stories.SelectMany(s => s.Steps(StepsOfAWorld)).Select(s => s.Compact()).ToList();
        for (var i = 0; i < steps.Count; i++)
        {
            if (i == steps.Count / 2)
                foreach (var viewer in Viewers) await Mirror.LookAsync(all, viewer);
            await AddAsync(steps[i]);
        }
        // Records that were linked to moved, let go and ended.
        foreach (var verb in new[] { Verb.Update, Verb.Delete })
            Assert.Contains(log, w => w.Step.Verb == verb && w.Step.Name.Contains(".x", StringComparison.Ordinal));
        var last = log.Last(w => w.Step.Type is "Observation" or "DocumentReference" && !versions.ContainsKey(w.Step.Name + "!")).Step;
        var consents = log.Where(w => w.Step.Type == "Consent" && !versions.ContainsKey(w.Step.Name + "!")).Select(w => w.Step);
        await all.SettleAsync(consents.DistinctBy(c => c.Name), last);
        return log;

        async Task AddAsync(Step step)
        {
            var version = versions.GetValueOrDefault(step.Name) + 1;
            // What was refused is not there to be changed.
            if (step.Verb != Verb.Create && version == 1) return;
            step = step with { Body = all.Known(step.Body) };
            if (await all.WriteAsync(step, version, null) is not ({ } binaries, var answer)) return;
            if (version > 1 && step.Verb != Verb.Delete && answer.Headers.Headers.ETag?.Tag != $"\"{version}\"") return;
            versions[step.Name] = version;
            if (step.Verb == Verb.Delete) versions[step.Name + "!"] = version;
            log.Add(new Written(step, version, binaries));
        }
    }

    // The records to ask about. What is shown of them by id is the same on both sides, or the second holds something else than was meant.
    private static async Task<List<(string Name, string Type)>> AlikeAsync(
        Side all, Side seen, string viewer, IReadOnlyList<Written> log, Sight sight, int seed)
    {
        var alike = new List<(string, string)>();
        foreach (var (name, type) in Records(log))
        {
            var ask = new Ask("GET", $"{type}/§{name}§") { Headers = [("Accept", "application/fhir+json")] };
            var (first, second) = (await ask.AnswerAsync(all, viewer, None), await ask.AnswerAsync(seen, viewer, None));
            if (type == "Binary" && first.StartsWith("410", StringComparison.Ordinal) && !second.StartsWith('2')) continue;
            alike.Add((name, type));
            Assert.True(first == second, Difference(ask, viewer, first, second, log, name, seed) + $"\nseen {sight.SeesNow(name)}");
        }
        return alike;
    }

    private static (int Compared, int Shown) Compare(
        Side all, Side seen, string viewer, List<Written> log, IReadOnlyList<(string Name, string Type)> records, Sight sight, int seed,
        int cases)
    {
        var mirrored = log.Where(w => w.Step.Verb != Verb.Delete && sight.SeesAny(w.Step.Name))
            .Select(w => $"{w.Step.Name}.v{w.Version}").ToList();
        var leftOut = Records(log).Except(records).Select(r => r.Name).ToHashSet();
        var (compared, shown) = (0, 0);
        Prop.ForAll(new Asks(viewer, records, mirrored, Worlds).Any(), ask =>
        {
            if (IsCorrection(ask, viewer, sight, log) || IsExplained(ask, viewer) || IsOfAnother(ask, viewer)) return;
            var both = Task.WhenAll(ask.AnswerAsync(all, viewer, leftOut), ask.AnswerAsync(seen, viewer, leftOut));
            var answers = both.GetAwaiter().GetResult();
            Assert.True(answers[0] == answers[1], Difference(ask, viewer, answers[0], answers[1], log, null, seed));
            if (ask.StolenFrom is not null) Assert.True(answers[0].StartsWith("400", StringComparison.Ordinal), $"{ask}\n{answers[0]}");
            compared++;
            if (ask.Makes is { } made && answers[0].StartsWith("201", StringComparison.Ordinal))
                log.Add(new Written(made with { Author = viewer }, 1, []));
            if (Shows().IsMatch(answers[0])) shown++;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(cases).WithReplay((ulong)seed, (ulong)seed | 1));
        return (compared, shown);
    }

    private static bool IsCorrection(Ask ask, string viewer, Sight sight, IReadOnlyList<Written> log) =>
        ask.Method is "PUT" or "PATCH" or "DELETE" && viewer is "lab" or "lab+" or "other"
        && log.Any(w => ask.Path == $"{w.Step.Type}/§{w.Step.Name}§" && !sight.SeesNow(w.Step.Name));

    private static bool IsExplained(Ask ask, string viewer) => viewer is "lab" or "lab+" or "other"
        && (ask.Path.EndsWith("$consent-explain", StringComparison.Ordinal) || ask.Path.EndsWith("$retention", StringComparison.Ordinal)
            || ask.Entries?.Any(e => IsExplained(e, viewer)) == true);

    private static bool IsOfAnother(Ask ask, string viewer) => ask.Makes is { } made
        && ((viewer is "lab" or "lab+" && !made.Subject.EndsWith(".p", StringComparison.Ordinal))
            || (viewer is "other" or "doctor" && !made.Subject.EndsWith(".q", StringComparison.Ordinal)));

    private static IEnumerable<(string Name, string Type)> Records(IReadOnlyList<Written> log) => log
        .SelectMany(w => w.Binaries.Select(b => (b, "Binary")).Prepend((w.Step.Name, w.Step.Type))).Distinct();

    private static string Difference(
        Ask ask, string viewer, string first, string second, IReadOnlyList<Written> log, string? name, int seed)
    {
        var about = name ?? Regex.Match(ask.ToString(), "§(w[a-z0-9.+]+)§").Groups[1].Value;
        var history = about.Length == 0 ? [] : log.Where(w => w.Step.Name == about || w.Binaries.Contains(about));
        return $"GATEWAY_TEST_SEED={seed} {viewer}: {ask}\n--- all:\n{first}\n--- what may be seen:\n{second}\n--- {about}:\n"
            + string.Join('\n', history.Select(w => w.Step));
    }

    // A record, a part of one, a count, or that something is at a version.
    [GeneratedRegex("\"resourceType\":\"(?!OperationOutcome|Bundle|Parameters)|\"total\":[1-9]|^206|^20[01]\n(.*\n)*(Location|ETag)")]
    private static partial Regex Shows();
}
