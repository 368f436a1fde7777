using System.Text.Json;
using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.Mapping;

/// <summary>What a consent says in words, and what it leaves to be enforced as IHE PCF has it.</summary>
public class ConsentWordsTests
{
    private const string Types = "http://hl7.org/fhir/resource-types";
    private const string Loinc = "http://loinc.org";
    private const string ActCode = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    private const string Level = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    private static readonly Provision Any = new(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue, [], [], [], [], []);
    private static readonly Provision Ins = Any with { Actors = ["Organization/ins"], Purposes = ["HPAYMT"] };
    private static readonly DateTimeOffset Now = Day("2026-06-01");
    private static readonly DataPeriod Year = new(Day("2022-01-01"), Day("2023-01-01"));
    private static readonly Requester Insurer = new("Organization/ins", "Organization/ins", null, null, true, ["HPAYMT"]);

    public static TheoryData<string, ConsentTerms> Shapes => new()
    {
        { "Permit: anyone may read and write every record, for any purpose, without an end.", Permit(Any) },
        { "Deny: nobody may read or write any record, for any purpose, without an end.", Deny(Any) },
        {
            "Permit: Organization/ins may read every record, for healthcare payment (HPAYMT), until 2026-12-31 inclusive.",
            Permit(Ins with { Actions = [DataAction.Read], To = Day("2027-01-01") })
        },
        {
            "Permit: Organization/ins and Practitioner/d may write every record, for treatment (TREAT) or HTEST, "
                + "from 2026-01-02, until 2026-03-01T10:00:01Z.",
            Permit(Any with
            {
                Actors = ["Organization/ins", "Practitioner/d"], Purposes = ["TREAT", "HTEST"], Actions = [DataAction.Write],
                From = Day("2026-01-02"), To = Day("2026-03-01").AddHours(10).AddSeconds(1),
            })
        },
        {
            "Deny: Organization/ins may not read or write any record, for healthcare payment (HPAYMT), without an end.", Deny(Ins)
        },
        {
            "Permit: Organization/ins may read and write records of type Observation or of class urn:x|A, and with the code LOINC 34133-9 "
                + "or urn:y|B, for healthcare payment (HPAYMT), without an end.",
            Permit(Ins with
            {
                Classes = [new(Types, "Observation"), new("urn:x", "A")], Codes = [new(Loinc, "34133-9"), new("urn:y", "B")],
            })
        },
        {
            "Permit: anyone may read and write records of confidentiality normal (N) or lower, for any purpose, without an end.",
            Permit(Any with { SecurityLabels = [new(Level, "N")] })
        },
        {
            "Deny: nobody may read or write records of confidentiality restricted (R) or higher or labelled PSY or PSYTHPN, "
                + "for any purpose, without an end.",
            Deny(Any with { SecurityLabels = [new(Level, "R"), new(ActCode, "PSY")] })
        },
        {
            "Permit: anyone may read and write records wholly about the time from 2022-01-01 until 2022-12-31 inclusive, for any purpose, "
                + "without an end.",
            Permit(Any with { DataPeriod = Year })
        },
        {
            "Deny: nobody may read or write records about any of the time until 2022-12-31 inclusive, or about a time that is not told, "
                + "for any purpose, without an end.",
            Deny(Any with { DataPeriod = Year with { From = default } })
        },
        {
            "Permit: anyone may read and write records that are Observation/a or that are Encounter/b or refer to it or that are "
                + "Encounter/c, refer to it or are referred to by it or that name or were sent by the author Practitioner/d, for any "
                + "purpose, without an end.",
            Permit(Any with
            {
                Data =
                [
                    new(DataMeaning.Instance, "Observation/a"), new(DataMeaning.Dependents, "Encounter/b"),
                    new(DataMeaning.Related, "Encounter/c"), new(DataMeaning.AuthoredBy, "Practitioner/d"),
                ],
            })
        },
        {
            "Permit: Organization/ins may read every record, for healthcare payment (HPAYMT), without an end. "
                + "Except: Organization/ins may not read records labelled HIV, for any of these purposes. "
                + "Except: Practitioner/d may not read any record, for COVAUTH, until 2026-12-31 inclusive.",
            Permit(
                Ins with { Actions = [DataAction.Read] }, Any with { SecurityLabels = [new(ActCode, "HIV")] },
                Any with { Actors = ["Practitioner/d"], Purposes = ["COVAUTH"], To = Day("2027-01-01") })
        },
        {
            "Deny: nobody may read or write any record, for any purpose, until 2026-12-31 inclusive. Except: Organization/ins may "
                + "read and write every record, for healthcare payment (HPAYMT), from 2026-02-01.",
            Deny(Any with { To = Day("2027-01-01") }, Ins with { From = Day("2026-02-01"), To = Day("2027-01-01") })
        },
    };

