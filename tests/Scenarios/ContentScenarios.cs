using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Bodies of any size, from the socket into the blocks and back.</summary>
[Collection(GatewayCollection.Name)]
public class ContentScenarios(RunningGateway gateway)
{
    private const int Mib = 1 << 20;
    private const string Pdf = "application/pdf";

    [Fact]
    public async Task A_Binary_larger_than_any_JSON_body_comes_back_byte_for_byte()
    {
        var content = RandomNumberGenerator.GetBytes((40 * Mib) + 7);
        var created = await PostBinaryAsync(content);
        Assert.True(created.Status == 201, created.Text);
        var read = await gateway.Ehr.GetAsync($"Binary/{created.Id}", Pdf);
        Assert.Equal(200, read.Status);
        Assert.Equal(content.Length, read.Headers.Content.Headers.ContentLength);
        Assert.Equal(["bytes"], read.Headers.Headers.AcceptRanges);
        Same(content, read.Body);

        var json = await gateway.Ehr.GetAsync($"Binary/{created.Id}");
        Same(content, json.Json.GetProperty("data").GetBytesFromBase64());
    }

    [Theory]
    [InlineData("bytes=5-9", 5, 10)]
    [InlineData("bytes=1048000-1049599", 1_048_000, 1_049_600)]
    [InlineData("bytes=-100", -100, 0)]
    [InlineData("bytes=3145000-", 3_145_000, 0)]
    public async Task A_part_of_a_Binary_is_given_alone(string range, int from, int to)
    {
        var content = RandomNumberGenerator.GetBytes((3 * Mib) + 1234);
        var id = (await PostBinaryAsync(content)).Id;
        var (first, end) = (from < 0 ? content.Length + from : from, to == 0 ? content.Length : to);
        using var part = await AskAsync(HttpMethod.Get, id, range);
        Assert.Equal(206, (int)part.StatusCode);
        Assert.Equal($"bytes {first}-{end - 1}/{content.Length}", part.Content.Headers.ContentRange!.ToString());
        Assert.Equal(end - first, part.Content.Headers.ContentLength);
        Same(content[first..end], await part.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task A_range_behind_the_end_is_a_416_that_tells_the_size()
    {
        var id = (await PostBinaryAsync(new byte[100])).Id;
        using var answer = await AskAsync(HttpMethod.Get, id, "bytes=100-");
        Assert.Equal(416, (int)answer.StatusCode);
        Assert.Equal("bytes */100", answer.Content.Headers.ContentRange!.ToString());
    }

    [Fact]
    public async Task HEAD_tells_of_a_Binary_what_GET_does()
    {
        var id = (await PostBinaryAsync(new byte[(2 * Mib) + 5])).Id;
        using var head = await AskAsync(HttpMethod.Head, id, null);
        Assert.Equal(200, (int)head.StatusCode);
        Assert.Equal((2 * Mib) + 5, head.Content.Headers.ContentLength);
        Assert.Equal(Pdf, head.Content.Headers.ContentType!.ToString());
        Assert.Equal("W/\"1\"", head.Headers.ETag!.ToString());
    }

    [Fact]
    public async Task A_large_attachment_becomes_a_Binary_with_its_size_and_hash()
    {
        var patient = await gateway.NewPatientAsync();
        var content = RandomNumberGenerator.GetBytes(3 * Mib);
        var id = await gateway.NewDocumentAsync(patient, content);
        var attachment = (await gateway.Ehr.GetAsync($"DocumentReference/{id}")).Json
            .GetProperty("content")[0].GetProperty("attachment");
        Assert.False(attachment.TryGetProperty("data", out _));
        Assert.Equal(content.Length, attachment.GetProperty("size").GetInt32());
        Assert.Equal(SHA1.HashData(content), attachment.GetProperty("hash").GetBytesFromBase64());
        var read = await gateway.Ehr.GetAsync(attachment.GetProperty("url").GetString()!, Pdf);
        Same(content, read.Body);
    }

    [Theory]
    [InlineData("transaction")]
    [InlineData("batch")]
    public async Task Large_content_in_the_entries_of_a_Bundle_is_kept(string type)
    {
        var patient = await gateway.NewPatientAsync();
        var (attached, binary) = (RandomNumberGenerator.GetBytes(Mib), RandomNumberGenerator.GetBytes(Mib + 1));
        var answer = await gateway.Ehr.PostAsync("", $$$"""
            {"resourceType":"Bundle","type":"{{{type}}}","entry":[
            {"resource":{{{Document(patient, Convert.ToBase64String(attached))}}},"request":{"method":"POST","url":"DocumentReference"} },
            {"resource":{"resourceType":"Binary","contentType":"application/pdf","data":"{{{Convert.ToBase64String(binary)}}}"},
            "request":{"method":"POST","url":"Binary"} }]}
            """);
        Assert.True(answer.Status == 200, answer.Text);
        var places = RunningGateway.Entries(answer).Select(e => e.GetProperty("response").GetProperty("location").GetString()!)
            .Select(l => l.Split("/fhir/")[1].Split("/_history")[0]).ToList();
        Same(binary, (await gateway.Ehr.GetAsync(places[1], Pdf)).Body);
        var url = (await gateway.Ehr.GetAsync(places[0])).Json.GetProperty("content")[0].GetProperty("attachment").GetProperty("url");
        Same(attached, (await gateway.Ehr.GetAsync(url.GetString()!, Pdf)).Body);

        // All that is found of the patient, with the Binary's content in it.
        var everything = await gateway.Ehr.GetAsync($"Patient/{patient}/$everything");
        var found = RunningGateway.Entries(everything).Select(e => e.GetProperty("resource"))
            .Single(r => r.GetProperty("resourceType").GetString() == "Binary");
        Same(attached, found.GetProperty("data").GetBytesFromBase64());
    }

    [Theory]
    [InlineData("transaction")]
    [InlineData("batch")]
    public async Task A_large_Binary_is_deleted_by_a_Bundle_and_not_replaced_by_one(string type)
    {
        var content = RandomNumberGenerator.GetBytes(Mib);
        var (id, other) = ((await PostBinaryAsync(content)).Id, RandomNumberGenerator.GetBytes(Mib));
        var replaced = await BundleAsync(type, $$$"""
            {"resource":{{{Binary($"\"id\":\"{id}\",", Convert.ToBase64String(other))}}},
            "request":{"method":"PUT","url":"Binary/{{{id}}}"} }
            """);
        Assert.Equal(422, replaced.Status);
        Assert.Contains("is sent to its own URL", replaced.Text);
        Same(content, (await gateway.Ehr.GetAsync($"Binary/{id}", Pdf)).Body);

        // What stays inline in the Bundle replaces it, large as it was.
        var small = await BundleAsync(type, $$$"""
            {"resource":{{{Binary($"\"id\":\"{id}\",", Convert.ToBase64String(other[..1000]))}}},
            "request":{"method":"PUT","url":"Binary/{{{id}}}"} }
            """);
        Assert.True(small.Status == 200, small.Text);
        Same(other[..1000], (await gateway.Ehr.GetAsync($"Binary/{id}", Pdf)).Body);
        Assert.Equal(200, (await gateway.Ehr.WriteAsync(HttpMethod.Put, $"Binary/{id}", content, Pdf)).Status);

        var deleted = await BundleAsync(type, $$$"""{"request":{"method":"DELETE","url":"Binary/{{{id}}}"} }""");
        Assert.True(deleted.Status == 204, deleted.Text);
        Assert.Equal(410, (await gateway.Ehr.GetAsync($"Binary/{id}", Pdf)).Status);
        Same(content, (await gateway.Ehr.GetAsync($"Binary/{id}/_history/3", Pdf)).Body);
    }

    [Fact]
    public async Task A_patch_brings_a_large_attachment_and_leaves_one_that_there_is()
    {
        var patient = await gateway.NewPatientAsync();
        var (first, second) = (RandomNumberGenerator.GetBytes(Mib), RandomNumberGenerator.GetBytes(Mib + 1));
        var id = await gateway.NewDocumentAsync(patient, first);
        var patched = await gateway.Ehr.PatchAsync($"DocumentReference/{id}", JsonPatch(second), "application/json-patch+json");
        Assert.True(patched.Status == 200, patched.Text);
        await HasAsync(id, first, second);
        var described = await gateway.Ehr.PatchAsync(
            $"DocumentReference/{id}", """[{"op":"add","path":"/description","value":"x"}]""", "application/json-patch+json");
        Assert.True(described.Status == 200, described.Text);
        await HasAsync(id, first, second);
        var third = await gateway.Ehr.PatchAsync($"DocumentReference/{id}", FhirPathPatch(first), "application/fhir+json");
        Assert.True(third.Status == 200, third.Text);
        await HasAsync(id, first, second, first);
    }

    [Theory]
    [InlineData("transaction")]
    [InlineData("batch")]
    public async Task A_patch_in_a_Bundle_brings_a_large_attachment_or_says_where_it_is_to_be_sent(string type)
    {
        var patient = await gateway.NewPatientAsync();
        var (first, second) = (RandomNumberGenerator.GetBytes(Mib), RandomNumberGenerator.GetBytes(Mib + 1));
        var id = await gateway.NewDocumentAsync(patient, first);
        string Entry(string resource) =>
            $$$"""{"resource":{{{resource}}},"request":{"method":"PATCH","url":"DocumentReference/{{{id}}}"} }""";
        string Carried(string patch) => Entry($$$"""
            {"resourceType":"Binary","contentType":"application/json-patch+json",
            "data":"{{{Convert.ToBase64String(Encoding.UTF8.GetBytes(patch))}}}"}
            """);
        var tooLong = await BundleAsync(type, Carried(JsonPatch(second)));
        Assert.Equal(413, tooLong.Status);
        Assert.Contains("is sent on its own", tooLong.Text);
        await HasAsync(id, first);

        var described = await BundleAsync(type, Carried("""[{"op":"add","path":"/description","value":"x"}]"""));
        Assert.True(described.Status == 200, described.Text);
        await HasAsync(id, first);

        var patched = await BundleAsync(type, Entry(FhirPathPatch(second)));
        Assert.True(patched.Status == 200, patched.Text);
        await HasAsync(id, first, second);
    }

    private static string JsonPatch(byte[] content) => $$$"""
        [{"op":"add","path":"/content/-","value":{"attachment":{"contentType":"application/pdf",
        "data":"{{{Convert.ToBase64String(content)}}}"} } }]
        """;

    private static string FhirPathPatch(byte[] content) => $$$"""
        {"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"add"},
        {"name":"path","valueString":"DocumentReference"},{"name":"name","valueString":"content"},
        {"name":"value","part":[{"name":"attachment","valueAttachment":{"contentType":"application/pdf",
        "data":"{{{Convert.ToBase64String(content)}}}"} }]}]}]}
        """;

    // What the attachments of a document hold, in their order.
    private async Task HasAsync(string id, params byte[][] contents)
    {
        var document = await gateway.Ehr.GetAsync($"DocumentReference/{id}");
        var attachments = document.Json.GetProperty("content").EnumerateArray().Select(c => c.GetProperty("attachment")).ToList();
        Assert.Equal(contents.Select(c => c.Length), attachments.Select(a => a.GetProperty("size").GetInt32()));
        for (var i = 0; i < contents.Length; i++)
            Same(contents[i], (await gateway.Ehr.GetAsync(attachments[i].GetProperty("url").GetString()!, Pdf)).Body);
    }

    // The answer to the one entry of a Bundle; of a transaction that failed, to all of it.
    private async Task<(int Status, string Text)> BundleAsync(string type, string entry)
    {
        var answer = await gateway.Ehr.PostAsync("", $$$"""{"resourceType":"Bundle","type":"{{{type}}}","entry":[{{{entry}}}]}""");
        if (answer.Status != 200) return (answer.Status, answer.Text);
        var status = RunningGateway.Entries(answer).Single().GetProperty("response").GetProperty("status").GetString()!;
        return (int.Parse(status[..3], System.Globalization.CultureInfo.InvariantCulture), answer.Text);
    }

    [Fact]
    public async Task A_Binary_in_JSON_is_created_and_replaced_whatever_its_size()
    {
        var (first, second) = (RandomNumberGenerator.GetBytes(2 * Mib), RandomNumberGenerator.GetBytes(3 * Mib));
        var created = await gateway.Ehr.PostAsync("Binary", Binary("", Convert.ToBase64String(first)));
        Assert.True(created.Status == 201, created.Text);
        var path = $"Binary/{created.Id}";
        Same(first, (await gateway.Ehr.GetAsync(path, Pdf)).Body);
        var replaced = await gateway.Ehr.PutAsync(path, Binary($"\"id\":\"{created.Id}\",", Convert.ToBase64String(second)));
        Assert.True(replaced.Status == 200, replaced.Text);
        Same(second, (await gateway.Ehr.GetAsync(path, Pdf)).Body);
        var raw = await gateway.Ehr.WriteAsync(HttpMethod.Put, path, first, Pdf);
        Assert.True(raw.Status == 200, raw.Text);
        Same(first, (await gateway.Ehr.GetAsync(path, Pdf)).Body);
        Same(second, (await gateway.Ehr.GetAsync(path + "/_history/2", Pdf)).Body);
    }

    [Fact]
    public async Task A_large_attachment_that_is_not_base64_is_refused_by_its_name_and_leaves_nothing()
    {
        var patient = await gateway.NewPatientAsync();
        var text = Convert.ToBase64String(new byte[Mib]);
        var refused = await gateway.Ehr.PostAsync("DocumentReference", Document(patient, text[..^5] + "!" + text[^4..]));
        Assert.Equal(422, refused.Status);
        Assert.Contains("DocumentReference.content[0].attachment.data", refused.Text);
        Assert.Equal(0, (await gateway.Ehr.GetAsync($"DocumentReference?patient={patient}")).Json.GetProperty("total").GetInt32());

        var binary = await gateway.Ehr.PostAsync("Binary", Binary("", text[..^5] + "!" + text[^4..]));
        Assert.Equal(422, binary.Status);
        Assert.Contains("Binary.data", binary.Text);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_that_is_too_large_is_a_413_whether_it_says_its_length_or_not(bool says)
    {
        var patient = await gateway.NewPatientAsync();
        var json = Encoding.UTF8.GetBytes(Document(patient, Convert.ToBase64String(new byte[7 * Mib])));
        using var attachment = await SendAsync("DocumentReference", new BoundScenarios.SlowBody(json, says, "application/fhir+json"));
        Assert.Equal(413, (int)attachment.StatusCode);
        using var whole = await SendAsync("Bundle", new BoundScenarios.SlowBody(json, says, "application/fhir+json"));
        Assert.Equal(413, (int)whole.StatusCode);
        using var binary = await SendAsync("Binary", new BoundScenarios.SlowBody(new byte[(48 * Mib) + 1], says, Pdf));
        Assert.Equal(413, (int)binary.StatusCode);
    }

    [Fact]
    public async Task A_flipped_byte_in_the_middle_of_a_Binary_never_gives_wrong_bytes()
    {
        var content = RandomNumberGenerator.GetBytes(4 * Mib);
        var id = (await PostBinaryAsync(content)).Id;
        var pack = Directory.GetFiles(Path.Combine(gateway.Options.DataFolder, "blocks"), "*.pack").Order(StringComparer.Ordinal).Last();
        // Behind the first segment, before the last.
        var at = new FileInfo(pack).Length - (2 * Mib);
        try
        {
            Flip(pack, at);
            using var http = new HttpClient();
            using var request = Request(HttpMethod.Get, id, null);
            using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(200, (int)answer.StatusCode);
            using var got = new MemoryStream();
            await Assert.ThrowsAnyAsync<Exception>(() => answer.Content.CopyToAsync(got));
            Assert.True(got.Length < content.Length);
            Same(content[..(int)got.Length], got.ToArray());
            // A range that does not touch it is whole.
            using var part = await AskAsync(HttpMethod.Get, id, "bytes=0-9");
            Same(content[..10], await part.Content.ReadAsByteArrayAsync());
        }
        finally
        {
            Flip(pack, at);
        }
        Same(content, (await gateway.Ehr.GetAsync($"Binary/{id}", Pdf)).Body);
    }

    // Of megabytes that differ nobody wants to see the bytes.
    private static void Same(byte[] expected, byte[] actual) => Assert.True(expected.AsSpan().SequenceEqual(actual));

    private static void Flip(string path, long at)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.Position = at;
        var value = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(value ^ 1));
    }

    private static string Binary(string more, string data) =>
        $$"""{"resourceType":"Binary",{{more}}"contentType":"{{Pdf}}","data":"{{data}}"}""";

    private static string Document(string patient, string data) => $$$"""
        {"resourceType":"DocumentReference","status":"current","type":{"coding":[{"system":"http://loinc.org","code":"34133-9"}]},
        "subject":{"reference":"Patient/{{{patient}}}"},"date":"2026-01-02T03:04:05Z",
        "content":[{"attachment":{"contentType":"application/pdf","data":"{{{data}}}"}}]}
        """;

    private Task<Answer> PostBinaryAsync(byte[] content) => gateway.Ehr.WriteAsync(HttpMethod.Post, "Binary", content, Pdf);

    private HttpRequestMessage Request(HttpMethod method, string id, string? range)
    {
        var request = new HttpRequestMessage(method, $"{gateway.Options.Url}/fhir/Binary/{id}");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", gateway.Ehr.Token);
        request.Headers.TryAddWithoutValidation("Accept", Pdf);
        if (range is not null) request.Headers.TryAddWithoutValidation("Range", range);
        return request;
    }

    private async Task<HttpResponseMessage> AskAsync(HttpMethod method, string id, string? range)
    {
        using var http = new HttpClient();
        using var request = Request(method, id, range);
        return await http.SendAsync(request);
    }

    private async Task<HttpResponseMessage> SendAsync(string path, HttpContent body)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{gateway.Options.Url}/fhir/{path}") { Content = body };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", gateway.Ehr.Token);
        return await http.SendAsync(request);
    }
}
