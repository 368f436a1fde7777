using System.Text;
using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

public class ResourceDocumentTests
{
    [Theory]
    [InlineData("", "empty")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("{\"a\":1", "not JSON")]
    [InlineData("{\"a\":1}}", "not JSON")]
    [InlineData("{\"a\":NaN}", "not JSON")]
    [InlineData("{\"a\":1} // c", "not JSON")]
    [InlineData("{\"a\":01}", "not JSON")]
    [InlineData("{\"a\":1,\"a\":2}", "'a' occurs twice")]
    [InlineData("{\"a\":1,\"\\u0061\":2}", "'a' occurs twice")]
    [InlineData("{\"a\":\"\\uD800\"}", "lone surrogate")]
    public void What_is_no_JSON_object_is_refused(string json, string reason)
    {
        Assert.False(ResourceDocument.TryParse(Encoding.UTF8.GetBytes(json), out _, out var issue));
        Assert.Contains(reason, issue!.Text);
    }

    [Fact]
    public void Bytes_that_are_not_UTF8_are_refused()
    {
        Assert.False(ResourceDocument.TryParse(new byte[] { 0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d }, out _, out var issue));
        Assert.Contains("UTF-8", issue!.Text);
    }

    [Fact]
    public void Depth_is_bounded()
    {
        var deep = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"a\":", 100_000)) + "1" + new string('}', 100_000));
        Assert.False(ResourceDocument.TryParse(deep, out _, out _));
    }

    [Fact]
    public void Id_and_meta_are_spliced_in_and_the_rest_stays_byte_for_byte()
    {
        var document = Documents.Parse(
            "{ \"resourceType\":\"Observation\", \"meta\":{\"versionId\":\"9\",\"profile\":[\"http://p\"]},\"id\":\"old\","
                + "\n \"valueQuantity\" : {\"value\":1.0E+2 } , \"x\":-0.0}");
        var bytes = new JsonEdits(document).ApplyUnder("new", "1", DateTimeOffset.UnixEpoch);
        Assert.Equal(
            "{\"resourceType\":\"Observation\",\"id\":\"new\",\"meta\":{\"versionId\":\"1\",\"lastUpdated\":\"1970-01-01T00:00:00.000Z\","
                + "\"profile\":[\"http://p\"]}," +
            "\"valueQuantity\" : {\"value\":1.0E+2 },\"x\":-0.0}",
            Encoding.UTF8.GetString(bytes));
    }

    [Theory]
    [InlineData("{\"a\":1,\"b\":2}", "a", "{\"b\":2}")]
    [InlineData("{\"a\":1,\"b\":2}", "b", "{\"a\":1}")]
    [InlineData("{ \"a\" : 1 }", "a", "{  }")]
    [InlineData("{\"a\":1 ,\n \"b\":2, \"c\":3}", "b", "{\"a\":1 ,\n  \"c\":3}")]
    public void A_property_is_removed_with_its_comma(string json, string name, string expected)
    {
        var document = Documents.Parse(json);
        var edits = new JsonEdits(document);
        edits.Remove(document.Root[name]!.Value);
        Assert.Equal(expected, Encoding.UTF8.GetString(edits.Apply()));
    }

    [Fact]
    public void A_part_of_a_document_is_as_if_it_had_been_parsed_alone()
    {
        var bundle = Documents.Parse("""
            { "resourceType": "Bundle", "type": "batch", "entry": [
              { "resource": { "id": "a", "contained": [ { "resourceType": "Patient", "active" : true } ], "x-y": [1, {"x-y": null}],
                "resourceType": "Observation", "code": { "text": "caf\u00e9" }, "status": "final" }, "fullUrl": "urn:uuid:1" },
              { "resource": { "resourceType": "Nothing", "a": [] } },
              { "resource": {} } ] }
            """);
        foreach (var resource in bundle.Root.ItemsAt("entry").Select(e => e["resource"]!.Value))
        {
            var part = bundle.Part(resource);
            var alone = Documents.Parse(Encoding.UTF8.GetString(resource.RawBytes));
            Assert.Equal(Encoding.UTF8.GetString(alone.Bytes.Span), Encoding.UTF8.GetString(part.Bytes.Span));
            Assert.Equal(Rows(alone), Rows(part));
        }
    }

    [Fact]
    public void A_document_with_other_texts_is_as_if_it_had_been_parsed_so()
    {
        var document = Documents.Parse("""
            { "resourceType": "Observation", "status" : "final", "code": { "text": "\u00e9" }, "subject": { "reference": "urn:uuid:1" },
              "note": [{ "text": "" }, { "text": "b" }], "performer": [ { "reference": "Practitioner?identifier=a" } ] }
            """);
        var changed = document.With([
            (document.Root.ItemsAt("performer").First()["reference"]!.Value, "Practitioner/p"),
            (document.Root["subject"]!.Value["reference"]!.Value, "Patient/a-much-longer-id"),
            (document.Root["code"]!.Value["text"]!.Value, ""),
            (document.Root.ItemsAt("note").First()["text"]!.Value, "a \"quoted\" text"),
        ]);
        Assert.Equal("a \"quoted\" text", changed.Root.ItemsAt("note").First().StringAt("text"));
        Assert.Equal("Patient/a-much-longer-id", changed.Root["subject"]!.Value.StringAt("reference"));
        Assert.Equal(Rows(Documents.Parse(Encoding.UTF8.GetString(changed.Bytes.Span))), Rows(changed));
        Assert.Equal("urn:uuid:1", document.Root["subject"]!.Value.StringAt("reference"));
        Assert.Equal(Rows(document), Rows(document.With([])));
    }

    private static List<string> Rows(ResourceDocument d) =>
        [.. d.Rows.ToArray().Select(r => $"{r.Property?.Name} {r.Property?.Type.Name} {r.Start} {r.End} {r.NameStart} {r.Next} "
            + $"{r.ChildCount} {r.NameId} {r.Kind} {r.Escaped}")];

    [Fact]
    public void What_is_made_of_a_document_is_parsed_by_its_limits()
    {
        var nested = """{"resourceType":"Questionnaire","status":"draft","item":["""
            + string.Concat(Enumerable.Repeat("""{"linkId":"a","item":[""", 90))
            + """{"linkId":"b"}""" + string.Concat(Enumerable.Repeat("]}", 90)) + "]}";
        var bytes = System.Text.Encoding.UTF8.GetBytes(nested);
        Assert.False(ResourceDocument.TryParse(bytes, out _, out _));
        Assert.True(ResourceDocument.TryParse(bytes, out var document, out _, new ResourceLimits(MaxDepth: 100)));
        Assert.Equal(100, document!.Limits.MaxDepth);
        Assert.Equal(document.Limits, document.With([]).Limits);
        Assert.NotNull(FhirTyped.Parse<Hl7.Fhir.Model.Questionnaire>(document));
        Assert.NotNull(ResourcePatch.Apply(document, PatchFormat.JsonPatch, "[]"u8.ToArray(), document.Limits).Document);
    }
}
