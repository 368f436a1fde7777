using FsCheck;
using FsCheck.Fluent;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

/// <summary>
/// What one random world holds: records as they come, change and go, consents, and a question. The chain's clock, which counts seconds, is
/// ours, or ahead.
/// </summary>
internal sealed record World(
    IReadOnlyList<Step> Steps, IReadOnlyList<(ConsentTerms Terms, long? Block, bool Revoked)> Consents,
    Requester Requester, DateTimeOffset Now, TimeSpan ChainAhead)
{
    /// <summary>
    /// The same without data that is named as <c>related</c>: what a record that is named refers to is there whether or not that may be
    /// seen, which is what such a consent says.
    /// </summary>
    public World WithoutRelated() => this with
    {
        Consents = [.. Consents.Select(c => c with
        {
            Terms = c.Terms with { Root = Without(c.Terms.Root), Exceptions = [.. c.Terms.Exceptions.Select(Without)] },
        })],
    };

    private static Provision Without(Provision provision) => provision with
    {
        Data = [.. provision.Data.Select(d => d.Meaning == DataMeaning.Related ? d with { Meaning = DataMeaning.Dependents } : d)],
    };
}

/// <summary>
/// A record is written, or deleted where <paramref name="Deletes"/>; its place among few names decides whether it is new.
/// </summary>
internal sealed record Step(
    int Name, string Type, string Custodian, string Author, string[] Patients, RecordLabel[] Labels, int[] Links, bool Deletes,
    RecordDetails Details)
{
    /// <summary>Patients of whom it holds a copy.</summary>
    public string[] Others { get; init; } = [];
}

internal static class Worlds
{
    private const string Secrecy = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    private const string Sensitivity = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    private static readonly string[] Actors = ["Organization/a", "Organization/b", "Practitioner/d"];

    public static Gen<World> Any() =>
        from steps in Gen.ArrayOf(AStep, 14)
        from consents in Gen.Choose(1, 5).SelectMany(n => Gen.ArrayOf(Gen.Frequency((1, Consent), (1, PlainConsent)), n))
        from organization in Gen.Elements<string?>(null, "Organization/a", "Organization/b")
        from practitioner in Gen.Elements<string?>(null, "Practitioner/d")
        from patient in Gen.Elements<string?>(null, "p", "q")
        from active in Gen.Frequency((9, Gen.Constant(true)), (1, Gen.Constant(false)))
        from purposes in SubsetOf("TREAT", "HPAYMT", "BTG")
        from author in Gen.Elements("", "client:a", "client:b", "Practitioner/d")
        from instant in Gen.Choose(0, 5)
        from ahead in Gen.Frequency((8, Gen.Constant(0)), (1, Gen.Choose(1, 9)), (1, Gen.Constant(200 * 86_400)))
        select new World(
            steps,
            consents,
            new Requester("x", organization, practitioner, patient, active, purposes) { Author = author },
            Make.Epoch.AddMilliseconds(instant),
            TimeSpan.FromSeconds(ahead));

    private static Gen<Step> AStep =>
        from name in Gen.Choose(0, 7)
        from type in Gen.Elements("Observation", "DocumentReference", "Organization", "Binary", "Consent")
        from custodian in Gen.Elements("Organization/a", "Organization/b", "")
        from author in Gen.Elements("", "client:a", "client:b", "Practitioner/d")
        from patients in Gen.Frequency((2, SubsetOf("p", "q")), (1, Gen.Elements<string[]>(["p"], ["q"])))
        from labels in Gen.ArrayOf(Label, 3)
        from period in Gen.Elements<(int, int)?>(null, (0, 2), (3, 5), (0, 9))
        from ties in Gen.ArrayOf(Tie, 2)
        from others in Gen.Frequency((3, Gen.Constant(Array.Empty<string>())), (1, SubsetOf("p", "q")))
        from links in SubsetOf("0", "1", "2", "3", "4", "5", "6", "7")
        from deletes in Gen.Frequency((5, Gen.Constant(false)), (1, Gen.Constant(true)))
        select new Step(
            name, type, custodian, author, patients, labels, [.. links.Select(int.Parse)], deletes,
            new RecordDetails(Day(period?.Item1), Day(period?.Item2), [.. ties.Distinct()]))
        { Others = [.. others.Except(patients)] };

