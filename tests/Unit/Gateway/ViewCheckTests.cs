using PmrGateway.Gateway.Ledger;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Tests.Unit.LedgerAdapter;

namespace PmrGateway.Tests.Unit.Gateway;

/// <summary>Rows that decide access, held against a chain that says what a test wants.</summary>
public sealed class ViewCheckTests : IAsyncLifetime
{
    private static readonly string Hospital = new('a', 64);
    private static readonly string Doctor = new('1', 64);
    private static readonly string Patient = new('b', 64);
    private static readonly string Client = new('c', 64);
    private static readonly string Other = new('9', 64);
    private static readonly string Wallet = new('e', 40);
    private string _commitment = "";
    private LedgerFixture _ledger = null!;

    public async Task InitializeAsync()
    {
        _ledger = await LedgerFixture.OpenAsync();
        var terms = new ConsentTerms("p", true, new Provision(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue, [], [], [], [], []), []);
        _commitment = Convert.ToHexStringLower(terms.Commit(new byte[32]));
        await _ledger.Database.CommitAsync(
            new CommitPlan
            {
                Directory =
                [
                    new DirectoryChange.AddActor("Organization/h", Hospital, ActorKind.Hospital, null),
                    new DirectoryChange.AddActor("Practitioner/d", Doctor, ActorKind.Practitioner, "Organization/h"),
                    new DirectoryChange.AddPatient("p", Patient, "Organization/h"),
                ],
                Consents = [new ConsentChange.Give(_commitment, "k", new byte[32], terms) { Giver = "Patient/p" }],
            },
            default);
        var chain = _ledger.Chain;
        chain.Say(
            b => new ActorRegisteredEvent(b, "t", Hospital, ActorKind.Hospital, null),
            b => new ActorRegisteredEvent(b, "t", Doctor, ActorKind.Practitioner, Hospital),
            b => new ClientBindingEvent(b, "t", Client, Hospital), b => new PatientRegisteredEvent(b, "t", Patient, Wallet, Hospital),
            b => new ConsentGrantedEvent(b, "t", Patient, _commitment, 0, ulong.MaxValue, 3));
        chain.Actors[Hospital] = new ActorState(ActorKind.Hospital, 1, null);
        chain.Actors[Doctor] = new ActorState(ActorKind.Practitioner, 1, Hospital);
        chain.Clients[Client] = Hospital;
        chain.Patients[Patient] = new PatientState(Wallet, 3, Hospital);
        chain.Grants[_commitment] = new GrantState(1, 0, ulong.MaxValue, 3);
        chain.Mine(3);
        await new ConsentView(chain, _ledger.Journal, _ledger.Options, _ledger.Time, _ledger.LogOf<ConsentView>()).RunOnceAsync(default);
    }

    public async Task DisposeAsync() => await _ledger.DisposeAsync();

    [Fact]
    public async Task Rows_that_are_as_on_the_chain_are_counted_and_contradict_nothing()
    {
        var (check, wrong) = await RunAsync();
        Assert.Empty(wrong);
        Assert.Equal((1L, 2L, 1L, 1L, 0L), (check.Consents, check.Actors, check.Patients, check.Clients, check.Stricter));
        Assert.Equal(((3L, 3L), null), (check.Blocks, check.AtHead));
    }

