using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

public sealed class SqliteWriter(Sqlite engine) : WriterContract(engine), IClassFixture<Sqlite>;

public sealed class PostgresWriter(Postgres engine) : WriterContract(engine), IClassFixture<Postgres>;

/// <summary>How changes that come in together are carried out, on every engine.</summary>
public abstract class WriterContract(Engine engine)
{
    private readonly RecordDatabase _database = engine.Shared();

    [Fact]
    public async Task A_condition_that_takes_too_long_is_given_up_and_takes_no_other_of_its_group_with_it()
    {
        var query = new SearchQuery("Basic", [new SearchCriterion("code", "token", [new SearchValue("s", Id())])], 1, 0);
        var plans = Enumerable.Range(0, 30).Select(i => new CommitPlan
        {
            If = [new Precondition.Matches(Make.Hospital(), query, null) { Longest = i % 3 == 0 ? TimeSpan.Zero : TimeSpan.FromHours(1) }],
            Versions = [Make.Version(Make.Facts("Basic", Id()))],
        }).ToList();
        var results = await Task.WhenAll(plans.Select(p => _database.CommitAsync(p, default)));
        await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: false, default);
        for (var i = 0; i < plans.Count; i++)
        {
            Assert.Equal(i % 3 == 0 ? new CommitResult.TooLong(TimeSpan.Zero) : new CommitResult.Committed(), results[i]);
            var written = await snapshot.ReadAsync("Basic", plans[i].Versions[0].Version.Facts.Id, null, default);
            Assert.Equal(i % 3 != 0, written is not null);
        }
    }

    [Fact]
    public async Task What_nobody_waits_for_any_more_when_its_turn_comes_is_passed_over_and_takes_no_other_with_it()
    {
        var all = new TaskCompletionSource();
        var waiting = HoldAsync(all.Task);
        using var gone = new CancellationTokenSource();
        var (left, stays) = (Make.Facts("Basic", Id()), Make.Facts("Basic", Id()));
        var departed = _database.CommitAsync(new CommitPlan { Versions = [Make.Version(left)] }, gone.Token);
        var other = CommitAsync(Make.Version(stays));
        await gone.CancelAsync();
        all.SetResult();
        await waiting;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => departed);
        Assert.IsType<CommitResult.Committed>(await other);
        await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: false, default);
        Assert.Null(await snapshot.ReadAsync("Basic", left.Id, null, default));
        Assert.NotNull(await snapshot.ReadAsync("Basic", stays.Id, null, default));
    }

    [Fact]
    public async Task What_comes_behind_a_slow_change_does_not_wait_in_its_transaction_and_what_failed_is_not_run_again()
    {
        var all = new TaskCompletionSource();
        var waiting = HoldAsync(all.Task);
        var runs = 0;
        var slow = HoldAsync(Task.Delay(1200));
        var failing = _database.ChangeAsync<bool>(_ =>
        {
            runs++;
            throw new InvalidOperationException("no");
        });
        var behind = _database.ChangeAsync(async _ => await Task.WhenAny(slow, Task.Delay(TimeSpan.FromSeconds(5))) == slow);
        all.SetResult();
        await waiting;
        Assert.True(await behind);
        await Assert.ThrowsAsync<InvalidOperationException>(() => failing);
        Assert.Equal(1, runs);
    }

    [Fact]
    public async Task What_a_group_gave_numbers_before_it_was_taken_back_is_found_by_every_process_afterwards()
    {
        // The facts are known already: what is new is the parameter, the label and the group that is taken back.
        await CommitAsync(Make.Version(Make.Facts("Basic", Id())));
        var (parameter, binary) = ("p" + Id(), Make.Facts("Binary", Id(), "Organization/a", "p"));
        var query = new SearchQuery("Basic", [new SearchCriterion(parameter, "token", [new SearchValue("s", "c")])], 2, 0);
        CommitPlan Create() => new()
        {
            If = [new Precondition.Matches(Make.Hospital(), query, null)],
            Versions = [Make.Version(Make.Facts("Basic", Id()), 1, [Make.Token(parameter, "s", "c")])],
        };
        var document = Make.Facts("DocumentReference", Id(), "Organization/a", "p", new RecordLabel(LabelKind.Code, "s", Id()));
        var linked = new CommitPlan { Versions = [Make.Version(binary), Make.Version(document, 1, [], binary.Id)] };
        await (await _database.SnapshotAsync(Make.Hospital(), searches: true, default)).DisposeAsync();

        // Until all of them wait, the writer does: they are one group, in which the second create finds the first.
        var all = new TaskCompletionSource();
        var waiting = HoldAsync(all.Task);
        var results = new[] { linked, Create(), Create() }.Select(p => _database.CommitAsync(p, default)).ToList();
        all.SetResult();
        await waiting;
        Assert.IsType<CommitResult.Committed>(await results[0]);
        Assert.IsType<CommitResult.Committed>(await results[1]);
        Assert.IsType<CommitResult.NotHeld>(await results[2]);

        await using var snapshot = await engine.Open().SnapshotAsync(Make.Hospital(), searches: true, default);
        Assert.Equal(1, (await snapshot.SearchAsync(query, default)).Total);
        foreach (var facts in new[] { document, binary })
        {
            var read = await snapshot.ReadAsync(facts.Type, facts.Id, null, default);
            Assert.Contains(document.Labels[0], read!.Version.Facts.Labels);
        }
    }

    private Task<bool> HoldAsync(Task until) => _database.ChangeAsync(async _ =>
    {
        await until;
        return true;
    });

    private static string Id() => ResourceId.New();

    private Task<CommitResult> CommitAsync(params VersionWrite[] versions) =>
        _database.CommitAsync(new CommitPlan { Versions = versions }, default);
}
