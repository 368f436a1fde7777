using FsCheck;
using FsCheck.Fluent;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

/// <summary>What one random world holds: records as they come, change and go, consents, and a question.</summary>
internal sealed record World(
    IReadOnlyList<Step> Steps, IReadOnlyList<(ConsentTerms Terms, long? Block, bool Revoked)> Consents,
    Requester Requester, DateTimeOffset Now);

/// <summary>
/// A record is written, or deleted where <paramref name="Deletes"/>; its place among few names decides whether it is new.
/// </summary>
internal sealed record Step(int Name, string Type, string Custodian, string[] Patients, string[] Labels, int[] Links, bool Deletes);

internal static class Worlds
{
    private static readonly string[] Actors = ["Organization/a", "Organization/b", "Practitioner/d"];

    public static Gen<World> Any() =>
        from steps in Gen.ArrayOf(AStep, 14)
        from consents in Gen.ArrayOf(Consent, 5)
        from organization in Gen.Elements<string?>(null, "Organization/a", "Organization/b")
        from practitioner in Gen.Elements<string?>(null, "Practitioner/d")
        from patient in Gen.Elements<string?>(null, "p", "q")
        from active in Gen.Frequency((9, Gen.Constant(true)), (1, Gen.Constant(false)))
        from purposes in SubsetOf("TREAT", "HPAYMT")
        from instant in Gen.Choose(0, 5)
        select new World(
            steps,
            consents,
            new Requester("x", organization, practitioner, patient, active, purposes),
            Make.Epoch.AddMilliseconds(instant));

    private static Gen<Step> AStep =>
        from name in Gen.Choose(0, 7)
        from type in Gen.Elements("Observation", "DocumentReference", "Organization", "Binary")
        from custodian in Gen.Elements("Organization/a", "Organization/b", "")
        from patients in SubsetOf("p", "q")
        from labels in SubsetOf("A", "B", "C")
        from links in SubsetOf("0", "1", "2", "3", "4", "5", "6", "7")
        from deletes in Gen.Frequency((5, Gen.Constant(false)), (1, Gen.Constant(true)))
        select new Step(name, type, custodian, patients, labels, [.. links.Select(int.Parse)], deletes);

    private static Gen<(ConsentTerms, long?, bool)> Consent =>
        from patient in Gen.Elements("p", "q")
        from permits in Gen.Frequency((3, Gen.Constant(true)), (1, Gen.Constant(false)))
        from root in Provision
        from exceptions in Gen.Choose(0, 2).SelectMany(n => Gen.ArrayOf(Provision, n))
        from block in Gen.Elements<long?>(null, 5, 9)
        from revoked in Gen.Frequency((5, Gen.Constant(false)), (1, Gen.Constant(true)))
        select (new ConsentTerms(patient, permits, root, exceptions), block, revoked);

    // Periods that begin and end within the milliseconds at which worlds are asked.
    private static Gen<Provision> Provision =>
        from period in Gen.Elements((0, 9), (0, 3), (3, 9), (2, 4), (-99, 9999))
        from actors in SubsetOf(Actors)
        from purposes in SubsetOf("TREAT", "HPAYMT")
        from classes in SubsetOf("A", "B")
        from codes in SubsetOf("B", "C")
        from labels in SubsetOf("C")
        select new Provision(
            Make.Epoch.AddMilliseconds(period.Item1), Make.Epoch.AddMilliseconds(period.Item2), actors, purposes, Codes(classes),
            Codes(codes), Codes(labels));

    private static List<TermCode> Codes(IEnumerable<string> codes) => [.. codes.Select(c => new TermCode("s", c))];

    // Empty half of the time: an element that is not there matches everything.
    private static Gen<string[]> SubsetOf(params string[] items) => Gen.Frequency(
        (1, Gen.Constant(Array.Empty<string>())), (1, Gen.SubListOf(items).Select(l => l.ToArray())));
}

/// <summary>The records of a world as they should be, by the plainest code: what access depends on is worked out anew each time.</summary>
internal sealed class Model(string prefix)
{
    private sealed record Held(RecordFacts Own, long Version, bool IsDeleted, IReadOnlyList<string> Links,
        IReadOnlyList<string> OwnPatients);

    private readonly Dictionary<string, Held> _records = [];

    // A Binary that has ended keeps the facts that it ended with.
    private readonly Dictionary<string, RecordFacts> _ended = [];

    public static SearchCriterion OfWorld(string prefix) => new("identifier", "token", [new SearchValue("urn:world", prefix)]);

    public IEnumerable<(RecordFacts Facts, long Version, bool IsDeleted)> Records =>
        _records.Values.Select(r => (FactsOf(r), r.Version, r.IsDeleted));

    /// <summary>Takes a step, and gives the plan for it; null where it makes no sense here.</summary>
    public CommitPlan? Apply(Step step)
    {
        var id = $"{prefix}-{step.Name}";
        _records.TryGetValue(id, out var held);
        if (step.Deletes)
        {
            if (held is null || held.IsDeleted || held.Own.Type == "Binary") return null;
            Remember(held.Links);
            _records[id] = held with { Version = held.Version + 1, IsDeleted = true, Links = [] };
            EndUnlinked(held.Links, held.Own.Custodian);
            return new CommitPlan { Versions = [Make.Deletion(held.Own, held.Version + 1)] };
        }
        if (held?.IsDeleted == true) return null;
        var (type, custodian) = held is null ? (step.Type, step.Custodian) : (held.Own.Type, held.Own.Custodian);
        var isBinary = type == "Binary";
        var patients = step.Patients.Select(p => $"{prefix}-{p}").ToList();
        RecordLabel[] labels = isBinary
            ? [new(LabelKind.Class, "http://hl7.org/fhir/resource-types", "Binary")]
            : [.. step.Labels.Select((l, i) => new RecordLabel((LabelKind)(i % 3), "s", l))];
        var facts = new RecordFacts(type, id, custodian, patients, labels);
        var version = (held?.Version ?? 0) + 1;
        string[] links = isBinary
            ? []
            : [.. step.Links.Select(l => $"{prefix}-{l}").Where(l => _records.GetValueOrDefault(l)?.Own.Type == "Binary")];
        Remember(held?.Links ?? []);
        _records[id] = new Held(facts, version, false, links, held?.OwnPatients ?? (isBinary ? patients : []));
        EndUnlinked(held?.Links.Except(links) ?? [], custodian);
        return new CommitPlan { Versions = [Make.Version(facts, version, [Make.Token("identifier", "urn:world", prefix)], links)] };
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
                && !_records.Values.Any(r => r.Links.Contains(id)))
                _records[id] = binary with { Version = binary.Version + 1, IsDeleted = true };
    }

    private RecordFacts FactsOf(Held held)
    {
        if (held.Own.Type != "Binary") return held.Own;
        if (held.IsDeleted) return _ended[held.Own.Id];
        var linkers = _records.Values.Where(r => !r.IsDeleted && r.Own.Custodian == held.Own.Custodian && r.Links.Contains(held.Own.Id))
            .ToList();
        return held.Own with
        {
            Patients = [.. held.OwnPatients.Concat(linkers.SelectMany(l => l.Own.Patients)).Distinct()],
            Labels = [
                new(LabelKind.Class, "http://hl7.org/fhir/resource-types", "Binary"), .. linkers.SelectMany(l => l.Own.Labels).Distinct()
            ],
        };
    }
}