    private static DateTimeOffset? Day(int? day) => day is { } d ? Make.Epoch.AddDays(d) : null;

    private static Gen<RecordLabel> Label =>
        from kind in Gen.Elements(LabelKind.Class, LabelKind.Code, LabelKind.Security)
        from code in kind == LabelKind.Security
            ? Gen.Elements((Secrecy, "N"), (Secrecy, "R"), (Secrecy, "V"), (Sensitivity, "PSY"), (Sensitivity, "MH"))
            : Gen.Elements(("s", "A"), ("s", "B"), ("s", "C"))
        from inner in Gen.Frequency((3, Gen.Constant(false)), (1, Gen.Constant(true)))
        select new RecordLabel(kind, code.Item1, code.Item2, inner);

    private static Gen<RecordLink> Tie =>
        from kind in Gen.Elements(
            LinkKind.RefersTo, LinkKind.PartRefersTo, LinkKind.WrittenBy, LinkKind.PartWrittenBy, LinkKind.Grants)
        from named in kind is LinkKind.RefersTo or LinkKind.PartRefersTo ? Record : Gen.Elements(Actors)
        select new RecordLink(kind, named);

    // Names are made a world's own by Model.In.
    private static Gen<string> Record =>
        from type in Gen.Elements("Observation", "DocumentReference")
        from name in Gen.Choose(0, 7)
        select $"{type}/{name}";

    private static Gen<DataReference> Named =>
        from meaning in Gen.Elements(DataMeaning.Instance, DataMeaning.Related, DataMeaning.Dependents, DataMeaning.AuthoredBy)
        from named in meaning == DataMeaning.AuthoredBy ? Gen.Elements(Actors) : Record
        select new DataReference(meaning, named);

    private static Gen<(ConsentTerms, long?, bool)> Consent =>
        from patient in Gen.Elements("p", "q")
        from permits in Gen.Frequency((3, Gen.Constant(true)), (1, Gen.Constant(false)))
        from root in Provision
        from exceptions in Gen.Choose(0, 2).SelectMany(n => Gen.ArrayOf(Provision, n))
        from block in Gen.Elements<long?>(null, 5, 9)
        from revoked in Gen.Frequency((5, Gen.Constant(false)), (1, Gen.Constant(true)))
        select (new ConsentTerms(patient, permits, root, exceptions), block, revoked);

    // Of consents that say all that they may, one in twenty permits anything: these are what the others take from.
    private static Gen<(ConsentTerms, long?, bool)> PlainConsent =>
        from patient in Gen.Elements("p", "q")
        from exceptions in Gen.Frequency((2, Gen.Constant(Array.Empty<Provision>())), (1, Gen.ArrayOf(Provision, 1)))
        let root = new Provision(Make.Epoch.AddMilliseconds(-99), Make.Epoch.AddMilliseconds(9999), Actors, [], [], [], [])
        select (new ConsentTerms(patient, true, root, exceptions), (long?)5, false);

    // Periods that begin and end within the milliseconds at which worlds are asked.
    private static Gen<Provision> Provision =>
        from period in Gen.Elements((0, 9), (0, 3), (3, 9), (2, 4), (-99, 9999))
        from actors in SubsetOf(Actors)
        from purposes in SubsetOf("TREAT", "HPAYMT")
        from classes in SubsetOf("A", "B")
        from codes in SubsetOf("B", "C")
        from labels in Gen.Elements<TermCode[]>(
            [], [], [new(Secrecy, "N")], [new(Secrecy, "R")], [new(Sensitivity, "MH")], [new(Secrecy, "U"), new(Sensitivity, "PSY")])
        from actions in Gen.Elements<DataAction[]>([], [], [], [DataAction.Read], [DataAction.Write])
        from data in Gen.Frequency((2, Gen.Constant(Array.Empty<DataReference>())), (1, Gen.ArrayOf(Named, 2)))
        from dates in Gen.Elements<(int, int)?>(null, null, (0, 5), (2, 9))
        select new Provision(
            Make.Epoch.AddMilliseconds(period.Item1), Make.Epoch.AddMilliseconds(period.Item2), actors, purposes, Codes(classes),
            Codes(codes), labels)
        {
            Actions = actions,
            Data = data,
            DataPeriod = dates is { } d ? new DataPeriod(Make.Epoch.AddDays(d.Item1), Make.Epoch.AddDays(d.Item2)) : null,
        };

