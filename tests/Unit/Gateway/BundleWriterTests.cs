using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Api;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.Unit.Gateway;

public class BundleWriterTests
{
    private const string Base = "http://gateway.example";
    private static readonly byte[] Patient = """{"resourceType":"Patient","id":"1","multipleBirthInteger": 2}"""u8.ToArray();

    private static JsonElement Valid(byte[] json)
    {
        Assert.True(ResourceDocument.TryParse(json, out var document, out var issue), issue?.Text);
        Assert.Empty(new Validator(FhirSchema.R4).Validate(document!).Errors);
        return JsonDocument.Parse(json).RootElement;
    }

    [Fact]
    public void A_searchset_has_its_total_its_links_and_the_resources_byte_for_byte()
    {
        var bundle = new BundleWriter("searchset", 7);
        bundle.Link("self", Base + "/fhir/Patient?name=\"x\"");
        bundle.SearchEntry(Base + "/fhir/Patient/1", Patient, "match");
        bundle.SearchEntry(Base + "/fhir/Patient/2", """{"resourceType":"Patient","id":"2"}"""u8.ToArray(), "include");
        var json = bundle.ToJson();
        var root = Valid(json);
        Assert.Equal(7, root.GetProperty("total").GetInt32());
        Assert.Equal(Base + "/fhir/Patient?name=\"x\"", root.GetProperty("link")[0].GetProperty("url").GetString());
        Assert.Contains(Encoding.UTF8.GetString(Patient), Encoding.UTF8.GetString(json));
        var modes = root.GetProperty("entry").EnumerateArray().Select(e => e.GetProperty("search").GetProperty("mode").GetString());
        Assert.Equal(["match", "include"], modes);
    }

    [Fact]
    public void A_Bundle_without_entries_has_no_entry_element() =>
        Assert.False(Valid(new BundleWriter("searchset", 0).ToJson()).TryGetProperty("entry", out _));

    [Fact]
    public void A_history_tells_how_each_version_was_made()
    {
        var bundle = new BundleWriter("history", 2);
        bundle.HistoryEntry(Base + "/fhir", Version(3, isDeleted: true));
        bundle.HistoryEntry(Base + "/fhir", Version(2));
        bundle.HistoryEntry(Base + "/fhir", Version(1));
        var entries = Valid(bundle.ToJson()).GetProperty("entry");
        Assert.Equal([false, true, true], entries.EnumerateArray().Select(e => e.TryGetProperty("resource", out _)));
        Assert.Equal(
            ["DELETE Patient/1 204 W/\"3\"", "PUT Patient/1 200 W/\"2\"", "POST Patient 201 W/\"1\""],
            entries.EnumerateArray().Select(e => $"{Of(e, "request", "method")} {Of(e, "request", "url")} "
                + $"{Of(e, "response", "status")} {Of(e, "response", "etag")}"));
        Assert.All(entries.EnumerateArray(), e =>
        {
            Assert.Equal(Base + "/fhir/Patient/1", e.GetProperty("fullUrl").GetString());
            Assert.Equal("1970-01-01T00:00:00.000Z", Of(e, "response", "lastModified"));
        });

        static string? Of(JsonElement entry, string part, string name) => entry.GetProperty(part).GetProperty(name).GetString();
    }

    private static OpenedRecord Version(long version, bool isDeleted = false)
    {
        var facts = new RecordFacts("Patient", "1", "Organization/a", ["1"], []);
        var stored = new StoredVersion(
            facts, version, DateTimeOffset.UnixEpoch, isDeleted, "Patient/1", null, "", [], [], [], [], null);
        var self = new Requester("Patient/1", null, null, "1", true, []);
        return new OpenedRecord(stored, isDeleted ? [] : Patient, ConsentDecision.Decide(self, facts, version, false, [], 0)!);
    }

    [Fact]
    public async Task A_response_is_written_entry_by_entry()
    {
        using var to = new MemoryStream();
        var stream = new ResponseStream("batch-response", to, new BaseUrl(Base));
        await stream.AddAsync(new FhirResponse(200, Patient) { Version = 3, LastModified = DateTimeOffset.UnixEpoch }, default);
        var first = to.Length;
        Assert.Contains("multipleBirthInteger", Encoding.UTF8.GetString(to.ToArray()));
        await stream.AddAsync(FhirResponse.From(Outcome.NotFound), default);
        await stream.AddAsync(new FhirResponse(201, default(ReadOnlyMemory<byte>)) { Location = "Patient/1/_history/1" }, default);
        await stream.AddAsync(
            new FhirResponse(200, default(ReadOnlyMemory<byte>)) { Stream = (s, stop) => s.WriteAsync(Patient, stop).AsTask() }, default);
        await stream.EndAsync(default);
        Assert.True(to.Length > first);
        var entries = Valid(to.ToArray()).GetProperty("entry");
        Assert.Equal(["200", "404", "201", "200"], entries.EnumerateArray().Select(e => Response(e, "status")));
        Assert.Equal("W/\"3\"", Response(entries[0], "etag"));
        Assert.Equal(
            "not-found", entries[1].GetProperty("response").GetProperty("outcome").GetProperty("issue")[0].GetProperty("code").GetString());
        Assert.False(entries[1].TryGetProperty("resource", out _));
        Assert.Equal(Base + "/fhir/Patient/1/_history/1", Response(entries[2], "location"));
        Assert.Equal("1", entries[3].GetProperty("resource").GetProperty("id").GetString());

        static string? Response(JsonElement entry, string name) => entry.GetProperty("response").GetProperty(name).GetString();
    }

    [Fact]
    public async Task A_response_to_no_entries_is_a_Bundle_too()
    {
        using var to = new MemoryStream();
        await new ResponseStream("batch-response", to, new BaseUrl(Base)).EndAsync(default);
        Assert.False(Valid(to.ToArray()).TryGetProperty("entry", out _));
    }
}
