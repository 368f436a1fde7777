using System.CommandLine;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Cli;

/// <summary>
/// <c>pmr consent</c>: what consents there are, and what follows from them, told to the operator from the database by the very decision
/// that a read takes. The gateway may be running meanwhile. No record is opened, and nothing is changed.
/// </summary>
internal static class ConsentCommands
{
    private sealed record Asked(ParseResult Parsed, GatewayOptions Options, RecordDatabase Database, CancellationToken Cancellation)
    {
        public DirectoryStore Directory { get; } = new(Database);

        public DateTimeOffset Now { get; } = TimeProvider.System.GetUtcNow();

        public bool IsJson => Parsed.GetValue(Json);

        public string Fhir => (Options.PublicUrl.Length > 0 ? Options.PublicUrl : Options.Url.TrimEnd('/')) + "/fhir";

        public List<string> Purposes => [.. Parsed.GetValue(Purpose) ?? []];

        public async Task<Explanation?> ExplainAsync(Requester requester, FhirReference resource, string? patient)
        {
            var viewer = new Viewer(requester, Now, Options.Ledger.Confirmations);
            await using var eyes = await Database.SnapshotAsync(viewer, searches: false, Cancellation);
            return await eyes.ExplainAsync(resource.Type, resource.Id, patient, Cancellation);
        }
    }

    private static readonly Option<string[]> Patient = Text("--patient", "The patient: an id, or Patient/id");
    private static readonly Option<string[]> Seer = Text("--viewer", "Who would see it: Organization/id or Practitioner/id");
    private static readonly Option<string[]> Resource = Text("--resource", "The record: Type/id");
    private static readonly Option<string[]> Purpose = Text("--purpose", "Purpose of use of the token, e.g. TREAT; may be given again");
    private static readonly Option<bool> Json = new("--json") { Description = "One JSON document in place of text" };

    public static Command Create()
    {
        var command = new Command("consent", "Tell what consents there are, and who may see a record by them");
        command.Subcommands.Add(Of("list", "List the consents of a patient, in words", ListAsync, [Patient]));
        command.Subcommands.Add(Of(
            "explain", "Tell whether and why a viewer may see a record of a patient", ExplainAsync, [Patient, Seer, Resource], Purpose));
        command.Subcommands.Add(Of(
            "who-can-see", "List every registered actor that may see a record now, and the denials", WhoAsync, [Resource], Purpose));
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(parsed => CommandError.Say("pmr consent list, explain or who-can-see", 2));
        return command;
    }

    private static Option<string[]> Text(string name, string description) =>
        // Whether it is there, and once, is asked with an exit code of its own.
        new(name) { Description = description, Arity = ArgumentArity.ZeroOrMore };

    private static Command Of(
        string name, string description, Func<Asked, Task<int>> answer, Option<string[]>[] needed, params Option<string[]>[] other)
    {
        var command = new Command(name, description) { Json };
        foreach (var option in needed.Concat(other)) command.Options.Add(option);
        var given = CommandSettings.AddTo(command, "which database is looked at, and its keyring");
        command.SetAction(async (parsed, cancellation) =>
        {
            if (needed.FirstOrDefault(o => parsed.GetValue(o)?.Length != 1) is { } missing)
                return CommandError.Say($"pmr consent {name} takes one {missing.Name}: {missing.Description}", 2);
            return await RunAsync(parsed, given(parsed), answer, cancellation);
        });
        return command;
    }

    /// <summary>0: answered; 1: nothing was found, or no such id; 2: wrong arguments, or it could not be asked.</summary>
    private static Task<int> RunAsync(
        ParseResult parsed, string[] settings, Func<Asked, Task<int>> answer, CancellationToken cancellation) => BesideGateway.RunAsync(
        settings,
        async (options, database, _) =>
        {
            await BesideGateway.WarnIfStaleAsync(options, database, cancellation);
            return await answer(new Asked(parsed, options, database, cancellation));
        },
        cancellation);