    private static List<TermCode> Codes(IEnumerable<string> codes) => [.. codes.Select(c => new TermCode("s", c))];

    // Empty half of the time: an element that is not there matches everything.
    private static Gen<string[]> SubsetOf(params string[] items) => Gen.Frequency(
        (1, Gen.Constant(Array.Empty<string>())), (1, Gen.SubListOf(items).Select(l => l.ToArray())));
}

/// <summary>The records of a world as they should be, by the plainest code: what access depends on is worked out anew each time.</summary>
internal sealed class Model(string prefix)
{
    private sealed record Held(RecordFacts Own, long Version, bool IsDeleted, IReadOnlyList<string> Links,
        IReadOnlyList<string> OwnPatients)
    {
        /// <summary>As whom its versions were written.</summary>
        public IReadOnlyList<string> Authors { get; init; } = [];
    }

    private readonly Dictionary<string, Held> _records = [];

    // A Binary that has ended keeps the facts that it ended with.
    private readonly Dictionary<string, RecordFacts> _ended = [];

    /// <summary>Finds this world's records alone.</summary>
    public SearchCriterion Own => new("code", "token", [new SearchValue("urn:world", prefix)]);

    /// <summary>What they are found by.</summary>
    public Fhir.IndexEntry Mark => Make.Token("code", "urn:world", prefix);

    /// <summary>A name as this world's, and back.</summary>
    public string Id(string name) => $"{prefix}-{name}";

    public string Bare(string id) => id[(prefix.Length + 1)..];

    public Requester In(Requester requester) => requester with { Patient = requester.Patient is { } p ? Id(p) : null };

    /// <summary>A record of this world as one of another, with the facts that it has now.</summary>
    public RecordFacts Moved(RecordFacts facts, Model to) => facts with
    {
        Id = to.Id(Bare(facts.Id)),
        Patients = [.. facts.Patients.Select(p => to.Id(Bare(p)))],
        Others = [.. facts.Others.Select(p => to.Id(Bare(p)))],
        Details = facts.Details with
        {
            // What refers to it is asked of that.
            Links = [.. facts.Details.Links.Where(l => l.Kind != LinkKind.ReferredBy)
                .Select(l => l with { Reference = l.Reference.Replace(prefix, to.Id("")[..^1], StringComparison.Ordinal) })],
        },
    };

    public IEnumerable<(RecordFacts Facts, long Version, bool IsDeleted)> Records
    {
        get
        {
            var all = _records.Values.Select(r => (Facts: FactsOf(r), r.Version, r.IsDeleted)).ToList();
            foreach (var (facts, version, isDeleted) in all)
            {
                var names = facts.Details.Links.Where(l => l.Kind == LinkKind.Is).Select(l => l.Reference)
                    .Append($"{facts.Type}/{facts.Id}").ToList();
                var referring = all.Where(o => o.Facts.Details.Links.Any(
                    l => l.Kind is LinkKind.RefersTo or LinkKind.PartRefersTo && names.Contains(l.Reference)))
                    .Select(o => new RecordLink(LinkKind.ReferredBy, $"{o.Facts.Type}/{o.Facts.Id}"));
                yield return (
                    facts with { Details = facts.Details with { Links = [.. facts.Details.Links, .. referring] } }, version, isDeleted);
            }
        }
    }

    /// <summary>A name of a record as this world's.</summary>
    public string In(string reference) => char.IsAsciiDigit(reference[^1]) ? reference.Replace("/", $"/{prefix}-") : reference;

    /// <summary>Terms whose names are this world's.</summary>
    public ConsentTerms In(ConsentTerms terms) => terms with
    {
        Patient = $"{prefix}-{terms.Patient}",
        Root = In(terms.Root),
        Exceptions = [.. terms.Exceptions.Select(In)],
    };

    private Provision In(Provision provision) =>
        provision with { Data = [.. provision.Data.Select(d => d with { Reference = In(d.Reference) })] };

