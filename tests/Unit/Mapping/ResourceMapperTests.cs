using System.Security.Cryptography;
using System.Text;
using PmrGateway.Fhir;
using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.Mapping;

public class ResourceMapperTests
{
    private const string Own = "https://here/fhir";
    private static readonly RecordOrigin Origin = new("Organization/h", "client:c", ["Organization/h"]);
    private static readonly ResourceMapper Mapper = new(FhirSchema.R4);

    [Fact]
    public void An_attachments_data_becomes_a_Binary_with_its_url_size_and_hash()
    {
        var draft = Map("""
            {"resourceType":"Patient","photo":[{"contentType":"image/png","data":"AAEC","title":"t"},{"data":"AAEC","size":3}]}
            """);
        var sha1 = Convert.ToBase64String(SHA1.HashData([0, 1, 2]));
        Assert.EndsWith(
            $$""","photo":[{"contentType":"image/png","url":"Binary/new1","size":3,"hash":"{{sha1}}","title":"t"},"""
            + $$"""{"url":"Binary/new2","hash":"{{sha1}}","size":3}]}""",
            Encoding.UTF8.GetString(draft.Json));
        Assert.Equal([("new1", "image/png"), ("new2", "application/octet-stream")], draft.Attachments.Select(a => (a.Id, a.ContentType)));
        Assert.All(draft.Attachments, a => Assert.Equal([0, 1, 2], a.Content));
    }

    [Fact]
    public void What_was_cut_out_while_it_streamed_is_the_same_to_the_resource()
    {
        var token = Convert.ToBase64String(RandomNumberGenerator.GetBytes(24));
        var sha1 = SHA1.HashData([9]);
        var scene = new MappingScene(Own, () => "new", t => t == token ? new CutData("b7", 5_000_000, sha1, null) : null);
        var draft = Map($$"""{"resourceType":"Patient","photo":[{"data":"{{token}}"}]}""", scene);
        Assert.EndsWith(
            $$"""[{"url":"Binary/b7","size":5000000,"hash":"{{Convert.ToBase64String(sha1)}}"}]}""", Encoding.UTF8.GetString(draft.Json));
        Assert.Equal(new AttachmentDraft("b7", "application/octet-stream", null), Assert.Single(draft.Attachments));
    }

    [Fact]
    public void What_is_wrong_with_cut_data_is_told_with_its_place()
    {
        var token = Convert.ToBase64String(RandomNumberGenerator.GetBytes(24));
        var json = $$"""{"resourceType":"Patient","photo":[{"data":"{{token}}","size":7,"hash":"AAAA"}]}""";
        Assert.Equal(["Patient.photo[0].data"], Issues(json, new CutData("b", 0, [], "not base64")).Select(i => i.Expression));
        var wrong = Issues(json, new CutData("b", 8, new byte[20], null));
        Assert.Equal(["Patient.photo[0].size", "Patient.photo[0].hash"], wrong.Select(i => i.Expression));

        static List<ValidationIssue> Issues(string json, CutData cut)
        {
            var scene = new MappingScene(Own, () => "new", _ => cut);
            Assert.Null(Mapper.Map(Parse(json), "1", 1, DateTimeOffset.UnixEpoch, Origin, scene, out var issues));
            return issues;
        }
    }

