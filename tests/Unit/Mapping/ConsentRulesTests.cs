using PmrGateway.Fhir;
using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.Mapping;

/// <summary>What a provision says of a record's labels, time and ties: docs/consent.md, row by row.</summary>
public class ConsentRulesTests
{
    private const string Secrecy = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    private const string Sensitivity = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("N", "", true)]
    [InlineData("N", "U", true)]
    [InlineData("N", "N", true)]
    [InlineData("N", "R", false)]
    [InlineData("R", "V", false)]
    [InlineData("V", "R", true)]
    [InlineData("L", "", false)]
    [InlineData("N", "N R", false)]
    public void A_permit_of_a_level_holds_records_up_to_it_and_one_without_a_label_is_normal(string named, string labels, bool permits) =>
        Assert.Equal(permits, Decide(Permit(Secret(named)), Security(labels)));

    [Theory]
    [InlineData("R", "R", false)]
    [InlineData("R", "V", false)]
    [InlineData("R", "N", true)]
    [InlineData("R", "", true)]
    [InlineData("N", "", false)]
    [InlineData("V", "R", true)]
    public void A_denial_of_a_level_holds_records_from_it_on(string named, string labels, bool permits) =>
        Assert.Equal(permits, Decide(Permit(Any, Secret(named)), Security(labels)));

    [Theory]
    [InlineData("", "R")]
    [InlineData("urn:oid:2.16.840.1.113883.5.25", "R")]
    [InlineData("http://hl7.org/fhir/v3/Confidentiality", "V")]
    [InlineData(Secrecy, "nobody-knows")]
    public void A_level_under_another_name_counts_and_one_that_is_not_understood_is_the_highest(string system, string code) =>
        Assert.False(Decide(Permit(Secret("N")), [new(LabelKind.Security, system, code)]));

    [Theory]
    [InlineData("", "U", "N")]
    [InlineData("", "L", "N")]
    [InlineData("U", "L", "L")]
    [InlineData("N", "U", "N")]
    [InlineData("U", "R", "R")]
    public void The_level_of_a_part_raises_that_of_the_whole_and_never_lowers_it(string whole, string part, string counts)
    {
        RecordLabel[] labels = [.. Security(whole), new(LabelKind.Security, Secrecy, part, IsInner: true)];
        string[] order = ["U", "L", "M", "N", "R", "V"];
        foreach (var named in order)
            Assert.Equal(Array.IndexOf(order, named) >= Array.IndexOf(order, counts), Decide(Permit(Secret(named)), labels));
    }

    [Fact]
    public void A_label_of_a_part_stays_beside_the_same_one_of_the_whole()
    {
        var own = new RecordLabel(LabelKind.Security, Secrecy, "R");
        var set = new LabelSet([own, own with { IsInner = true }, own]);
        Assert.Equal([own, own with { IsInner = true }], set.Labels);
        Assert.Equal(set.Labels, LabelSet.Parse(set.Text).Labels);
    }

    [Theory]
    [InlineData("PSY", "PSY", false)]
    [InlineData("MH", "PSY", false)]
    [InlineData("BH", "PSYTHPN", false)]
    [InlineData("SPI", "ETHUD", false)]
    [InlineData("PSY", "MH", true)]
    [InlineData("HIV", "PSY", true)]
    public void A_denial_of_a_sensitivity_holds_its_kinds(string named, string label, bool permits) =>
        Assert.Equal(permits, Decide(Permit(Any, Sensitive(named)), [new(LabelKind.Security, Sensitivity, label)]));

    [Theory]
    [InlineData("TREAT", "COC", true)]
    [InlineData("HPAYMT", "ELIGDTRM", true)]
    [InlineData("COVERAGE", "HPAYMT", false)]
    [InlineData("TREAT", "BTG", false)]
    [InlineData("BTG", "BTG", true)]
    [InlineData("ETREAT", "BTG", true)]
    [InlineData("TREAT", "HRESCH", false)]
    public void A_permit_for_a_purpose_holds_its_kinds_but_not_breaking_the_glass(string named, string asked, bool permits) =>
        Assert.Equal(permits, Decide(Permit(Any with { Purposes = [named] }), [], purpose: asked));

    [Fact]
    public void A_denial_for_treatment_holds_breaking_the_glass_too()
    {
        Assert.False(Decide(Permit(Any, Any with { Purposes = ["TREAT"] }), [], purpose: "BTG"));
        Assert.True(Decide(Deny(Any, Any with { Purposes = ["BTG"] }), [], purpose: "BTG"));
    }

    [Fact]
    public void What_is_said_of_a_part_closes_a_record_and_does_not_open_it()
    {
        RecordLabel[] inner = [new(LabelKind.Code, "s", "A", IsInner: true), new(LabelKind.Security, Sensitivity, "HIV", IsInner: true)];
        var named = Any with { Codes = [new("s", "A")] };
        Assert.False(Decide(Permit(named), inner));
        Assert.False(Decide(Permit(Any, named), inner));
        Assert.False(Decide(Permit(Any, Sensitive("HIV")), inner));
        Assert.False(Decide(Permit(Sensitive("HIV")), inner));
        Assert.False(Decide(Permit(Secret("N")), [new(LabelKind.Security, Secrecy, "R", IsInner: true)]));
    }

    [Theory]
    [InlineData("2022-03", "2022-04", true, false)]
    [InlineData("2021-12", "2022-02", false, false)]
    [InlineData("2023-02", "2023-03", false, true)]
    [InlineData(null, null, false, false)]
    public void A_permit_holds_what_lies_inside_its_data_period_and_a_denial_what_may_touch_it(
        string? from, string? to, bool isPermitted, bool isLeft)
    {
        var year = Any with { DataPeriod = new DataPeriod(Date("2022-01"), Date("2023-01")) };
        var details = new RecordDetails(from is null ? null : Date(from), to is null ? null : Date(to), []);
        Assert.Equal(isPermitted, Decide(Permit(year), [], details));
        Assert.Equal(isLeft, Decide(Permit(Any, year), [], details));
        Assert.Equal(isPermitted, Decide(Deny(Any, year), [], details));
    }

    [Theory]
    [InlineData(DataMeaning.Instance, true, false, false, false)]
    [InlineData(DataMeaning.Dependents, true, true, false, false)]
    [InlineData(DataMeaning.Related, true, true, true, false)]
    [InlineData(DataMeaning.AuthoredBy, false, false, false, true)]
    public void Named_data_is_the_resource_and_what_its_meaning_ties_to_it(
        DataMeaning meaning, bool itself, bool refersTo, bool referredBy, bool writtenBy)
    {
        var named = Any with { Data = [new DataReference(meaning, "Observation/x")] };
        foreach (var (kind, expected) in new[]
        {
            (LinkKind.Is, itself), (LinkKind.RefersTo, refersTo), (LinkKind.ReferredBy, referredBy), (LinkKind.WrittenBy, writtenBy),
        })
        {
            var details = new RecordDetails(null, null, [new RecordLink(kind, "Observation/x")]);
            Assert.Equal(expected, Decide(Permit(named), [], details));
            // Somebody who is named under whatever word may have written it: a denial holds that.
            var isHeld = expected || (meaning == DataMeaning.AuthoredBy && kind == LinkKind.RefersTo);
            Assert.Equal(!isHeld, Decide(Permit(Any, named), [], details));
        }
        var part = new RecordDetails(null, null, [new RecordLink(LinkKind.PartWrittenBy, "Observation/x")]);
        Assert.False(Decide(Permit(named), [], part));
        Assert.Equal(meaning != DataMeaning.AuthoredBy, Decide(Permit(Any, named), [], part));
    }

    [Fact]
    public void An_exception_with_conditions_keeps_to_them_on_both_sides()
    {
        var named = Any with { Data = [new DataReference(DataMeaning.Instance, "Observation/o")] };
        var other = Any with { Data = [new DataReference(DataMeaning.Instance, "Observation/other")] };
        Assert.False(Decide(Permit(Any, named), []));
        Assert.True(Decide(Permit(Any, other), []));
        Assert.True(Decide(Deny(Any, named), []));
        Assert.False(Decide(Deny(Any, other), []));
        Assert.True(Decide(Deny(Any, other, named), []));
        // Where the outer provision does not hold, nothing is said: the other consent decides.
        Assert.Null(Decided([Deny(other)!], []));
        Assert.NotNull(Decided([Deny(other)!, Permit(Any)!], []));
        Assert.Null(Decided([Deny(named)!, Permit(Any)!], []));
    }

    [Fact]
    public void A_permit_to_read_is_none_to_write_and_the_other_way_round()
    {
        var record = Record([], RecordDetails.None);
        bool Writes(StandingConsent consent) => ConsentDecision.PermitsWrite(Asking("TREAT"), record, "p", [consent]);
        Assert.True(Writes(Permit(Any)!));
        Assert.False(Writes(Permit(Any with { Actions = [DataAction.Read] })!));
        Assert.True(Writes(Permit(Any with { Actions = [DataAction.Write] })!));
        Assert.False(Decide(Permit(Any with { Actions = [DataAction.Write] }), []));
        Assert.True(Decide(Permit(Any with { Actions = [DataAction.Read, DataAction.Write] }), []));
        Assert.True(Decide(Permit(Any, Any with { Actions = [DataAction.Write] }), []));
        Assert.False(Writes(Permit(Any)! with { IsConfirmed = false }));
    }

    [Fact]
    public void A_Consent_and_its_paper_are_opened_by_no_other_consent()
    {
        RecordLabel[] labels = [new(LabelKind.Class, "http://hl7.org/fhir/resource-types", "Consent")];
        var links = new RecordDetails(null, null, [new RecordLink(LinkKind.Grants, "Organization/ins")]);
        var consent = new RecordFacts("Consent", "k", "Organization/h", ["p"], labels) { Details = links };
        Permit? Seen(RecordFacts record, string id, StandingConsent by) =>
            ConsentDecision.Decide(Asking("TREAT"), record, 1, true, [by with { ConsentId = id }], 1);
        Assert.NotNull(Seen(consent, "k", Permit(Any)!));
        Assert.Null(Seen(consent, "another", Permit(Any)!));
        Assert.Null(Seen(consent, "k", Permit(Any)! with { IsConfirmed = false }));
        Assert.Null(Seen(consent with { Details = RecordDetails.None }, "k", Permit(Any)!));
        Assert.Null(Seen(consent with { Type = "Binary" }, "k", Permit(Any)!));
    }

    [Fact]
    public void A_residual_reads_back_as_it_was_written()
    {
        var shape = TermsShape.Parse(Permit(Any with
        {
            Data = [new DataReference(DataMeaning.Related, "Encounter/e")],
            DataPeriod = new DataPeriod(Date("2022-01"), Date("2023-01")),
        })!.Shape.Text);
        var residual = Assert.Single(ConsentDecision.Verdicts(shape, [], [])).When;
        Assert.Equal(residual.Text, Residual.Parse(residual.Text).Text);
        Assert.Equal(3, Assert.Single(residual.Conditions).AnyOf!.Count);
    }

    private static Provision Any { get; } = new(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue, [], [], [], [], []);

    private static Provision Secret(string level) => Any with { SecurityLabels = [new(Secrecy, level)] };

    private static Provision Sensitive(string code) => Any with { SecurityLabels = [new(Sensitivity, code)] };

    private static RecordLabel[] Security(string levels) =>
        [.. levels.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(l => new RecordLabel(LabelKind.Security, Secrecy, l))];

    private static DateTimeOffset Date(string month) => FhirDate.Range(month)!.Value.From;

    private static Requester Asking(string purpose) => new("Organization/ins", "Organization/ins", null, null, true, [purpose]);

    private static RecordFacts Record(IReadOnlyList<RecordLabel> labels, RecordDetails details) =>
        new("Observation", "o", "Organization/h", ["p"], labels) { Details = details };

    private static bool Decide(
        StandingConsent? consent, IReadOnlyList<RecordLabel> labels, RecordDetails? details = null, string purpose = "TREAT") =>
        Decided([consent!], labels, details, purpose) is not null;

    private static Permit? Decided(
        IReadOnlyList<StandingConsent> consents, IReadOnlyList<RecordLabel> labels, RecordDetails? details = null,
        string purpose = "TREAT") =>
        ConsentDecision.Decide(Asking(purpose), Record(labels, details ?? RecordDetails.None), 1, true, consents, 1);

    private static StandingConsent? Permit(Provision root, params Provision[] exceptions) =>
        StandingConsent.At(Now, "c", new ConsentTerms("p", true, root, exceptions), true);

    private static StandingConsent? Deny(Provision root, params Provision[] exceptions) =>
        StandingConsent.At(Now, "d", new ConsentTerms("p", false, root, exceptions), true);
}