    /// <summary>Takes a step, and gives the plan for it; null where it makes no sense here.</summary>
    public CommitPlan? Apply(Step step)
    {
        var id = $"{prefix}-{step.Name}";
        _records.TryGetValue(id, out var held);
        if (step.Deletes)
        {
            if (held is null || held.IsDeleted || held.Own.Type == "Binary") return null;
            Remember(held.Links);
            var ended = held.Own with { Author = step.Author };
            _records[id] = held with { Own = ended, Version = held.Version + 1, IsDeleted = true, Links = [] };
            EndUnlinked(held.Links, held.Own.Custodian);
            return new CommitPlan { Versions = [Make.Deletion(ended, held.Version + 1)] };
        }
        if (held?.IsDeleted == true) return null;
        var (type, custodian) = held is null ? (step.Type, step.Custodian) : (held.Own.Type, held.Own.Custodian);
        var isBinary = type == "Binary";
        var patients = step.Patients.Select(p => $"{prefix}-{p}").ToList();
        RecordLabel[] labels = isBinary
            ? [new(LabelKind.Class, "http://hl7.org/fhir/resource-types", "Binary")]
            : [.. new LabelSet(step.Labels).Labels];
        var details = isBinary
            ? RecordDetails.None
            : step.Details with { Links = [.. step.Details.Links.Select(l => l with { Reference = In(l.Reference) })] };
        var facts = new RecordFacts(type, id, custodian, patients, labels)
        {
            Author = step.Author,
            Details = details,
            Others = isBinary ? [] : [.. step.Others.Select(Id)],
        };
        var version = (held?.Version ?? 0) + 1;
        string[] links = isBinary
            ? []
            : [.. step.Links.Select(l => $"{prefix}-{l}").Where(l => _records.GetValueOrDefault(l)?.Own.Type == "Binary")];
        Remember(held?.Links ?? []);
        _records[id] = new Held(facts, version, false, links, held?.OwnPatients ?? (isBinary ? patients : []))
        {
            Authors = [.. held?.Authors ?? [], step.Author],
        };
        EndUnlinked(held?.Links.Except(links) ?? [], custodian);
        return new CommitPlan { Versions = [Make.Version(facts, version, [Mark], links)] };
    }

    private void Remember(IEnumerable<string> binaries)
    {
        foreach (var id in binaries)
            if (!_records[id].IsDeleted) _ended[id] = FactsOf(_records[id]);
    }

    private void EndUnlinked(IEnumerable<string> binaries, string custodian)
    {
        foreach (var id in binaries.ToList())
            if (_records[id] is { IsDeleted: false } binary && binary.Own.Custodian == custodian
                && !_records.Values.Any(r => r.Own.Custodian == custodian && r.Links.Contains(id)))
                _records[id] = binary with { Version = binary.Version + 1, IsDeleted = true };
    }

    private RecordFacts FactsOf(Held held)
    {
        if (held.Own.Type != "Binary") return held.Own;
        if (held.IsDeleted) return _ended[held.Own.Id];
        var linkers = _records.Values.Where(r => !r.IsDeleted && r.Own.Custodian == held.Own.Custodian && r.Links.Contains(held.Own.Id))
            .ToList();
        var own = held.Authors.Append(held.Own.Custodian).Where(w => w.Contains('/'))
            .Select(w => new RecordLink(LinkKind.WrittenBy, w))
            .Concat(held.OwnPatients.Select(p => new RecordLink(LinkKind.RefersTo, $"Patient/{p}")));
        var patients = held.OwnPatients.Concat(linkers.SelectMany(l => l.Own.Patients)).Distinct().ToList();
        return held.Own with
        {
            Others = [.. linkers.SelectMany(l => l.Own.Others).Distinct().Except(patients)],
            Details = new RecordDetails(
                linkers.Exists(l => l.Own.Details.From is null) ? null : linkers.Min(l => l.Own.Details.From),
                linkers.Exists(l => l.Own.Details.To is null) ? null : linkers.Max(l => l.Own.Details.To),
                [
                    .. own, .. linkers.SelectMany(l => l.Own.Details.Links.Append(new RecordLink(LinkKind.Is, $"{l.Own.Type}/{l.Own.Id}")))
                        .Distinct(),
                ]),
            Patients = patients,
            Labels = [
                new(LabelKind.Class, "http://hl7.org/fhir/resource-types", "Binary"),
                .. linkers.SelectMany(l => l.Own.Labels).Distinct().Select(
                    l => l with { IsInner = l.IsInner || (l.Kind != LabelKind.Class && linkers.Exists(o => !o.Own.Labels.Contains(l))) }),
            ],
        };
    }
}
