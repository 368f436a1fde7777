using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.Gateway;

public class ScopeReaderTests
{
    private const string Labs = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    private static readonly ScopeReader Reader = new(
        new ResourceMapper(FhirSchema.R4).Indexer, new BaseUrl("http://gateway.example"));

    [Theory]
    [InlineData("patient/Observation.rs", "patient", "Observation", ScopeAction.Read | ScopeAction.Search)]
    [InlineData("user/*.cruds", "user", "*", (ScopeAction)31)]
    [InlineData("system/Patient.read", "system", "Patient", ScopeAction.Read | ScopeAction.Search)]
    public void A_scope_without_parameters_is_all_of_its_type(string text, string level, string type, ScopeAction actions) =>
        Assert.Equal(new SmartScope(level, type, actions), Reader.Read(text, out _));

    [Theory]
    [InlineData("launch/patient")]
    [InlineData("openid")]
    [InlineData("https://other.example/scope?a=b")]
    [InlineData("patient/Observation")]
    [InlineData("patient/Observation.sr")]
    [InlineData("patient/Obs ervation.rs")]
    public void What_is_no_resource_scope_grants_nothing_and_is_no_problem(string text)
    {
        Assert.Null(Reader.Read(text, out var problem));
        Assert.Null(problem);
    }

    [Theory]
    [InlineData("category=" + Labs)]
    [InlineData("category=http%3A%2F%2Fterminology.hl7.org%2FCodeSystem%2Fobservation-category%7Claboratory")]
    [InlineData("category=http://terminology.hl7.org/CodeSystem/observation-category%7claboratory")]
    [InlineData("cat%65gory=" + Labs)]
    public void Parameters_are_read_as_they_stand_and_percent_encoded(string query)
    {
        var term = Assert.Single(FilterOf("patient/Observation.rs?" + query).Terms);
        Assert.Equal(("category", "token"), (term.Parameter, term.Kind));
        Assert.Equal([new ScopeValue("http://terminology.hl7.org/CodeSystem/observation-category", "laboratory")], term.Values);
    }

    [Theory]
    [InlineData("code=x", null, "x")]
    [InlineData("code=|x", "", "x")]
    [InlineData("code=s|", "s", null)]
    [InlineData(@"code=s|a\,b", "s", "a,b")]
    [InlineData("code=a+b", null, "a+b")]
    [InlineData("patient=p", "Patient", "p")]
    [InlineData("subject=p", null, "p")]
    [InlineData("subject=Group/g", "Group", "g")]
    [InlineData("subject=https://other.example/Patient/p", null, "https://other.example/Patient/p")]
    [InlineData("subject=http://gateway.example/fhir/Patient/p", "Patient", "p")]
    [InlineData("patient=http%3A%2F%2Fgateway.example%2Ffhir%2FPatient%2Fp", "Patient", "p")]
    public void A_value_is_that_of_a_search(string query, string? system, string? text) =>
        Assert.Equal([new ScopeValue(system, text)], FilterOf("user/Observation.r?" + query).Terms[0].Values);

    [Fact]
    public void An_ampersand_is_and_and_a_comma_is_or()
    {
        var filter = FilterOf("patient/Observation.rs?category=a,b&code=c");
        Assert.Equal([("category", 2), ("code", 1)], filter.Terms.Select(t => (t.Parameter, t.Values.Count)));
        Assert.True(filter.Holds([Token("category", "b"), Token("code", "c")]));
        Assert.False(filter.Holds([Token("category", "b")]));
        Assert.False(filter.Holds([Token("category", "c"), Token("code", "b")]));
    }

    [Fact]
    public void A_scope_has_no_more_parameters_and_values_than_can_be_asked_of_every_record()
    {
        Assert.Null(Problem(string.Join('&', Enumerable.Repeat("code=x", 10))));
        Assert.NotNull(Problem(string.Join('&', Enumerable.Repeat("code=x", 11))));
        Assert.Null(Problem("code=" + string.Join(',', Enumerable.Range(0, 50))));
        Assert.NotNull(Problem("code=" + string.Join(',', Enumerable.Range(0, 51))));

        static string? Problem(string query) => Reader.Problem(["patient/Observation.rs?" + query]);
    }

