using System.Globalization;
using System.Text.Json.Nodes;
using PmrGateway.Tools.Cases;

namespace PmrGateway.Tests.ConsentCases;

/// <summary>What the runner makes of a file before a gateway is asked anything.</summary>
public class CaseFileTests
{
    private const string Sound = """
        {"id":"A","consents":["c"],"actor":"dr1","purposeOfUse":"TREAT","now":"2025-06-01T12:00:00Z",
        "request":{"method":"GET","url":"DocumentReference/da1"},"expect":{"decision":"permit","status":[200]}}
        """;

    [Fact]
    public void A_sound_case_is_taken() => Check(Sound);

    [Theory]
    [InlineData("consents", "\"permit_dr1\"")]
    [InlineData("consents", "[5]")]
    [InlineData("chain", "\"rpc down for 10 min\"")]
    [InlineData("purposeOfUse", "{\"code\":\"TREAT\"}")]
    [InlineData("setup", "{\"a\":\"b\"}")]
    [InlineData("derivedVisible", "[\"Patient/pa\"]")]
    [InlineData("derivedVisible", "{\"visible\":[\"Patient/pa\"]}")]
    [InlineData("derivedVisible", "{\"of\":[\"Patient/pa\"],\"visible\":[\"Patient/pb\"]}")]
    [InlineData("derivedVisible", "{\"of\":[\"Patient/pa\"],\"visible\":[],\"binaries\":[]}")]
    [InlineData("request", "{\"url\":\"Patient/pa\",\"headers\":[\"Prefer\"]}")]
    [InlineData("request", "{\"url\":\"Patient/pa\",\"repeat\":2}")]
    [InlineData("expect", "{\"decision\":\"permit\",\"links\":[\"next\"]}")]
    [InlineData("expect", "{\"decision\":\"permit\",\"links\":{\"next\":\"there\"}}")]
    [InlineData("expect", "{\"decision\":\"permit\",\"headers\":[\"ETag\"]}")]
    [InlineData("expect", "{\"decision\":\"permit\",\"status\":\"fine\"}")]
    [InlineData("expect", "{\"decision\":\"filter\",\"total\":\"three\"}")]
    [InlineData("expect", "{\"decision\":\"permit\",\"audit\":[\"denied\"]}")]
    [InlineData("expect", "{\"decision\":\"maybe\",\"status\":[200]}")]
    [InlineData("expect", "{\"decision\":\"permit\",\"present\":[\"da1\"]}")]
    [InlineData("unknown", "1")]
    public void A_member_of_another_shape_is_not_passed_over(string name, string value) => Refused(With(name, value));

    [Theory]
    [InlineData("{\"decision\":\"deny\",\"status\":[200]}")]
    [InlineData("{\"decision\":\"permit\",\"status\":[404]}")]
    [InlineData("{\"decision\":\"filter\",\"status\":[404],\"visible\":[\"Patient/pa\"]}")]
    [InlineData("{\"decision\":\"deny\",\"status\":[404],\"total\":0}")]
    [InlineData("{\"decision\":\"deny\",\"status\":[404],\"entryStatus\":[\"200\"]}")]
    public void A_case_that_says_two_things_at_once_is_refused(string expect) => Refused(With("expect", expect));

    [Theory]
    [InlineData("{\"decision\":\"deny\",\"status\":[200],\"entryStatus\":[\"404\"]}")]
    [InlineData("{\"decision\":\"filter\",\"status\":[200,404],\"total\":0}")]
    public void What_is_denied_inside_an_answer_is_taken(string expect) => Check(With("expect", expect));

    [Theory]
    [InlineData("{\"grant\":{\"block\":100}}")]
    [InlineData("{\"grant\":\"block 100\",\"finality\":\"deep\"}")]
    [InlineData("{\"grant\":\"block 195\",\"reorgDepth\":10}")]
    [InlineData("{\"grant\":\"block 195\",\"highWater\":10}")]
    public void A_state_of_the_chain_of_another_shape_is_not_passed_over(string chain) =>
        Assert.Throws<CaseFailed>(() => new ChainCase(Json(chain), DateTimeOffset.UnixEpoch));

