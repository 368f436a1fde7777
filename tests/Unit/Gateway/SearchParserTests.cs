using Microsoft.AspNetCore.WebUtilities;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Api;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.Unit.Gateway;

public class SearchParserTests
{
    private static readonly SearchParser Parser = new(
        new CriterionParser(new SearchIndexer(FhirSchema.R4), new BaseUrl("http://gateway.example"), TimeProvider.System),
        new LimitOptions());

    private static Result<ParsedSearch> Parse(string query, string type = "DocumentReference") =>
        Parser.Parse(type, QueryHelpers.ParseQuery(query), ScopeReach.All);

    private static SearchCriterion Criterion(string query) => Assert.Single(Parse(query).Value.Query.Criteria);

    private static SearchValue Value(string query) => Assert.Single(Criterion(query).Values);

    [Theory]
    [InlineData("type=http://loinc.org|1-8", "http://loinc.org", "1-8")]
    [InlineData("type=1-8", null, "1-8")]
    [InlineData("type=|1-8", "", "1-8")]
    [InlineData("type=http://loinc.org|", "http://loinc.org", null)]
    [InlineData("_id=x", null, "x")]
    [InlineData("patient=x", "Patient", "x")]
    [InlineData("patient=Patient/x", "Patient", "x")]
    [InlineData("subject=x", null, "x")]
    [InlineData("subject:Patient=x", "Patient", "x")]
    [InlineData("subject=http://elsewhere.example/Patient/x", null, "http://elsewhere.example/Patient/x")]
    public void A_value_is_read_as_its_parameters_type_has_it(string query, string? system, string? text) =>
        Assert.Equal((system, text), (Value(query).System, Value(query).Text));