    private static async Task<int> ListAsync(Asked asked)
    {
        var id = PatientOf(asked);
        if (await asked.Directory.PatientAsync(id, asked.Cancellation) is null) return Unknown($"Patient/{id}", "patient");
        var consents = await asked.Directory.ConsentsAsync(id, asked.Cancellation);
        if (consents.Count == 0) return CommandError.Say($"Patient/{id} has given no consent");
        var checkpoint = await new LedgerJournal(asked.Database).CheckpointAsync(asked.Cancellation);
        var confirmed = checkpoint.Block - asked.Options.Ledger.Confirmations;
        var rows = consents.Select(c => new
        {
            Consent = $"Consent/{c.ConsentId}",
            c.Commitment,
            c.Giver,
            State = c.IsRevoked ? "revoked"
                : c.Terms.Root.To <= asked.Now ? "over"
                : c.Terms.Root.From > asked.Now ? "to come"
                : "standing",
            ConfirmedBlock = c.GrantedBlock <= confirmed ? c.GrantedBlock : null,
            Words = ConsentWords.Of(c.Terms),
        }).ToList();
        if (asked.IsJson) return CommandOutput.Print(new { Patient = $"Patient/{id}", Consents = rows });
        var table = CommandOutput.Aligned(rows.Select(r => new[]
        {
            r.Consent, r.State, r.ConfirmedBlock is { } block ? $"confirmed in block {block}" : "not confirmed", $"given by {r.Giver}",
            r.Commitment,
        }));
        foreach (var (line, row) in table.Zip(rows)) Console.WriteLine($"{line}\n    {row.Words}");
        return 0;
    }

    private static async Task<int> ExplainAsync(Asked asked)
    {
        var (id, resource) = (PatientOf(asked), One(asked, Resource));
        if (!FhirReference.TryParse(One(asked, Seer), out var viewer) || viewer.Type is not ("Organization" or "Practitioner"))
            return CommandError.Say("--viewer is an Organization/id or Practitioner/id", 2);
        if (!FhirReference.TryParse(resource, out var record)) return CommandError.Say("--resource is Type/id", 2);
        if (await asked.Directory.PatientAsync(id, asked.Cancellation) is null) return Unknown($"Patient/{id}", "patient");
        if (await asked.Directory.ActorAsync(viewer.ToString(), asked.Cancellation) is not { } actor)
            return Unknown(viewer.ToString(), "actor");
        var said = await asked.ExplainAsync(actor.RequesterAt(asked.Now, asked.Purposes), record, id);
        if (said is null) return CommandError.Say($"there is no record {resource}");
        if (!said.Record.Patients.Concat(said.Record.Others).Contains(id))
            return CommandError.Say($"{resource} does not concern Patient/{id}");
        var (decision, basis) = (said.Permit is null ? "deny" : "permit", BasisOf(said.Permit));
        if (asked.IsJson)
        {
            return CommandOutput.Print(new
            {
                Decision = decision,
                said.Reason,
                Basis = basis,
                said.Block,
                Consents = said.Consents.Select(c => ToJson(c) with
                {
                    Says = c.Says,
                    Residual = JsonElement.Parse(PcfExtension.Of(asked.Fhir, c.Consent, said.Viewer, [])),
                }),
            });
        }
        Console.WriteLine($"{decision}: {said.Reason}{(basis is null ? "" : $" (basis {basis})")}, at block {said.Block}");
        PrintWithWords(said.Consents, c => ["says " + c.Says]);
        return 0;
    }

    private static async Task<int> WhoAsync(Asked asked)
    {
        var resource = One(asked, Resource);
        if (!FhirReference.TryParse(resource, out var record)) return CommandError.Say("--resource is Type/id", 2);
        // To nobody: what is asked here is which record it is, and of whom.
        if (await asked.ExplainAsync(new Requester("", null, null, null, false, []), record, null) is not { Record: var facts })
            return CommandError.Say($"there is no record {resource}");
        var seers = new List<Seen>();
        var denials = new Dictionary<string, (ConsentSaid Consent, SortedSet<string> Viewers)>(StringComparer.Ordinal);
        var purposes = await PurposesAsync(asked, facts);
        foreach (var actor in await asked.Directory.ActorsAsync(asked.Cancellation))
        {
            foreach (var purpose in purposes)
            {
                if (await SeeAsync(asked, actor, purpose, record, facts) is not { } said) continue;
                if (said.Permit is { } permit)
                {
                    var by = said.Consents.Where(c => permit.Commitments.Contains(c.Consent.Commitment)).Select(c => c.Consent.ConsentId);
                    seers.Add(new(
                        actor.Reference, actor.Kind.ToString().ToLowerInvariant(), purpose, BasisOf(permit)!,
                        [.. by.Select(c => $"Consent/{c}")]));
                }
                foreach (var denial in said.Consents.Where(c => c.Permits == false))
                {
                    if (!denials.TryGetValue(denial.Consent.Commitment, out var known))
                        denials[denial.Consent.Commitment] = known = (denial, []);
                    known.Viewers.Add(actor.Reference);
                }
            }
        }
        var code = seers.Count > 0 ? 0 : 1;
        var ordered = denials.Values.OrderBy(d => d.Consent.Consent.ConsentId, StringComparer.Ordinal).ToList();
        if (asked.IsJson)
        {
            var denying = ordered.Select(d => ToJson(d.Consent) with { Viewers = [.. d.Viewers] });
            return CommandOutput.Print(new { Resource = resource, Viewers = seers, Denials = denying }, code);
        }
        if (code == 1) Console.WriteLine($"no registered actor may see {resource}");
        var lines = seers.Select(s =>
            new[] { s.Viewer, s.Kind, "for " + PurposeOf(s.Purposes), "by " + s.Basis, string.Join(' ', s.Consents) });
        foreach (var line in CommandOutput.Aligned(lines)) Console.WriteLine(line);
        if (ordered.Count > 0) Console.WriteLine("denied by");
        PrintWithWords([.. ordered.Select(d => d.Consent)], c => ["to " + string.Join(' ', denials[c.Consent.Commitment].Viewers)]);
        return code;
    }

