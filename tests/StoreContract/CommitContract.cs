using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

public sealed class SqliteCommits(Sqlite engine) : CommitContract(engine), IClassFixture<Sqlite>;

public sealed class PostgresCommits(Postgres engine) : CommitContract(engine), IClassFixture<Postgres>;

/// <summary>What a plan does, on every engine.</summary>
public abstract class CommitContract(Engine engine)
{
    private readonly RecordDatabase _database = engine.Shared();

    [Fact]
    public async Task A_version_that_was_committed_is_read_as_it_was()
    {
        var facts = Make.Facts("Observation", Id(), "Organization/a", "p", new RecordLabel(LabelKind.Code, "s", "c"));
        Assert.IsType<CommitResult.Committed>(await CommitAsync(Make.Version(facts)));
        await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: false, default);
        var found = await snapshot.ReadAsync("Observation", facts.Id, null, default);
        Assert.Equal(facts.Labels, found!.Version.Facts.Labels);
        Assert.Equal(facts.Patients, found.Version.Facts.Patients);
        Assert.Equal([1, 2, 3], found.Version.Body);
        Assert.Equal((1, "Observation", facts.Id), (found.Permit.Version, found.Permit.Type, found.Permit.Id));
    }

    [Fact]
    public async Task Two_writers_of_one_version_end_in_one_version_and_one_conflict()
    {
        var facts = Make.Facts("Basic", Id());
        var results = await Task.WhenAll(CommitAsync(Make.Version(facts)), CommitAsync(Make.Version(facts)));
        Assert.Single(results.OfType<CommitResult.Committed>());
        Assert.Equal(new CommitResult.Conflict("Basic", facts.Id), Assert.Single(results.OfType<CommitResult.Conflict>()));
        Assert.IsType<CommitResult.Conflict>(await CommitAsync(Make.Version(facts, 3)));
        Assert.IsType<CommitResult.Committed>(await CommitAsync(Make.Version(facts, 2)));
    }

    [Fact]
    public async Task A_plan_that_is_refused_changes_nothing_and_takes_no_other_of_its_group_with_it()
    {
        var taken = Make.Facts("Basic", Id());
        await CommitAsync(Make.Version(taken));
        var others = Enumerable.Range(0, 60).Select(_ => Make.Facts("Basic", Id())).ToList();
        var plans = others.Select((facts, i) => i % 3 == 0 ? Make.Version(taken) : Make.Version(facts)).ToList();
        var results = await Task.WhenAll(plans.Select((p, i) => _database.CommitAsync(
            new CommitPlan { Versions = i % 3 == 0 ? [Make.Version(others[i]), p] : [p], Audit = [Make.Audit(Id())] }, default)));
        await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: false, default);
        for (var i = 0; i < others.Count; i++)
        {
            Assert.Equal(i % 3 == 0, results[i] is CommitResult.Conflict);
            Assert.Equal(i % 3 != 0, await snapshot.ReadAsync("Basic", others[i].Id, null, default) is not null);
        }
        Assert.Null(await new AuditLog(_database).FirstBrokenAsync(default));
    }

    [Fact]
    public async Task Of_eight_conditional_creates_at_once_one_is_made()
    {
        var identifier = Id();
        var query = new SearchQuery(
            "Patient", [new SearchCriterion("identifier", "token", [new SearchValue("urn:mrn", identifier)])], 2, 0);
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _database.CommitAsync(
            new CommitPlan
            {
                If = [new Precondition.Matches(Make.Hospital(), query, null)],
                Versions = [Make.Version(Make.Facts("Patient", Id()), 1, [Make.Token("identifier", "urn:mrn", identifier)])],
            },
            default)));
        Assert.Single(results.OfType<CommitResult.Committed>());
        Assert.Equal(7, results.OfType<CommitResult.NotHeld>().Count());
        await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: true, default);
        Assert.Equal(1, (await snapshot.SearchAsync(query, default)).Total);
    }

    [Fact]
    public async Task Of_many_that_come_at_once_no_more_are_written_than_there_may_be_and_of_one_plan_all_or_none()
    {
        var identifier = Id();
        var query = new SearchQuery(
            "Patient", [new SearchCriterion("identifier", "token", [new SearchValue("urn:mrn", identifier)])], 2, 0);
        Task<CommitResult> WriteAsync(int count) => _database.CommitAsync(
            new CommitPlan
            {
                If = [.. Enumerable.Repeat(new Precondition.AtMost("those", Make.Hospital(), query, 3, "too many"), count)],
                Versions =
                [
                    .. Enumerable.Range(0, count).Select(
                        _ => Make.Version(Make.Facts("Patient", Id()), 1, [Make.Token("identifier", "urn:mrn", identifier)])),
                ],
            },
            default);
        Assert.IsType<CommitResult.NotHeld>(await WriteAsync(4));
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => WriteAsync(1)));
        Assert.Equal(3, results.OfType<CommitResult.Committed>().Count());
        Assert.Equal(5, results.OfType<CommitResult.NotHeld>().Count());
        await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: true, default);
        Assert.Equal(3, (await snapshot.SearchAsync(query, default)).Total);
    }

    [Fact]
    public async Task What_a_condition_found_is_written_where_it_is_still_the_one_that_is_seen_alone()
    {
        var (identifier, first, second, hidden) = (Id(), Id(), Id(), Id());
        var query = new SearchQuery(
            "Patient", [new SearchCriterion("identifier", "token", [new SearchValue("urn:mrn", identifier)])], 1, 0);
        Task<CommitResult> WriteAsync(string id, long version, string? only) => _database.CommitAsync(
            new CommitPlan
            {
                If = [new Precondition.Matches(Make.Hospital(), query, only)],
                Versions = [Make.Version(Make.Facts("Patient", id), version, [Make.Token("identifier", "urn:mrn", identifier)])],
            },
            default);

        Assert.IsType<CommitResult.NotHeld>(await WriteAsync(first, 1, first));
        Assert.IsType<CommitResult.Committed>(await WriteAsync(first, 1, null));
        Assert.IsType<CommitResult.NotHeld>(await WriteAsync(first, 2, null));
        Assert.IsType<CommitResult.NotHeld>(await WriteAsync(first, 2, second));
        Assert.IsType<CommitResult.Committed>(await WriteAsync(first, 2, first));
        // One that the viewer does not see makes no difference; one that it does makes two.
        var others = Make.Facts("Patient", hidden, "Organization/other");
        Assert.IsType<CommitResult.Committed>(await _database.CommitAsync(
            new CommitPlan { Versions = [Make.Version(others, 1, [Make.Token("identifier", "urn:mrn", identifier)])] }, default));
        Assert.IsType<CommitResult.Committed>(await WriteAsync(first, 3, first));
        await _database.CommitAsync(
            new CommitPlan
            {
                Versions = [Make.Version(Make.Facts("Patient", second), 1, [Make.Token("identifier", "urn:mrn", identifier)])],
            },
            default);
        Assert.IsType<CommitResult.NotHeld>(await WriteAsync(first, 4, first));
    }

    [Fact]
    public async Task What_another_hospital_has_is_no_match_for_a_condition()
    {
        var identifier = Id();
        var query = new SearchQuery(
            "Patient", [new SearchCriterion("identifier", "token", [new SearchValue("urn:mrn", identifier)])], 2, 0);
        foreach (var hospital in new[] { "Organization/a", "Organization/b" })
        {
            var made = await _database.CommitAsync(
                new CommitPlan
                {
                    If = [new Precondition.Matches(Make.Hospital(hospital), query, null)],
                    Versions = [Make.Version(Make.Facts("Patient", Id(), hospital), 1, [Make.Token("identifier", "urn:mrn", identifier)])],
                },
                default);
            Assert.IsType<CommitResult.Committed>(made);
        }
    }

    [Fact]
    public async Task A_subject_has_one_key_and_who_came_second_is_told()
    {
        var subject = "Patient/" + Id();
        Assert.IsType<CommitResult.Committed>(await _database.CommitAsync(new CommitPlan { SubjectKeys = [new(subject, [1])] }, default));
        Assert.IsType<CommitResult.Committed>(await _database.CommitAsync(new CommitPlan { SubjectKeys = [new(subject, [1])] }, default));
        Assert.Equal(
            new CommitResult.KeyTaken(subject), await _database.CommitAsync(new CommitPlan { SubjectKeys = [new(subject, [2])] }, default));
        Assert.Equal([1], await new DirectoryStore(_database).SubjectKeyAsync(subject, default));
    }

    [Fact]
    public async Task A_commitment_that_is_there_is_a_conflict()
    {
        var give = Make.Give(Id(), Make.Permit(Id()));
        Assert.IsType<CommitResult.Committed>(await _database.CommitAsync(new CommitPlan { Consents = [give] }, default));
        Assert.Equal(
            new CommitResult.Conflict("Consent", give.ConsentId),
            await _database.CommitAsync(new CommitPlan { Consents = [give] }, default));
    }

    [Fact]
    public async Task A_step_of_a_consent_that_is_refused_leaves_neither_its_version_nor_what_the_chain_is_told()
    {
        var (id, patient) = (Id(), Id());
        var (directory, journal) = (new DirectoryStore(_database), new LedgerJournal(_database));
        var facts = Make.Facts("Consent", id, "Organization/a", patient);
        var before = Make.Give(id, Make.Permit(patient));
        CommitPlan Step(long version, ConsentChange.Give give) => new()
        {
            Versions = [Make.Version(facts, version)],
            Consents = [new ConsentChange.Withdraw(id), give],
            Outbox = [new ChainCommand(ChainCommands.GrantKey(give.Commitment), ContractSet.Consents, "grant", [1], OutboxPriority.Grant)],
            Audit = [Make.Audit(Id(), patient)],
        };
        Assert.IsType<CommitResult.Committed>(await _database.CommitAsync(Step(1, before), default));
        var next = Make.Give(id, Make.Permit(patient, "Organization/j"));
        var none = new SearchQuery("Consent", [new SearchCriterion("_id", "id", [new SearchValue(null, id)])], 1, 0);
        await _database.CommitAsync(new CommitPlan { SubjectKeys = [new("Patient/" + patient, [1])] }, default);
        foreach (var refused in new[]
        {
            // The version is not the next one; the terms are there already; a condition does not hold; a key is another's.
            Step(1, next), Step(2, before), Step(2, next) with { If = [new Precondition.Matches(Make.Hospital(), none, null)] },
            Step(2, next) with { If = [new Precondition.AtMost("those", Make.Hospital(), none, 0, "too many")] },
            Step(2, next) with { SubjectKeys = [new("Patient/" + patient, [2])] },
        })
        {
            Assert.IsNotType<CommitResult.Committed>(await _database.CommitAsync(refused, default));
            Assert.Equal((before.Commitment, false), await LatestAsync());
            Assert.Equal((1, true), (await VersionAsync(), await IsToldAsync(before)));
            Assert.False(await IsToldAsync(next));
            Assert.Equal(1, (await new AuditLog(_database).SearchAsync(new AuditQuery(patient, 1), default)).Total);
        }
        Assert.IsType<CommitResult.Committed>(await _database.CommitAsync(Step(2, next), default));
        Assert.Equal((next.Commitment, false), await LatestAsync());
        Assert.Equal((2, true), (await VersionAsync(), await IsToldAsync(next)));

        async Task<(string, bool)> LatestAsync()
        {
            var latest = (await directory.LatestConsentAsync(id, default))!;
            return (latest.Commitment, latest.IsRevoked);
        }
        async Task<long> VersionAsync()
        {
            await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: false, default);
            return (await snapshot.ReadAsync("Consent", id, null, default))!.Version.Version;
        }
        async Task<bool> IsToldAsync(ConsentChange.Give give) =>
            await journal.FindAsync(ChainCommands.GrantKey(give.Commitment), default) is not null;
    }

    [Fact]
    public async Task The_last_consent_that_a_resource_gave_counts_and_withdrawing_ends_all()
    {
        var (id, directory) = (Id(), new DirectoryStore(_database));
        var given = new[] { "Organization/i", "Organization/j" }.Select(a => Make.Give(id, Make.Permit("p" + id, a))).ToList();
        foreach (var give in given)
            await _database.CommitAsync(new CommitPlan { Consents = [new ConsentChange.Withdraw(id), give] }, default);
        var latest = (await directory.LatestConsentAsync(id, default))!;
        Assert.Equal((given[1].Commitment, "p" + id), (latest.Commitment, latest.PatientId));
        Assert.Equal((null, false), (latest.GrantedBlock, latest.IsRevoked));
        await _database.CommitAsync(new CommitPlan { Consents = [new ConsentChange.Withdraw(id)] }, default);
        Assert.True((await directory.LatestConsentAsync(id, default))!.IsRevoked);
    }

    [Fact]
    public async Task An_actor_and_a_patient_are_added_once_and_a_practitioner_falls_with_the_hospital()
    {
        var (h, d, p) = ("Organization/" + Id(), "Practitioner/" + Id(), Id());
        var directory = new DirectoryStore(_database);
        await _database.CommitAsync(
            new CommitPlan
            {
                Directory =
                [
                    new DirectoryChange.AddActor(h, Id(), ActorKind.Hospital, null),
                    new DirectoryChange.AddActor(d, Id(), ActorKind.Practitioner, h),
                    new DirectoryChange.AddActor(h, "other", ActorKind.Insurer, null), new DirectoryChange.AddPatient(p, Id(), h),
                    new DirectoryChange.AddPatient(p, "other", "other"),
                ],
            },
            default);
        var hospital = (await directory.ActorAsync(h, default))!;
        Assert.Equal((ActorKind.Hospital, false), (hospital.Kind, hospital.IsActive));
        Assert.Equal(h, (await directory.PatientAsync(p, default))!.Custodian);
        var journal = new LedgerJournal(_database);
        var doctor = (await directory.ActorAsync(d, default))!;
        await journal.ApplyAsync(
            new ViewUpdate(
                null,
                [
                    new ActorRegisteredEvent(1, "t", hospital.ActorId, ActorKind.Hospital, null),
                    new ActorRegisteredEvent(1, "t", doctor.ActorId, ActorKind.Practitioner, hospital.ActorId),
                    new ClientBindingEvent(1, "t", "client" + d, doctor.ActorId),
                ],
                [new BlockReference(1, "a")], TimeSpan.Zero),
            default);
        Assert.True((await directory.ActorOfClientAsync("client" + d, default))!.IsActive);
        await _database.CommitAsync(new CommitPlan { Directory = [new DirectoryChange.SetSuspended(h, true)] }, default);
        Assert.False((await directory.ActorOfClientAsync("client" + d, default))!.IsActive);
        Assert.False((await directory.ActorAsync(d, default))!.IsSuspended);
    }

    [Fact]
    public async Task What_was_committed_is_there_after_the_database_is_opened_again()
    {
        var facts = Make.Facts("Basic", Id());
        await CommitAsync(Make.Version(facts));
        var again = engine.Open();
        await using var snapshot = await again.SnapshotAsync(Make.Hospital(), searches: false, default);
        Assert.NotNull(await snapshot.ReadAsync("Basic", facts.Id, null, default));
        Assert.True(await again.HasRecordsAsync(default));
    }

    [Fact]
    public async Task A_deployment_fact_is_kept_once()
    {
        var name = Id();
        Assert.Null(await _database.DeploymentFactAsync(name, default));
        Assert.Equal("1", await _database.KeepDeploymentFactAsync(name, "1"));
        Assert.Equal("1", await _database.KeepDeploymentFactAsync(name, "2"));
        Assert.Equal("1", await _database.DeploymentFactAsync(name, default));
    }

    [Fact]
    public void A_plan_prints_as_what_it_does()
    {
        var plan = new CommitPlan
        {
            Versions = [Make.Version(Make.Facts("Patient", "x"))],
            Consents = [new ConsentChange.Withdraw("c")],
            Audit = [Make.Audit("a")],
        };
        Assert.Equal("write Patient/x as version 1\nwithdraw Consent/c\naudit read permit of Patient/p", plan.ToString());
    }

    private static string Id() => ResourceId.New();

    private Task<CommitResult> CommitAsync(params VersionWrite[] versions) =>
        _database.CommitAsync(new CommitPlan { Versions = versions }, default);
}