    [Theory]
    [InlineData("https://here/fhir/Patient/p")]
    [InlineData("https://here/fhir/../fhir/Patient/p")]
    [InlineData("https://HERE:443/fhir/Patient/p/")]
    [InlineData("https://here/fhir//Patient/p")]
    [InlineData("https://here/fhir/%50atient/p")]
    [InlineData("https://here/fhir/Patient/p?x=y#z")]
    [InlineData("//here/fhir/Patient/p")]
    [InlineData("/fhir/Patient/p")]
    [InlineData("./Patient/p")]
    [InlineData("../fhir/Patient/p")]
    [InlineData("Patient/./p")]
    [InlineData("Observation/../Patient/p")]
    public void A_reference_that_comes_to_a_patient_of_this_server_is_one_however_it_is_written(string reference)
    {
        var draft = Map($$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"{{{reference}}}"},
            "focus":[{"reference":"{{{reference.Replace("/p", "/q", StringComparison.Ordinal)}}}"}]}
            """);
        Assert.Equal(["p", "q"], draft.Facts.Patients.Order());
        Assert.Contains("\"Patient/p\"", Encoding.UTF8.GetString(draft.Json));
    }

    [Theory]
    [InlineData("https://there/fhir/Patient/p")]
    [InlineData("http://here/fhir/Patient/p")]
    [InlineData("https://here/other/Patient/p")]
    [InlineData("https://here/fhir/../other/Patient/p")]
    [InlineData("urn:uuid:7fbd8b2e-0000-4000-8000-00000000000a")]
    [InlineData("Patient?identifier=urn:x|1")]
    [InlineData("#p")]
    public void A_reference_that_comes_to_anything_else_stays_as_it_is(string reference)
    {
        var draft = Map($$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"{{{reference}}}"} }
            """);
        Assert.Empty(draft.Facts.Patients);
        Assert.Contains(reference, Encoding.UTF8.GetString(draft.Json));
    }

    [Fact]
    public void Own_references_attachments_and_meta_are_edited_in_one_pass_wherever_they_lie()
    {
        var draft = Map($$$"""
            {"resourceType":"DocumentReference","meta":{"versionId":"7","tag":[{"code":"t"}]},"id":"old",
            "subject":{"reference":"{{{Own}}}/Patient/p"},
            "content":[{"attachment":{"data":"AAEC",
            "_data":{"extension":[{"url":"u","valueReference":{"reference":"{{{Own}}}/Patient/q"}}]},
            "extension":[{"url":"u","valueReference":{"reference":"{{{Own}}}/Patient/p"}}]}}]}
            """);
        var json = Encoding.UTF8.GetString(draft.Json);
        Assert.StartsWith("""{"resourceType":"DocumentReference","id":"1","meta":{"versionId":"1",""", json);
        Assert.Contains(""","lastUpdated":"1970-01-01T00:00:00.000Z","tag":[{"code":"t"}]},""", json);
        Assert.Contains("\"subject\":{\"reference\":\"Patient/p\"}", json);
        Assert.Contains("\"valueReference\":{\"reference\":\"Patient/p\"}", json);
        Assert.DoesNotContain("_data", json);
        Assert.DoesNotContain(Own, json);
        Assert.Equal(["p"], draft.Facts.Patients);
    }

    [Fact]
    public void The_labels_are_those_of_everything_in_it_and_of_a_part_they_are_inner()
    {
        const string Label = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label";
        var labels = Map($$$"""
            {"resourceType":"DocumentReference","status":"current","meta":{"security":[{"system":"s","code":"own"}]},
            "contained":[{"resourceType":"Observation","id":"o","meta":{"security":[{"system":"s","code":"part"}]},
            "code":{"coding":[{"system":"s","code":"HIV"}]}}],
            "identifier":[{"type":{"coding":[{"system":"s","code":"no-kind"}]},"value":"1"}],
            "type":{"coding":[{"system":"s","code":"note"}]},"securityLabel":[{"coding":[{"system":"s","code":"list"}]}],
            "subject":{"reference":"Patient/p","extension":[{"url":"{{{Label}}}","valueCoding":{"system":"s","code":"inline"}}]},
            "content":[{"attachment":{"url":"Binary/1"},"format":{"system":"s","code":"pdf"}}]}
            """).Facts.Labels;
        foreach (var (kind, code, isInner) in new[]
        {
            (LabelKind.Security, "own", false), (LabelKind.Security, "part", true), (LabelKind.Security, "list", false),
            (LabelKind.Security, "inline", true), (LabelKind.Code, "HIV", true), (LabelKind.Class, "note", false),
            (LabelKind.Code, "note", false), (LabelKind.Code, "pdf", true),
        })
            Assert.Contains(new RecordLabel(kind, "s", code, isInner), labels);
        Assert.Contains(labels, l => l is { Kind: LabelKind.Class, Code: "Observation", IsInner: true });
        // Of an identifier: no kind of the record, and yet a code in it.
        Assert.DoesNotContain(labels, l => l is { Code: "no-kind", Kind: LabelKind.Class } or { Code: "no-kind", IsInner: false });
        Assert.Contains(new RecordLabel(LabelKind.Code, "s", "no-kind", true), labels);
    }

    [Fact]
    public void Every_patient_that_it_refers_to_is_concerned_and_copies_of_patients_are_told()
    {
        var draft = Map("""
            {"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/b"},
            "contained":[{"resourceType":"Patient","id":"c","identifier":[{"system":"urn:mrn","value":"7"}]}],
            "context":{"related":[{"reference":"Patient/a"},{"reference":"Encounter/e"}],"encounter":[{"reference":"Encounter/e"}]},
            "author":[{"reference":"Organization/h2"}],"date":"2024-03-01T00:00:00Z","content":[{"attachment":{"url":"Binary/1"}}]}
            """);
        Assert.Equal(["b", "a"], draft.Facts.Patients);
        Assert.Equal([new PatientMention(null, "urn:mrn", "7")], draft.Mentions);
        var details = draft.Facts.Details;
        Assert.Contains(new RecordLink(LinkKind.RefersTo, "Encounter/e"), details.Links);
        Assert.Contains(new RecordLink(LinkKind.WrittenBy, "Organization/h2"), details.Links);
        Assert.Contains(new RecordLink(LinkKind.WrittenBy, "Organization/h"), details.Links);
        Assert.Equal(new DateTimeOffset(2024, 3, 1, 0, 0, 0, TimeSpan.Zero), details.From);
        Assert.Equal("client:c", draft.Facts.Author);
    }

    [Fact]
    public void A_document_that_it_encloses_counts_with_all_its_entries()
    {
        var bundle = Encoding.UTF8.GetBytes("""
            {"resourceType":"Bundle","type":"document","meta":{"security":[{"system":"s","code":"whole"}]},"entry":[
            {"resource":{"resourceType":"Composition","confidentiality":"V","date":"2021-01-01",
            "author":[{"reference":"Organization/h3"}]}},
            {"resource":{"resourceType":"Condition","code":{"coding":[{"system":"s","code":"HIV"}]},"onsetDateTime":"1999",
            "subject":{"reference":"Patient/other"}}}]}
            """);
        // Cut out while it streamed in, with a media type that does not say what it is.
        var token = Convert.ToBase64String(new byte[24]);
        var scene = new MappingScene(
            Own, () => "", t => t == token ? new CutData("n", bundle.Length, SHA1.HashData(bundle), null) { Text = bundle } : null);
        var draft = Map($$"""
            {"resourceType":"DocumentReference","status":"current","date":"2022-01-01T00:00:00Z",
            "content":[{"attachment":{"contentType":"application/json","data":"{{token}}"} }]}
            """, scene);
        var labels = draft.Facts.Labels;
        Assert.Contains(new RecordLabel(LabelKind.Security, "s", "whole", true), labels);
        Assert.Contains(new RecordLabel(LabelKind.Code, "s", "HIV", true), labels);
        Assert.Contains(labels, l => l is { Kind: LabelKind.Security, Code: "V" });
        Assert.Contains(new RecordLink(LinkKind.PartWrittenBy, "Organization/h3"), draft.Facts.Details.Links);
        Assert.Equal(1999, draft.Facts.Details.From!.Value.Year);
        // Not this server's patient by that alone.
        Assert.Empty(draft.Facts.Patients);
        Assert.Contains(new PatientMention("other", "", ""), draft.Mentions);
        Assert.Contains(new RecordLink(LinkKind.Encloses, "Binary/n"), draft.Facts.Details.Links);
    }

    [Fact]
    public void A_FHIR_resource_as_an_attachment_is_a_part_of_the_record()
    {
        var data = Convert.ToBase64String(Encoding.UTF8.GetBytes("""
            {"resourceType":"Observation","meta":{"security":[{"system":"s","code":"R"}]},
            "subject":{"reference":"https://here/fhir/Patient/x"}}
            """));
        var draft = Map($$"""
            {"resourceType":"DocumentReference","content":[{"attachment":{"contentType":"application/fhir+json","data":"{{data}}"} }]}
            """);
        Assert.Contains(new RecordLabel(LabelKind.Security, "s", "R", true), draft.Facts.Labels);
        Assert.Contains(new PatientMention("x", "", ""), draft.Mentions);
    }

    [Theory]
    [InlineData("application/fhir+xml", "<Observation xmlns=\"http://hl7.org/fhir\"><meta><security><system value=\"s\"/>"
        + "<code value=\"R\"/></security></meta></Observation>")]
    [InlineData("text/xml", "\n<Observation xmlns=\"http://hl7.org/fhir\"><meta><security><system value=\"s\"/><code value=\"R\"/>"
        + "</security></meta></Observation>")]
    [InlineData("application/json", "{\"resourceType\":\"Observation\",\"meta\":[{\"security\":[{\"system\":\"s\",\"code\":\"R\"}]}]}")]
    [InlineData("application/json", "{\"resourceType\":\"Bundle\",\"entry\":[[{\"resource\":{\"resourceType\":\"Observation\","
        + "\"meta\":{\"security\":[{\"system\":\"s\",\"code\":\"R\"}]}}}]]}")]
    [InlineData("application/octet-stream", "\uFEFF{\"resourceType\":\"Observation\","
        + "\"meta\":{\"security\":[{\"system\":\"s\",\"code\":\"R\"}]}}")]
    public void A_resource_is_read_in_whatever_format_and_by_whatever_name_it_comes(string type, string content)
    {
        var draft = Map(Attached(type, content));
        Assert.Contains(new RecordLabel(LabelKind.Security, "s", "R", true), draft.Facts.Labels);
    }

    [Fact]
    public void A_resource_in_UTF_16_is_read_or_refused()
    {
        const string Xml = "<Observation xmlns=\"http://hl7.org/fhir\"><meta><security><system value=\"s\"/><code value=\"R\"/>"
            + "</security></meta></Observation>";
        byte[] xml = [.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes("<?xml version=\"1.0\" encoding=\"utf-16\"?>" + Xml)];
        Assert.NotNull(EnclosedResource.Read("text/xml", xml, null, out _));
        var json = Encoding.BigEndianUnicode.GetBytes("""{"resourceType":"Observation"}""");
        Assert.Null(EnclosedResource.Read("application/json", json, null, out var problem));
        Assert.NotNull(problem);
    }

    [Fact]
    public void Content_that_was_cut_out_and_is_no_attachment_is_refused()
    {
        var token = Convert.ToBase64String(new byte[24]);
        var document = Parse($$$"""
            {"resourceType":"DocumentReference","contained":[{"resourceType":"Bundle","id":"b","entry":[{"resource":
            {"resourceType":"Binary","contentType":"application/json","data":"{{{token}}}"}}]}]}
            """);
        var scene = new MappingScene(Own, () => "n", t => t == token ? new CutData("c", 9, [], null) : null);
        Assert.Null(Mapper.Map(document, "1", 1, DateTimeOffset.UnixEpoch, Origin, scene, out var issues));
        Assert.Contains("attachment", Assert.Single(issues).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_contained_Binary_and_content_without_a_type_are_read()
    {
        var inside = """
            {"resourceType":"Observation","meta":{"security":[{"system":"s","code":"R"}]},"subject":{"reference":"Patient/x"}}
            """;
        var contained = Map($$$"""
            {"resourceType":"DocumentReference","contained":[{"resourceType":"Binary","id":"b","data":"{{{Base64(inside)}}}"}],
            "content":[{"attachment":{"url":"#b"}}]}
            """);
        Assert.Contains(new RecordLabel(LabelKind.Security, "s", "R", true), contained.Facts.Labels);
        Assert.Empty(contained.Facts.Patients);
        Assert.Contains(new PatientMention("x", "", ""), contained.Mentions);
        var bundle = $$$"""
            {"resourceType":"Bundle","entry":[{"resource":{"resourceType":"DocumentReference",
            "content":[{"attachment":{"data":"{{{Base64(inside)}}}"}}]}}]}
            """;
        Assert.Contains(new RecordLabel(LabelKind.Security, "s", "R", true), Map(Attached("application/fhir+json", bundle)).Facts.Labels);
    }

    [Fact]
    public void What_an_enclosed_resource_encloses_is_read_too()
    {
        var innermost = """{"resourceType":"Observation","meta":{"security":[{"system":"s","code":"R"}]}}""";
        var binary = $$"""{"resourceType":"Binary","contentType":"application/json","data":"{{Base64(innermost)}}"}""";
        var bundle = $$$"""
            {"resourceType":"Bundle","entry":[{"resource":{"resourceType":"DocumentReference",
            "content":[{"attachment":{"contentType":"application/fhir+json","data":"{{{Base64(binary)}}}"}}]}}]}
            """;
        Assert.Contains(new RecordLabel(LabelKind.Security, "s", "R", true), Map(Attached("application/fhir+json", bundle)).Facts.Labels);
        var unread = Parse(Attached("application/fhir+json", bundle.Replace(Base64(binary), "AAAA", StringComparison.Ordinal)));
        var scene = new MappingScene(Own, () => "n", _ => null);
        Assert.Null(Mapper.Map(unread, "1", 1, DateTimeOffset.UnixEpoch, Origin, scene, out var issues));
        Assert.Contains("application/fhir+json", Assert.Single(issues).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/fhir+json", "{\"resourceType\":\"Nothing\"}", true)]
    [InlineData("application/fhir+json; charset=utf-8", "%PDF", true)]
    [InlineData("application/fhir+xml", "<Patient/>", true)]
    [InlineData("application/fhir+ndjson", "{\"resourceType\":\"Patient\"}\n{\"resourceType\":\"Patient\"}", true)]
    [InlineData("application/json", "{\"resourceType\":\"Observation\",\"status\":\"x\",\"status\":\"y\"}", true)]
    [InlineData("text/xml", "<!DOCTYPE x><Patient xmlns=\"http://hl7.org/fhir\"/>", true)]
    [InlineData("text/xml", "<Observation xmlns=\"http://hl7.org/fhir\"><meta/><meta/></Observation>", true)]
    [InlineData("application/fhir+xml", "<Observation xmlns=\"http://hl7.org/fhir\"><unknown value=\"x\"/></Observation>", true)]
    [InlineData("application/json", "{\"resourceType\":\"Transport\"}", true)]
    [InlineData("text/html", "<html><a href=\"http://hl7.org/fhir\"></a><script>{\"resourceType\":\"Patient\"}</script></html>", false)]
    [InlineData("text/xml", "<x:stylesheet xmlns:x=\"http://www.w3.org/1999/XSL/Transform\" xmlns:f=\"http://hl7.org/fhir\"/>", false)]
    [InlineData("application/json", "{\"a\":1}", false)]
    [InlineData("application/cda+xml", "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"/>", false)]
    public void What_its_media_type_calls_FHIR_and_cannot_be_read_is_refused(string type, string content, bool isRefused)
    {
        var document = Parse(Attached(type, content));
        var scene = new MappingScene(Own, () => "n", _ => null);
        var draft = Mapper.Map(document, "1", 1, DateTimeOffset.UnixEpoch, Origin, scene, out var issues);
        Assert.Equal(isRefused, draft is null);
        Assert.Equal(isRefused ? ["DocumentReference.content[0].attachment.data"] : [], issues.Select(i => i.Expression));
    }

    [Fact]
    public void A_resource_at_its_very_limit_still_maps()
    {
        var json = """{"resourceType":"Patient","photo":[{"data":"AAEC"},{"data":"AAEC"}]}""";
        var limits = new ResourceLimits(8, 7);
        Assert.True(ResourceDocument.TryParse(Encoding.UTF8.GetBytes(json), out var document, out _, limits));
        var mapper = new ResourceMapper(FhirSchema.R4, limits);
        var scene = new MappingScene(Own, () => "n", _ => null);
        Assert.NotNull(mapper.Map(document!, "1", 1, DateTimeOffset.UnixEpoch, Origin, scene, out _));
    }

    private static string Attached(string type, string content) => $$$"""
        {"resourceType":"DocumentReference","content":[{"attachment":{"contentType":"{{{type}}}",
        "data":"{{{Base64(content)}}}"} }]}
        """;

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static ResourceDocument Parse(string json)
    {
        Assert.True(ResourceDocument.TryParse(Encoding.UTF8.GetBytes(json), out var document, out _));
        return document!;
    }

    private static ResourceDraft Map(string json, MappingScene? scene = null)
    {
        var ids = 0;
        scene ??= new MappingScene(Own, () => $"new{++ids}", _ => null);
        var draft = Mapper.Map(Parse(json), "1", 1, DateTimeOffset.UnixEpoch, Origin, scene, out var issues);
        Assert.Empty(issues);
        return draft!;
    }
}