    // A system that wrote the record sees its version by that alone; its hospital does not, and what consents say is asked first.
    private static async Task<Explanation?> SeeAsync(
        Asked asked, Actor actor, IReadOnlyList<string> purposes, FhirReference record, RecordFacts facts)
    {
        var requester = actor.RequesterAt(asked.Now, purposes);
        var said = await asked.ExplainAsync(requester, record, null);
        var isOfAuthor = requester.Author.Length == 0 && facts.Author.EndsWith(" " + actor.Reference, StringComparison.Ordinal);
        return isOfAuthor && said is { Permit: null }
            ? await asked.ExplainAsync(requester with { Author = facts.Author }, record, null)
            : said;
    }

    // Without one: no purpose, and each that a consent of these patients names.
    private static async Task<List<IReadOnlyList<string>>> PurposesAsync(Asked asked, RecordFacts facts)
    {
        if (asked.Purposes.Count > 0) return [asked.Purposes];
        var named = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var patient in facts.Patients.Concat(facts.Others))
            foreach (var consent in await asked.Directory.ConsentsAsync(patient, asked.Cancellation))
                if (!consent.IsRevoked) named.UnionWith(consent.Terms.Exceptions.Prepend(consent.Terms.Root).SelectMany(p => p.Purposes));
        return [[], .. named.Select(p => (IReadOnlyList<string>)[p])];
    }

    private sealed record Seen(string Viewer, string Kind, IReadOnlyList<string> Purposes, string Basis, IReadOnlyList<string> Consents);

    private sealed record Told(string Consent, string Commitment, bool Confirmed, string Words)
    {
        public string? Says { get; init; }

        public IReadOnlyList<string>? Viewers { get; init; }

        public JsonElement? Residual { get; init; }
    }

    private static Told ToJson(ConsentSaid c) =>
        new($"Consent/{c.Consent.ConsentId}", c.Consent.Commitment, c.Consent.IsConfirmed, ConsentWords.Of(c.Terms));

    private static void PrintWithWords(IReadOnlyList<ConsentSaid> consents, Func<ConsentSaid, string[]> more)
    {
        var lines = CommandOutput.Aligned(consents.Select(c => (string[])
            [$"Consent/{c.Consent.ConsentId}", .. more(c), c.Consent.IsConfirmed ? "confirmed" : "not confirmed", c.Consent.Commitment]));
        foreach (var (line, consent) in lines.Zip(consents)) Console.WriteLine($"{line}\n    {ConsentWords.Of(consent.Terms)}");
    }

    private static string PurposeOf(IReadOnlyList<string> purposes) =>
        purposes.Count == 0 ? "no purpose named" : string.Join('+', purposes);

    private static string? BasisOf(Permit? permit) => permit?.Basis.ToString().ToLowerInvariant();

    private static string One(Asked asked, Option<string[]> option) => asked.Parsed.GetValue(option)![0];

    private static string PatientOf(Asked asked) =>
        One(asked, Patient) is var id && id.StartsWith("Patient/", StringComparison.Ordinal) ? id[8..] : id;

    private static int Unknown(string reference, string kind) => CommandError.Say($"{reference} is no registered {kind}");
}