    [Theory]
    [MemberData(nameof(Shapes), DisableDiscoveryEnumeration = true)]
    public void A_consent_is_told_in_words(string words, ConsentTerms terms) => Assert.Equal(words, ConsentWords.Of(terms));

    [Fact]
    public void A_consent_that_leaves_nothing_to_enforce_has_no_residual() =>
        Assert.Equal(
            """{"ihe_pcf":{"patient_id":"http://g/fhir/Patient/p","doc_id":["http://g/fhir/Consent/k"],"acp":["urn:policy"]}}""",
            Pcf(Permit(Ins), ["urn:policy"]));

    // The profile's own example: Consent-ex-consent-advanced-normal-not-restricted.
    [Fact]
    public void What_is_not_named_is_forbidden_first_then_the_rules_follow_in_order() =>
        Assert.Equal(
            "[" + """{"type":"forbid"},"""
                + $$"""{"type":"permit","securityLabel":[{{Codes(Level, "U", "L", "M", "N")}}]},"""
                + $$"""{"type":"forbid","securityLabel":[{{Codes(Level, "R", "V")}}]}""" + "]",
            Residual(Permit(Ins with { SecurityLabels = [new(Level, "N")] }, Any with { SecurityLabels = [new(Level, "R")] })));

    [Fact]
    public void A_denial_forbids_and_its_exception_permits() =>
        Assert.Equal(
            $$"""[{"type":"forbid","securityLabel":[{{Codes(ActCode, "ETH", "ETHUD")}}]},"""
                + $$"""{"type":"permit","class":[{{Codes(Types, "Observation")}}],"code":[{{Codes(Loinc, "1")}}]}]""",
            Residual(Deny(
                Any with { SecurityLabels = [new(ActCode, "ETH")] },
                Any with { Classes = [new(Types, "Observation")], Codes = [new(Loinc, "1")] })));

    [Fact]
    public void Data_and_its_time_are_named_under_the_base() =>
        Assert.Equal(
            """[{"type":"forbid"},{"type":"permit","dataPeriod":{"start":"2022-01-01T00:00:00.000Z","end":"2022-12-31T23:59:59.999Z"}"""
                + ""","data":[{"meaning":"related","reference":{"reference":"http://g/fhir/Encounter/e"}}]}]""",
            Residual(Permit(Ins with { DataPeriod = Year, Data = [new(DataMeaning.Related, "Encounter/e")] })));

    [Fact]
    public void An_exception_for_others_or_another_purpose_leaves_nothing_to_enforce()
    {
        Assert.Null(Residual(Permit(Ins, Any with { Actors = ["Practitioner/d"], SecurityLabels = [new(ActCode, "HIV")] })));
        Assert.Null(Residual(Permit(Ins, Any with { Purposes = ["HRESCH"] })));
        Assert.Equal("""[{"type":"forbid"}]""", Residual(Permit(Ins, Any with { Purposes = ["HPAYMT"] })));
        Assert.Equal("""[{"type":"forbid"}]""", Residual(Deny(Any)));
    }

    [Fact]
    public void A_consent_that_is_not_about_who_asks_has_no_residual() =>
        Assert.Throws<InvalidOperationException>(() => Pcf(Permit(Any with { Actors = ["Organization/x"] }), []));

    private static string Pcf(ConsentTerms terms, string[] policies) =>
        PcfExtension.Of("http://g/fhir", StandingConsent.At(Now, "c", terms, true)! with { ConsentId = "k" }, Insurer, policies);

    private static string? Residual(ConsentTerms terms)
    {
        using var json = JsonDocument.Parse(Pcf(terms, []));
        return json.RootElement.GetProperty("ihe_pcf").TryGetProperty("residual", out var rules) ? rules.GetRawText() : null;
    }

    private static string Codes(string system, params string[] codes) =>
        string.Join(',', codes.Select(c => $$"""{"system":"{{system}}","code":"{{c}}"}"""));

    private static ConsentTerms Permit(Provision root, params Provision[] exceptions) => new("p", true, root, exceptions);

    private static ConsentTerms Deny(Provision root, params Provision[] exceptions) => new("p", false, root, exceptions);

    private static DateTimeOffset Day(string text) =>
        DateTimeOffset.Parse(text + "T00:00:00Z", System.Globalization.CultureInfo.InvariantCulture);
}