    [Fact]
    public async Task Each_row_that_opens_what_the_chain_does_not_is_told_by_table_and_key()
    {
        var chain = _ledger.Chain;
        foreach (var (change, told) in new (Action, string)[]
        {
            (() => chain.Grants[_commitment] = new GrantState(0, 0, 0, 0),
                $"consents {_commitment} stands here, and the chain has no such grant"),
            (() => chain.Grants[_commitment] = new GrantState(2, 0, ulong.MaxValue, 3),
                $"consents {_commitment} stands here, and is revoked on the chain"),
            (() => chain.Patients[Patient] = new PatientState(Wallet, 4, Hospital),
                $"consents {_commitment} stands here, and is revoked on the chain with all of its patient before it"),
            (() => chain.Patients[Patient] = new PatientState(new string('f', 40), 3, Hospital),
                $"patients p has the wallet 0x{Wallet} here, and 0x{new string('f', 40)} on the chain"),
            (() => chain.Patients[Patient] = new PatientState(Wallet, 3, Other), "patients p has another custodian here than on the chain"),
            (() => chain.Patients[Patient] = new PatientState(null, 3, new string('0', 64)),
                "patients p is registered here, and the chain has no such patient"),
            (() => chain.Actors[Hospital] = new ActorState(ActorKind.Hospital, 2, null),
                "actors Organization/h is active here, and suspended on the chain"),
            (() => chain.Actors.Remove(Hospital), "actors Organization/h is active here, and the chain has no such actor"),
            (() => chain.Actors[Hospital] = new ActorState(ActorKind.Insurer, 1, null),
                "actors Organization/h is registered as hospital here, and as insurer on the chain"),
            (() => chain.Actors[Doctor] = new ActorState(ActorKind.Practitioner, 1, Other),
                "actors Practitioner/d is of another hospital here than on the chain"),
            (() => chain.Clients[Client] = Other, $"bindings {Client} is bound to another actor here than on the chain"),
            (() => chain.Clients.Remove(Client), $"bindings {Client} is bound here, and to nobody on the chain"),
        })
        {
            var (patient, hospital, doctor, grant) =
                (chain.Patients[Patient], chain.Actors[Hospital], chain.Actors[Doctor], chain.Grants[_commitment]);
            change();
            Assert.Equal([told], (await RunAsync()).Wrong);
            (chain.Patients[Patient], chain.Actors[Hospital], chain.Actors[Doctor]) = (patient, hospital, doctor);
            (chain.Grants[_commitment], chain.Clients[Client]) = (grant, Hospital);
        }
        Assert.Empty((await RunAsync()).Wrong);
    }

    [Fact]
    public async Task What_is_stricter_here_than_there_is_counted_and_contradicts_nothing()
    {
        await _ledger.Database.CommitAsync(new CommitPlan { Consents = [new ConsentChange.Withdraw("k")] }, default);
        var (check, wrong) = await RunAsync();
        Assert.Empty(wrong);
        Assert.Equal(1, check.Stricter);
        // All that the chain has and the view does not: two actors, the patient, the grant.
        await _ledger.Journal.ApplyAsync(ViewUpdate.Forgetting, default);
        (check, wrong) = await RunAsync();
        Assert.Empty(wrong);
        Assert.Equal(4, check.Stricter);
    }

    [Fact]
    public async Task A_node_that_has_the_newest_state_alone_is_asked_at_its_head_and_that_is_said()
    {
        (_ledger.Chain.IsPruned, _ledger.Chain.Grants[_commitment]) = (true, new GrantState(2, 0, ulong.MaxValue, 3));
        _ledger.Chain.Mine(2);
        var (check, wrong) = await RunAsync();
        Assert.Single(wrong);
        Assert.Equal((5L, 5L), check.Blocks);
        Assert.Contains("does not tell the state at block 3", check.AtHead);
    }

    [Fact]
    public async Task A_node_without_the_views_block_is_asked_at_its_head_and_that_is_said()
    {
        _ledger.Chain.BecomeAnother();
        _ledger.Chain.Actors.Clear();
        var (check, wrong) = await RunAsync();
        Assert.Equal(2, wrong.Count);
        Assert.Equal((0L, 0L), check.Blocks);
        Assert.Contains("has no block 3 as the view has it", check.AtHead);
        // Nor is another block of that number the view's.
        _ledger.Chain.Mine(5);
        (check, wrong) = await RunAsync();
        Assert.Equal((2, (5L, 5L)), (wrong.Count, check.Blocks));
        Assert.Contains("has no block 3 as the view has it", check.AtHead);
    }

    [Fact]
    public async Task A_row_that_is_not_what_was_sealed_is_told_and_so_is_a_patient_who_vanished()
    {
        _ledger.Sql("UPDATE actors SET kind = 3 WHERE reference = 'Organization/h'");
        _ledger.Sql($"UPDATE bindings SET actor_id = '{Other}'");
        _ledger.Sql("UPDATE consents SET granted_block = 2");
        Assert.Equal(
            [
                "actors Organization/h is not what was sealed", $"bindings {Client} is not what was sealed",
                $"consents {_commitment} is not what was sealed",
            ],
            (await RunAsync()).Wrong);
        _ledger.Sql("UPDATE consents SET granted_block = 1");
        _ledger.Sql("DELETE FROM patients");
        Assert.Contains("patients p is not there, and has consents", (await RunAsync()).Wrong);
    }

    private async Task<(ViewCheck Check, List<string> Wrong)> RunAsync()
    {
        var check = new ViewCheck(new ViewRows(_ledger.Database), _ledger.Chain, _ledger.Time);
        var wrong = new List<string>();
        await foreach (var c in check.RunAsync(default)) wrong.Add($"{c.Table} {c.Key} {c.Text}");
        return (check, wrong);
    }
}