    [Fact]
    public void The_scopes_of_a_token_have_no_more_values_together_than_can_be_asked_of_every_record()
    {
        var most = Enumerable.Range(0, 4).Select(i => $"user/Observation.r?code={string.Join(',', Enumerable.Range(i * 50, 50))}").ToList();
        string[] more = [.. most, "patient/Condition.r?code=x", "user/Patient.r"];
        Assert.Null(Reader.Problem([.. most, "user/Patient.r"]));
        Assert.True(Reader.Read(most).Allow("user", "Observation", ScopeAction.Read));

        Assert.Contains("201 values", Reader.Problem(more), StringComparison.Ordinal);
        Assert.False(Reader.Read(more).Allow("user", "Observation", ScopeAction.Read));
        Assert.False(Reader.Read(more).Allow("patient", "Condition", ScopeAction.Read));
        Assert.True(Reader.Read(more).Allow("user", "Patient", ScopeAction.Read));
    }

    [Fact]
    public void What_is_asked_of_what_links_to_a_Binary_grows_with_the_scopes_and_not_with_their_pairs()
    {
        var scopes = Enumerable.Range(0, 40).SelectMany(i => new[] { $"user/Observation.rs?code={i}", $"user/Observation.cu?status={i}" });
        var reach = Reader.Read(scopes).Reach(["user"], ScopeAction.Update);
        Assert.Equal((40, 80), (reach.ValuesOf("Observation"), reach.ValuesOf("Binary")));
    }

    [Theory]
    [InlineData("patient.Observation.rs", "patient/Observation.rs")]
    [InlineData("system.all.read", "system/*.read")]
    [InlineData("user.all.all", "user/*.*")]
    [InlineData("patient.Observation.rs?code=http://loinc.org|8.1", "patient/Observation.rs?code=http://loinc.org|8.1")]
    [InlineData("patient/Observation.rs?code=8.1", "patient/Observation.rs?code=8.1")]
    [InlineData("openid", "openid")]
    public void A_scope_of_Entra_is_read_by_the_dots_of_its_name_alone(string scope, string read) =>
        Assert.Equal(read, SmartScope.FromEntra(scope));

    [Theory]
    [InlineData("patient/Observation.rs?date=ge2020")]
    [InlineData("patient/Observation.rs?category:in=x")]
    [InlineData("patient/Observation.write?category=x")]
    [InlineData("patient/Observation.rs?category=x&")]
    [InlineData("patient/Observation.rs?category=%0a")]
    [InlineData("patient/Observation.rs?category=x%2")]
    [InlineData("patient/Observation.?category=x")]
    [InlineData("system/*.rs?category=x")]
    public void What_cannot_be_held_is_named_and_grants_nothing(string scope)
    {
        Assert.Null(Reader.Read(scope, out var problem));
        Assert.StartsWith(scope + ":", problem, StringComparison.Ordinal);
        Assert.False(Reader.Read([scope]).Allow(scope.Split('/')[0], "Observation", ScopeAction.Read));
    }

    [Fact]
    public void A_type_is_restricted_where_all_its_scopes_of_that_action_have_parameters()
    {
        var scopes = Reader.Read(
            ["patient/Observation.rs?code=x", "patient/Observation.r", "user/Condition.rs?code=x", "patient/Patient.rs"]);
        Assert.False(scopes.Reach(["patient"], ScopeAction.Read).Restricts("Observation"));
        Assert.True(scopes.Reach(["patient"], ScopeAction.Search).Restricts("Observation"));
        Assert.False(scopes.Reach(["patient"], ScopeAction.Search).Restricts("Condition"));
        Assert.True(scopes.Reach(["patient", "user"], ScopeAction.Read).Restricts("Condition"));
        Assert.False(scopes.Reach(["patient", "user"], ScopeAction.Read).Restricts("Patient"));
        Assert.False(Reader.Read(["patient/Observation.rs?code=x", "patient/*.s"]).Reach(["patient"], ScopeAction.Search)
            .Restricts("Observation"));
        Assert.Same(ScopeReach.All, Reader.Read(["patient/*.rs"]).Reach(["patient"], ScopeAction.Read));
    }

    private static IndexEntry Token(string parameter, string code) => new(parameter, "token", null, code, default, default);

    private static ScopeFilter FilterOf(string scope)
    {
        var read = Reader.Read(scope, out var problem);
        Assert.Null(problem);
        return read!.Filter!;
    }
}
