using Dapper;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.Unit.Store;

/// <summary>What one random world holds: records, consents and a question.</summary>
public sealed record World(IReadOnlyList<RecordFacts> Records, IReadOnlyList<(ConsentTerms Terms, long? Block, bool Revoked)> Consents, Requester Requester, DateTimeOffset Now);

public static class Worlds
{
    private static readonly DateTimeOffset Epoch = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static Arbitrary<World> World() => Arb.From(
        from records in Gen.ArrayOf(Record, 6)
        from consents in Gen.ArrayOf(Consent, 5)
        from organization in Gen.Elements<string?>(null, "Organization/a", "Organization/b")
        from practitioner in Gen.Elements<string?>(null, "Practitioner/d")
        from patient in Gen.Elements<string?>(null, "p", "q")
        from active in Gen.Frequency((9, Gen.Constant(true)), (1, Gen.Constant(false)))
        from purposes in SubsetOf("TREAT", "HPAYMT")
        from day in Gen.Choose(0, 5)
        select new World([.. records.Select((r, i) => r with { Id = $"r{i}" })], consents, new Requester("x", organization, practitioner, patient, active, purposes), Epoch.AddDays(day)));

    private static Gen<RecordFacts> Record =>
        from type in Gen.Elements("Observation", "DocumentReference", "Organization")
        from custodian in Gen.Elements("Organization/a", "Organization/b", "")
        from patients in SubsetOf("p", "q")
        from labels in SubsetOf("A", "B", "C")
        select new RecordFacts(type, "", custodian, patients, [.. labels.Select((l, i) => new RecordLabel((LabelKind)(i % 3), "s", l))]);

    private static Gen<(ConsentTerms, long?, bool)> Consent =>
        from patient in Gen.Elements("p", "q")
        from permits in Gen.Frequency((3, Gen.Constant(true)), (1, Gen.Constant(false)))
        from root in Provision
        from exceptions in Gen.Choose(0, 2).SelectMany(n => Gen.ArrayOf(Provision, n))
        from block in Gen.Elements<long?>(null, 5, 9)
        from revoked in Gen.Frequency((5, Gen.Constant(false)), (1, Gen.Constant(true)))
        select (new ConsentTerms(patient, permits, root, exceptions), block, revoked);

    private static Gen<Provision> Provision =>
        from days in Gen.Elements((0, 9), (0, 3), (3, 9), (-99, 9999))
        from actors in SubsetOf("Organization/a", "Organization/b", "Practitioner/d")
        from purposes in SubsetOf("TREAT", "HPAYMT")
        from classes in SubsetOf("A", "B")
        from codes in SubsetOf("B", "C")
        from labels in SubsetOf("C")
        select new Provision(Epoch.AddDays(days.Item1), Epoch.AddDays(days.Item2), actors, purposes, Codes(classes), Codes(codes), Codes(labels));

    private static List<TermCode> Codes(IEnumerable<string> codes) => [.. codes.Select(c => new TermCode("s", c))];

    // Empty half of the time: an element that is not there matches everything.
    private static Gen<string[]> SubsetOf(params string[] items) => Gen.Frequency((1, Gen.Constant(Array.Empty<string>())), (1, Gen.SubListOf(items).Select(l => l.ToArray())));
}

public class AccessQueryTests
{
    [Property(MaxTest = 400, Arbitrary = [typeof(Worlds)])]
    public void The_SQL_lets_through_exactly_what_the_decision_permits(World world)
    {
        using var folder = new TemporaryFolder();
        CompareAsync(world, folder.Path).GetAwaiter().GetResult();
    }

    private static async Task CompareAsync(World world, string folder)
    {
        const long Confirmed = 7;
        await using var database = await Database.OpenAsync(Path.Combine(folder, "t.db"));
        var records = new RecordStore(database);
        var standing = new List<StandingConsent>();
        await database.WriteAsync(connection =>
        {
            RecordStore.Commit(connection, [.. world.Records.Select(r => new VersionWrite(
                new StoredVersion(r, 1, world.Now, false, "s", [1], "b", [], [], [], [], null), [], []))]);
            for (var i = 0; i < world.Consents.Count; i++)
            {
                var (terms, block, revoked) = world.Consents[i];
                ConsentStore.Add(connection, $"c{i}", $"consent{i}", [], terms);
                connection.Execute("UPDATE consents SET granted_block = @block, revoked = @revoked WHERE commitment = @c", new { block, revoked = revoked ? 1 : 0, c = $"c{i}" });
                if (!revoked) standing.Add(new StandingConsent($"c{i}", terms, block <= Confirmed));
            }
            return true;
        });
        var access = new AccessQuery(world.Requester, world.Now, Confirmed);
        foreach (var record in world.Records)
        {
            var permitted = ConsentDecision.Decide(world.Requester, record, 1, standing, world.Now, Confirmed) is not null;
            Assert.Equal(permitted, records.Read(access, record.Type, record.Id, null) is not null);
        }
        foreach (var type in world.Records.Select(r => r.Type).Distinct())
        {
            var expected = world.Records.Count(r => r.Type == type && ConsentDecision.Decide(world.Requester, r, 1, standing, world.Now, Confirmed) is not null);
            Assert.Equal(expected, records.Search(access, new SearchQuery(type, [], 100, 0)).Total);
        }
        Assert.Equal(standing.OrderBy(s => s.Commitment).Select(s => (s.Commitment, s.IsConfirmed)), records.ConsentsOf(["p", "q"], Confirmed).Select(s => (s.Commitment, s.IsConfirmed)));
    }
}