    [Theory]
    [InlineData("date=2026", "eq", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")]
    [InlineData("date=ge2026-01-02", "ge", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")]
    [InlineData("date=ne2026-01-02", "ne", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")]
    [InlineData("_lastUpdated=lt2026-01", "lt", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")]
    public void A_date_is_the_span_that_its_precision_says(string query, string prefix, string from, string to)
    {
        static long Instant(string text) => DateTimeOffset.Parse(text).ToUnixTimeMilliseconds();
        var value = Value(query);
        Assert.Equal((prefix, Instant(from), Instant(to)), (value.Prefix, value.From, value.To));
    }

    [Fact]
    public void Commas_are_alternatives_and_parameters_are_all_to_hold()
    {
        Assert.Equal(["a", "b,c", "d"], Criterion("identifier=a,b\\,c,d").Values.Select(v => v.Text));
        Assert.Equal(["status", "type"], Parse("status=current&type=x").Value.Query.Criteria.Select(c => c.Parameter));
        Assert.Equal(2, Parse("date=ge2026&date=lt2027").Value.Query.Criteria.Count);
    }

    [Theory]
    [InlineData("", 50)]
    [InlineData("_count=7", 7)]
    [InlineData("_count=501", 500)]
    [InlineData("_count=0", 0)]
    [InlineData("_summary=count", 0)]
    [InlineData("_summary=count&_count=3", 0)]
    [InlineData("_summary=true&_count=3", 3)]
    [InlineData("_total=accurate&_count=3", 3)]
    public void A_page_is_as_long_as_was_asked_for_within_its_bounds(string query, int count) =>
        Assert.Equal(count, Parse(query).Value.Query.Count);

    [Fact]
    public void The_self_link_has_what_was_understood_and_not_the_cursor()
    {
        var parsed = Parse("status=current&_cursor=12&_format=json&type=a|b").Value;
        Assert.Equal("status=current&type=a%7Cb", parsed.Self);
        Assert.Equal("12", parsed.Cursor);
    }

    [Theory]
    [InlineData("_include=DocumentReference:subject", "DocumentReference", "subject", null, false, false)]
    [InlineData("_include=DocumentReference:subject:Patient", "DocumentReference", "subject", "Patient", false, false)]
    [InlineData("_include=*", "DocumentReference", null, null, false, false)]
    [InlineData("_include=DocumentReference:*", "DocumentReference", null, null, false, false)]
    [InlineData("_include:iterate=Observation:patient", "Observation", "patient", null, false, true)]
    [InlineData("_revinclude:iterate=Observation:subject:Patient", "Observation", "subject", "Patient", true, true)]
    public void An_include_names_a_reference_parameter_of_the_type_or_all(
        string query, string type, string? parameter, string? target, bool isReverse, bool iterates) =>
        Assert.Equal([new Inclusion(type, parameter, target, isReverse, iterates)], Parse(query).Value.Includes);

    [Theory]
    [InlineData("DocumentReference", "patient._id=p")]
    [InlineData("DocumentReference", "subject=Patient/p&status=current")]
    [InlineData("Practitioner", "_has:Observation:performer:patient=p")]
    [InlineData("Practitioner", "_has:Observation:performer:patient._id=p")]
    public void Of_whom_a_search_asks_is_known_also_where_a_link_names_them(string type, string query) =>
        Assert.Equal("p", Parse(query, type).Value.Query.Patient);

    [Theory]
    [InlineData("patient._id=p", "no chain and no _has")]
    [InlineData("_has:Observation:subject:status=final&status=current", "no chain and no _has")]
    [InlineData("status:not=current", "nothing to look for by 'status'")]
    [InlineData("status=current&date=ge1900&_tag=x", "nothing to look for by 'status', 'date', '_tag'")]
    [InlineData("identifier=urn:x|", "nothing to look for by 'identifier'")]
    [InlineData("identifier=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19&status=current", "21 values, most of them of 'identifier'")]
    [InlineData("type:missing=true", "nothing to look for")]
    [InlineData("_include:iterate=*&status=current", "'_include:iterate' says how")]
    public void A_condition_says_what_a_resource_has_itself(string query, string text) =>
        Assert.Contains(
            text,
            Parser.ParseCondition("DocumentReference", QueryHelpers.ParseQuery(query), ScopeReach.All).Failure!.Issues[0].Text);

    [Fact]
    public void What_a_scope_asks_counts_among_the_values_of_a_search_for_its_type_and_for_each_link_to_it()
    {
        ScopeTerm term = new("type", "token", [.. Enumerable.Range(0, 30).Select(i => new ScopeValue(null, $"{i}"))]);
        var filters = new Dictionary<string, IReadOnlyList<ScopeFilter>> { ["DocumentReference"] = [new ScopeFilter([term])] };
        var reach = new ScopeReach(filters, filters);
        var parser = new SearchParser(
            new CriterionParser(new SearchIndexer(FhirSchema.R4), new BaseUrl("http://gateway.example"), TimeProvider.System),
            new LimitOptions { MaxSearchValues = 62 });
        Result<ParsedSearch> Asked(string type, string query) => parser.Parse(type, QueryHelpers.ParseQuery(query), reach);

        Assert.Null(Asked("DocumentReference", "status=current").Failure);
        Assert.Null(Asked("DocumentReference", "relatesto.status=current").Failure);
        Assert.NotNull(Asked("DocumentReference", "relatesto.status=current&status=current").Failure);
        Assert.NotNull(parser.ParseCondition(
            "DocumentReference", QueryHelpers.ParseQuery("type=" + string.Join(',', Enumerable.Range(0, 33))), reach).Failure);
        Assert.Null(Asked("Patient", "identifier=" + string.Join(',', Enumerable.Range(0, 62))).Failure);
    }

    [Theory]
    [InlineData("family=abcdef")]
    [InlineData("family=a..")]
    [InlineData("family:exact=abcdef")]
    [InlineData("birthdate=1980-01-01")]
    public void What_many_persons_have_is_no_condition(string query) => Assert.Contains(
        $"by '{query.Split(':', '=')[0]}'",
        Parser.ParseCondition("Patient", QueryHelpers.ParseQuery(query), ScopeReach.All).Failure!.Issues[0].Text);

    [Fact]
    public void A_search_names_fifty_records_at_most_in_all_ways_together()
    {
        static string Ids(int count) => string.Join(',', Enumerable.Range(0, count).Select(i => $"id{i}"));
        Assert.Null(Parse("_id=" + Ids(50)).Failure);
        Assert.Contains("ask in several", Parse("_id=" + Ids(51)).Failure!.Issues[0].Text);
        Assert.NotNull(Parse("patient=" + Ids(51)).Failure);
        Assert.NotNull(Parse($"_id={Ids(26)}&patient._id={Ids(25)}").Failure);
        Assert.Null(Parse($"_id={Ids(25)}&patient._id={Ids(25)}").Failure);
    }

    [Fact]
    public void A_search_asks_a_hundred_parameters_at_most()
    {
        static string Asked(int count) => string.Join('&', Enumerable.Repeat("type:missing=false", count));
        Assert.Null(Parse(Asked(100)).Failure);
        Assert.Contains("may ask 100", Parse(Asked(101)).Failure!.Issues[0].Text);
    }

    [Fact]
    public void A_link_asks_of_what_is_referred_to_or_refers_and_so_does_what_stands_behind_it()
    {
        var chain = Assert.Single(Parse("patient.identifier=urn:x|1").Value.Query.Criteria).Link!;
        Assert.Equal(
            ("Patient", "patient", false, "identifier"), (chain.Type, chain.Parameter, chain.IsReverse, chain.Criterion.Parameter));
        var has = Assert.Single(Parse("subject:Patient._has:Observation:subject:code:not=x").Value.Query.Criteria).Link!.Criterion.Link!;
        Assert.Equal(("Observation", "subject", true, "code"), (has.Type, has.Parameter, has.IsReverse, has.Criterion.Parameter));
        Assert.True(has.Criterion.IsNegated);
        Assert.True(Assert.Single(Parse("patient:missing=true").Value.Query.Criteria).IsMissing);
        Assert.False(Assert.Single(Parse("type:missing=false").Value.Query.Criteria).IsMissing);
    }

    [Theory]
    [InlineData("unknown=1", "unknown")]
    [InlineData("date=yesterday", "date")]
    [InlineData("date=xx2026", "date")]
    [InlineData("_count=-1", "_count")]
    [InlineData("_count=x", "_count")]
    [InlineData("_count=1&_count=2", "_count")]
    [InlineData("_count=", "_count")]
    [InlineData("_summary=yes", "_summary")]
    [InlineData("_summary=count&_elements=id", "_elements")]
    [InlineData("_elements=id&_elements=status", "_elements")]
    [InlineData("_elements=color", "color")]
    [InlineData("_elements=Patient.name", "Patient.name")]
    [InlineData("_summary=text&_include=DocumentReference:subject", "_summary")]
    [InlineData("_summary=count&_summary=count", "_summary")]
    [InlineData("_total=garbage", "_total")]
    [InlineData("_total=none&_total=accurate", "_total")]
    [InlineData("_sort=date&_sort=-date", "_sort")]
    [InlineData("_cursor=a&_cursor=b", "_cursor")]
    [InlineData("_id=", "_id")]
    [InlineData("_id=x/y", "_id")]
    [InlineData("_id=x,Patient/y", "_id")]
    [InlineData("patient._id=x/y", "patient._id")]
    [InlineData("type=&status=current", "type")]
    [InlineData("_include=Observation:*", "_include")]
    [InlineData("_include:recurse=*", "_include:recurse")]
    [InlineData("subject.identifier=x", "subject.identifier")]
    [InlineData("patient.identifiers=x", "patient.identifiers")]
    [InlineData("type.identifier=x", "type.identifier")]
    [InlineData("subject:Nonsense.identifier=x", "subject:Nonsense.identifier")]
    [InlineData("_has:Observation:code:status=x", "_has:Observation:code:status")]
    [InlineData("_has:Observation:subject=x", "_has:Observation:subject")]
    [InlineData(
        "patient._has:DocumentReference:patient:patient._has:DocumentReference:patient:type=x", "patient._has:DocumentReference:patient:p")]
    [InlineData("type:missing=maybe", "type:missing")]
    [InlineData("_id:missing=true", "_id:missing")]
    [InlineData("date:not=2026", "date:not")]
    [InlineData("_revinclude=*", "_revinclude")]
    [InlineData("_revinclude=Observation:code", "_revinclude")]
    [InlineData("_revinclude=Observation:subject:Patient", "_revinclude")]
    [InlineData("_include=DocumentReference:status", "_include")]
    [InlineData("_include=Patient:general-practitioner", "_include")]
    [InlineData("subject:Nonsense=x", "subject:Nonsense")]
    public void What_is_not_understood_is_refused_by_its_name(string query, string named)
    {
        var failure = Parse(query).Failure;
        Assert.Equal(OutcomeCategory.Malformed, failure?.Category);
        Assert.Contains($"'{named}'", failure!.Issues[0].Text);
    }

    [Fact]
    public void Too_many_alternatives_are_refused_and_a_long_name_is_not_given_back_whole()
    {
        Assert.NotNull(Parse("type=" + string.Join(',', Enumerable.Range(0, 201))).Failure);
        Assert.Null(Parse("type=" + string.Join(',', Enumerable.Range(0, 200))).Failure);
        Assert.DoesNotContain(new string('x', 41), Parse(new string('x', 5000) + "=1").Failure!.Issues[0].Text);
    }
}
