using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.Mapping;

public class ConsentDecisionTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly RecordFacts Record = new(
        "Observation",
        "o",
        "Organization/h1",
        ["p"],
        [new RecordLabel(LabelKind.Class, "sys", "A"), new RecordLabel(LabelKind.Security, "sec", "PSY")])
    { Author = "client:ehr" };
    private static readonly Requester Insurer = new("Organization/ins", "Organization/ins", null, null, true, ["HPAYMT"]);

    [Fact]
    public void Without_consent_the_answer_is_no() => Assert.Null(Decide(Insurer));

    [Fact]
    public void The_author_the_patient_and_readers_of_the_directory_need_no_consent()
    {
        Assert.Equal(PermitBasis.Author, Decide(Insurer with { Author = "client:ehr" })!.Basis);
        Assert.Equal(PermitBasis.OwnRecord, Decide(new Requester("Patient/p", null, null, "p", true, []))!.Basis);
        Assert.Equal(PermitBasis.Directory, ConsentDecision.Decide(Insurer, Record with { Type = "Organization" }, 1, true, [], 1)!.Basis);
    }

    [Fact]
    public void An_inactive_actor_gets_nothing_at_all()
    {
        Assert.Null(Decide(Insurer with { IsActive = false, Author = "client:ehr" }));
        Assert.Null(ConsentDecision.Decide(Insurer with { IsActive = false }, Record with { Type = "Organization" }, 1, true, [], 1));
    }

    [Fact]
    public void A_record_of_no_patient_is_its_authors_alone() =>
        Assert.Null(ConsentDecision.Decide(Insurer, Record with { Patients = [] }, 1, true, [Permit(Any)!], 1));

    [Fact]
    public void A_permit_that_matches_permits_and_says_by_which_consent() => Assert.Equal(["c"], Decide(Insurer, Permit(Any))!.Commitments);

    [Fact]
    public void Every_populated_element_must_match()
    {
        Assert.NotNull(Decide(Insurer, Permit(
            Any with { Actors = ["Organization/ins", "Organization/x"], Purposes = ["TREAT", "HPAYMT"], Classes = [new("sys", "A")] })));
        Assert.Null(Decide(Insurer, Permit(Any with { Actors = ["Organization/x"] })));
        Assert.Null(Decide(Insurer, Permit(Any with { Purposes = ["TREAT"] })));
        Assert.Null(Decide(Insurer, Permit(Any with { Classes = [new("sys", "B")] })));
        Assert.Null(Decide(Insurer, Permit(Any with { Codes = [new("sys", "A")] })));
        Assert.Null(Decide(Insurer, Permit(Any with { SecurityLabels = [new("sec", "HIV")] })));
    }

    [Fact]
    public void A_permit_counts_inside_its_period_only()
    {
        Assert.NotNull(Decide(Insurer, Permit(Any with { From = Now, To = Now.AddMilliseconds(1) })));
        Assert.Null(Decide(Insurer, Permit(Any with { From = Now.AddMilliseconds(1) })));
        Assert.Null(Decide(Insurer, Permit(Any with { To = Now })));
    }

    [Fact]
    public void An_exception_speaks_before_its_consent()
    {
        Assert.Null(Decide(Insurer, Permit(Any, Any with { SecurityLabels = [new("sec", "PSY")] })));
        Assert.NotNull(Decide(Insurer, Permit(Any, Any with { SecurityLabels = [new("sec", "HIV")] })));
        Assert.NotNull(Decide(Insurer, Deny(Any, Any with { Purposes = ["HPAYMT"] })));
    }

    [Fact]
    public void A_denial_overrides_a_permit_even_before_the_chain_has_it()
    {
        Assert.Null(Decide(Insurer, Permit(Any), Deny(Any)));
        Assert.Null(Decide(Insurer, Permit(Any), Deny(Any)! with { IsConfirmed = false }));
        Assert.NotNull(Decide(Insurer, Permit(Any), Deny(Any with { Actors = ["Organization/x"] })));
    }

    [Fact]
    public void A_permit_that_the_chain_has_not_confirmed_permits_nothing() =>
        Assert.Null(Decide(Insurer, Permit(Any)! with { IsConfirmed = false }));

    [Fact]
    public void Who_keeps_a_record_and_the_colleagues_of_who_wrote_it_need_a_consent()
    {
        Assert.Null(Decide(Insurer with { Organization = "Organization/h1" }));
        Assert.Null(Decide(new Requester("Practitioner/d", "Organization/h1", "Practitioner/d", null, true, ["TREAT"])
        {
            Author = "Practitioner/d",
        }));
        Assert.Null(ConsentDecision.Decide(Insurer with { Author = "" }, Record with { Author = "" }, 1, true, [], 1));
    }

    [Fact]
    public void A_record_of_two_patients_needs_both()
    {
        var both = Record with { Patients = ["p", "q"] };
        Assert.Null(ConsentDecision.Decide(Insurer, both, 1, true, [Permit(Any)!], 1));
        Assert.NotNull(ConsentDecision.Decide(Insurer, both, 1, true, [Permit(Any)!, Permit(Any)! with { Patient = "q" }], 1));
        Assert.Null(ConsentDecision.Decide(new Requester("Patient/p", null, null, "p", true, []), both, 1, true, [], 1));
    }

    [Fact]
    public void An_earlier_version_is_for_the_author_and_the_patient_alone()
    {
        Permit? Earlier(Requester requester) => ConsentDecision.Decide(requester, Record, 1, false, [Permit(Any)!], 1);
        Assert.Null(Earlier(Insurer));
        Assert.NotNull(Earlier(Insurer with { Author = "client:ehr" }));
        Assert.NotNull(Earlier(new Requester("Patient/p", null, null, "p", true, [])));
    }

    [Fact]
    public void An_exception_counts_inside_its_own_period_only()
    {
        var psy = Any with { SecurityLabels = [new("sec", "PSY")] };
        Assert.NotNull(Decide(Insurer, Permit(Any, psy with { To = Now })));
        Assert.Null(Decide(Insurer, Permit(Any, psy with { From = Now })));
        Assert.NotNull(Decide(Insurer, Permit(Any, psy with { From = Now.AddMilliseconds(1) })));
    }

    private static Provision Any { get; } = new(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue, [], [], [], [], []);

    private static Permit? Decide(Requester requester, params StandingConsent?[] consents) =>
        ConsentDecision.Decide(requester, Record, 1, true, [.. consents.OfType<StandingConsent>()], 1);

    private static StandingConsent? Permit(Provision root, params Provision[] exceptions) =>
        StandingConsent.At(Now, "c", new ConsentTerms("p", true, root, exceptions), true);

    private static StandingConsent? Deny(Provision root, params Provision[] exceptions) =>
        StandingConsent.At(Now, "d", new ConsentTerms("p", false, root, exceptions), true);
}
