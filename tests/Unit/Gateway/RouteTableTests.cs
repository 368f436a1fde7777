using PmrGateway.Fhir;
using PmrGateway.Gateway.Api;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.Gateway;

public class RouteTableTests
{
    private static readonly RouteTable Table = new(
    [
        Route("POST", "", "transaction"),
        Route("GET", "metadata", "capabilities"),
        Route("GET", "AuditEvent", "search-type"),
        Route("GET", "{type}", "search-type"),
        Route("POST", "{type}", "create"),
        Route("GET", "{type}/{id}", "read"),
        Route("PUT", "{type}/{id}", "update"),
        Route("POST", "{type}/_search", "search-type"),
        Route("POST", "Consent/$intent", "intent"),
        Route("GET", "{type}/{id}/_history/{vid}", "vread"),
        Route("GET", "Patient/{id}/$everything", "everything"),
    ]);

    private static FhirRoute Route(string method, string template, string interaction) => new(
        method, template, interaction, ScopeAction.Read, (_, _) => Task.FromResult(FhirResponse.NoContent));

    private static string[] Path(string path) => path.Split('/', StringSplitOptions.RemoveEmptyEntries);

    [Theory]
    [InlineData("POST", "", "transaction")]
    [InlineData("GET", "metadata", "capabilities")]
    [InlineData("GET", "Patient", "search-type")]
    [InlineData("POST", "Patient", "create")]
    [InlineData("GET", "Patient/1", "read")]
    [InlineData("PUT", "Patient/a-b.C", "update")]
    [InlineData("POST", "Patient/_search", "search-type")]
    [InlineData("POST", "Consent/$intent", "intent")]
    [InlineData("GET", "Patient/1/_history/2", "vread")]
    [InlineData("GET", "Patient/1/$everything", "everything")]
    [InlineData("GET", "AuditEvent", "search-type")]
    public void A_request_finds_its_route(string method, string path, string interaction) =>
        Assert.Equal(interaction, Table.Find(method, Path(path))?.Interaction);

    [Theory]
    [InlineData("GET", "")]
    [InlineData("PUT", "Patient")]
    [InlineData("GET", "Patient/a_b")]
    [InlineData("GET", "Patient/_search")]
    [InlineData("POST", "Patient/$intent")]
    [InlineData("GET", "Observation/1/$everything")]
    [InlineData("GET", "Nonsense/1")]
    [InlineData("GET", "Parameters")]
    [InlineData("POST", "AuditEvent")]
    [InlineData("GET", "Bundle/1")]
    [InlineData("GET", "Patient/1/2/3/4/5/6")]
    [InlineData("get", "Patient/1")]
    public void A_request_that_is_not_in_the_table_finds_none(string method, string path) => Assert.Null(Table.Find(method, Path(path)));

    [Theory]
    [InlineData("Patient/1", "GET, PUT, HEAD, OPTIONS")]
    [InlineData("Patient/_search", "POST, OPTIONS")]
    [InlineData("AuditEvent", "GET, HEAD, OPTIONS")]
    [InlineData("", "POST, OPTIONS")]
    [InlineData("Patient/1/$nothing", null)]
    [InlineData("Nonsense", null)]
    public void A_path_allows_the_methods_that_the_table_has_for_it(string path, string? allow) =>
        Assert.Equal(allow, Table.AllowedAt(Path(path)));

    [Fact]
    public void An_id_in_a_path_is_what_the_R4_engine_takes_for_one()
    {
        foreach (var text in (string[])["a", "A-1.b", new string('x', 64), "", "a_b", "a b", "é", new string('x', 65), "$x", "_x"])
            Assert.Equal(FhirReference.TryParse("Basic/" + text, out _), ResourceId.IsId(text));
    }

    [Fact]
    public void A_lookup_allocates_nothing()
    {
        string[] path = ["Patient", "1", "_history", "2"];
        Table.Find("GET", path);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) Table.Find("GET", path);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