    [Theory]
    [InlineData("2025-06", "2025-06-30T23:00:00Z", 0)]
    [InlineData("2025-06", "2025-07-01T01:00:00Z", -1)]
    [InlineData("2024-02", "2024-02-28T12:00:00Z", 1)]
    [InlineData("2025", "2025-12-31T12:00:00Z", 0)]
    [InlineData("2025-06-02", "2025-06-01T12:00:00Z", 1)]
    public void A_period_ends_with_the_last_day_of_its_month_or_year(string end, string now, int days) =>
        Assert.Equal(Day(now, days, out var shift), shift.MoveEnd(end));

    [Theory]
    [InlineData("2025-06", "2025-05-31T12:00:00Z", 1)]
    [InlineData("2025-06", "2025-06-30T12:00:00Z", -29)]
    [InlineData("2025", "2024-12-31T12:00:00Z", 1)]
    public void A_period_begins_with_the_first_day_of_its_month_or_year(string start, string now, int days) =>
        Assert.Equal(Day(now, days, out var shift), shift.MoveStart(start));

    [Fact]
    public void A_consent_is_named_with_and_without_braces()
    {
        var map = new ReferenceMap();
        map.Add("Consent/permit_dr1", "Consent/5");
        Assert.Equal("Consent/5", map.Url("Consent/permit_dr1"));
        Assert.Equal("Consent/5/_history", map.Url("Consent/{permit_dr1}/_history"));
        Assert.Equal("Consent?_id=5&_count=1", map.Url("Consent?_id=permit_dr1&_count=1"));
        Assert.Equal(["5"], map.Texts("Consent/{permit_dr1}"));
        Assert.Equal(["5"], map.Texts("Consent/permit_dr1"));
        var entry = map.Body(Json(
            """{"request":{"method":"GET","url":"Consent/{permit_dr1}"},"to":{"reference":"Consent/{permit_dr1}"}}"""))!;
        Assert.Equal("Consent/5", (string?)entry["request"]!["url"]);
        Assert.Equal("Consent/5", (string?)entry["to"]!["reference"]);
        Assert.Throws<CaseFailed>(() => map.Url("Consent/{permit_dr9}"));
    }

    [Theory]
    [InlineData("ehr1: Bundle/doc9 (type document) with Composition + da1", "Bundle/doc9")]
    [InlineData("ehr1: creates List/l1 with da1, da2", "List/l1")]
    [InlineData("pat_a: revoke permit_dr1", null)]
    public void A_setup_says_what_it_makes(string line, string? made) => Assert.Equal(made, SetupLines.Made(line));

    [Theory]
    [InlineData("token scope: user/*.rs", "user/*.rs")]
    [InlineData("token scope user/*.rs openid", "user/*.rs openid")]
    [InlineData("token scope missing", null)]
    public void A_setup_says_the_scopes_of_a_token(string line, string? scopes) => Assert.Equal(scopes, TokenWish.ScopeOf(line));

    [Theory]
    [InlineData("\"dr1\"")]
    [InlineData("{\"fhirUser\":\"Practitioner/dr1\",\"status\":\"struck-off\"}")]
    [InlineData("{\"scopes\":[\"user/*.rs\"]}")]
    public void An_actor_of_another_shape_is_not_passed_over(string actor) =>
        Assert.NotNull(CaseShape.ProblemOfActor(JsonNode.Parse(actor)));

    private static JsonObject Json(string text) => JsonNode.Parse(text)!.AsObject();

    private static string With(string name, string value)
    {
        var json = Json(Sound);
        json[name] = JsonNode.Parse(value);
        return json.ToJsonString();
    }

    private static void Check(string text) => new CaseSpec(Json(text)).Check();

    private static void Refused(string text) =>
        Assert.StartsWith("not understood", Assert.Throws<CaseFailed>(() => Check(text)).Message, StringComparison.Ordinal);

    // So many days from the one on which the case is asked.
    private static string Day(string now, int days, out TimeShift shift)
    {
        shift = TimeShift.Of(DateTimeOffset.Parse(now, CultureInfo.InvariantCulture), []);
        return shift.Moment.UtcDateTime.AddDays(days).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
    }
}
