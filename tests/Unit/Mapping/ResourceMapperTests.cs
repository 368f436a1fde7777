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
    public void A_resource_at_its_very_limit_still_maps()
    {
        var json = """{"resourceType":"Patient","photo":[{"data":"AAEC"},{"data":"AAEC"}]}""";
        var limits = new ResourceLimits(8, 7);
        Assert.True(ResourceDocument.TryParse(Encoding.UTF8.GetBytes(json), out var document, out _, limits));
        var mapper = new ResourceMapper(FhirSchema.R4, limits);
        var scene = new MappingScene(Own, () => "n", _ => null);
        Assert.NotNull(mapper.Map(document!, "1", 1, DateTimeOffset.UnixEpoch, Origin, scene, out _));
    }

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
