using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Ipfs;
using PmrGateway.Mapping;
using PmrGateway.Vault;

namespace PmrGateway.Tests.Unit.Gateway;

/// <summary>Attachments are cut out of a body while it streams in, whatever the pieces, and nothing else of it changes.</summary>
public sealed class StreamedBodyTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly EmbeddedBlockStore _blocks;
    private readonly ContentStore _content;
    private readonly SubjectKey _key;
    private readonly byte[] _buffer = new byte[1 << 20];

    public StreamedBodyTests()
    {
        _blocks = EmbeddedBlockStore.Open(_folder["blocks"]);
        var vault = new RecordVault(Keyring.Create(_folder["keyring.json"]));
        _key = vault.UnwrapSubjectKey("Patient/p", vault.NewSubjectKey("Patient/p"));
        _content = new ContentStore(new UnixFs(_blocks), vault);
    }

    [Theory]
    [InlineData("""{"resourceType":"DocumentReference","content":[{"attachment":{"contentType":"a/b","data":"#"}}],"status":"current"}""")]
    [InlineData("""{"content":[{"attachment":{"title":"a \" b \\","data" : "#" , "size":70001}}],"resourceType":"DocumentReference"}""")]
    [InlineData("""{"resourceType":"Patient","photo":[{"title":"no data"},{"data":"#"}]}""")]
    [InlineData("""{"resourceType":"Binary","contentType":"a/b","data":"#"}""")]
    [InlineData("""{"data":"#","resourceType":"Binary"}""")]
    [InlineData("""{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Binary","data":"#"}}]}""")]
    [InlineData("""{"resourceType":"Bundle","entry":[{"resource":{"contained":[{"resourceType":"Media","content":{"data":"#"}}]}}]}""")]
    [InlineData("""{"resourceType":"Communication","payload":[{"contentAttachment":{"data":"#"}}]}""")]
    [InlineData("""{"resourceType":"Patient","extension":[{"url":"u","valueAttachment":{"data":"#"}}]}""")]
    public async Task Large_data_of_an_attachment_is_cut_out_and_sealed(string template)
    {
        var bytes = RandomNumberGenerator.GetBytes(70_001);
        var body = await ReadAsync(template.Replace("#", Convert.ToBase64String(bytes), StringComparison.Ordinal), 4096);
        var token = Token(body, template);
        var cut = body.Find(token)!;
        Assert.Equal((70_001, null), (cut.Size, cut.Problem));
        Assert.Equal(SHA1.HashData(bytes), cut.Sha1);
        Assert.Equal(bytes, await OpenAsync(body, cut));
        Assert.True(ResourceDocument.TryParse(body.Json, out _, out _));
        Assert.Null(body.Find("AAAA"));
    }

    [Fact]
    public async Task Where_the_pieces_are_cut_makes_no_difference()
    {
        var bytes = RandomNumberGenerator.GetBytes(66_000);
        var base64 = Convert.ToBase64String(bytes);
        // Escapes, white space and a name before it that ends in a backslash: each of their bytes ends a piece once.
        var data = @"\n" + base64[..40] + @" \/" + base64[..2] + @"\u002b\r\n" + base64[40..60_000] + @"\t" + base64[60_000..];
        var expected = Convert.FromBase64String("\n" + base64[..40] + " /" + base64[..2] + "+\r\n" + base64[40..]);
        var json = $$"""{"resourceType":"Patient","id":"a\\","photo":[{"title":"\\\"","data":"{{data}}","contentType":"a/b"}]}""";
        var raw = Encoding.UTF8.GetBytes(json);
        var template = $$"""{"resourceType":"Patient","id":"a\\","photo":[{"title":"\\\"","data":"#","contentType":"a/b"}]}""";
        IEnumerable<int> ends =
            [.. Enumerable.Range(0, 200), .. Enumerable.Range((64 << 10) + 60, 40), .. Enumerable.Range(raw.Length - 150, 150)];
        foreach (var at in ends)
        {
            var body = await ReadAsync(new Pieces(raw, [at, 1, 50_000]));
            var cut = body.Find(Token(body, template))!;
            Assert.Equal((expected.Length, null), (cut.Size, cut.Problem));
            Assert.Equal(SHA1.HashData(expected), cut.Sha1);
        }
        foreach (var size in new[] { 1, 2, 3, 5, 4095, 65_535, 65_536, 65_537, 1 << 20 })
        {
            var body = await ReadAsync(json, size);
            Assert.Equal(SHA1.HashData(expected), body.Find(Token(body, template))!.Sha1);
        }
    }

    [Theory]
    [InlineData("A===")]
    [InlineData("AA=A")]
    [InlineData("AAA")]
    [InlineData("AA*A")]
    [InlineData("AA==AAAA")]
    [InlineData("====")]
    [InlineData(@"AAA\u0100")]
    [InlineData(@"AAA\x")]
    [InlineData(@"AAA\u00g0")]
    [InlineData("AAA\u0001A")]
    [InlineData("AAAé")]
    [InlineData(@"AAA\\A")]
    [InlineData(@"AAA\""A")]
    public async Task Large_data_that_is_no_base64_is_told_and_not_kept(string tail)
    {
        var template = """{"resourceType":"Patient","photo":[{"data":"#","title":"t"}]}""";
        var json = template.Replace("#", new string('A', 80_000) + tail, StringComparison.Ordinal);
        foreach (var size in new[] { 1, 4096, 1 << 20 })
        {
            var body = await ReadAsync(json, size);
            var cut = body.Find(Token(body, template))!;
            Assert.Contains("base64", cut.Problem);
            Assert.Null(body.ContentOf(cut.BinaryId));
        }
    }

    [Theory]
    [InlineData("""{"resourceType":"Observation","valueSampledData":{"data":"#"}}""")]
    [InlineData("""{"resourceType":"Provenance","signature":[{"data":"#"}]}""")]
    [InlineData("""{"resourceType":"Patient","photo":[{"title":"#"}]}""")]
    [InlineData("""{"resourceType":"Patient","photo":[{"d\u0061ta":"#"}]}""")]
    [InlineData("""{"resourceType":"Patient","extension":[{"url":"data","valueBase64Binary":"#"}]}""")]
    [InlineData("""{"resourceType":"Patient","photo":[{"x":["data","#"]}]}""")]
    [InlineData("""{"resourceType":"Patient","photo":[{"data":["#"]}]}""")]
    [InlineData("""{"resourceType":"Patient","contained":[{"resourceType":"Binary","data":"#"}]}""")]
    [InlineData("""{"resourceType":"Patient","photo":["data","#"]}""")]
    [InlineData("""{"resourceType":"Patient","photo":[{"data":"AAAA"}],"text":{"div":"#"}}""")]
    public async Task What_is_no_data_of_an_attachment_stays_where_it_is(string template)
    {
        var json = template.Replace("#", new string('A', 200_000), StringComparison.Ordinal);
        foreach (var size in new[] { 7, 4096, 1 << 20 }) Assert.Equal(json, Encoding.UTF8.GetString((await ReadAsync(json, size)).Json));
    }

    [Theory]
    [InlineData(65_532)]
    [InlineData(65_536)]
    [InlineData(65_540)]
    public async Task Around_the_limit_data_is_inline_or_cut_out_and_never_both(int length)
    {
        var before = new string('x', 70_000);
        var template = $$$"""{"resourceType":"Patient","text":{"div":"{{{before}}}"},"photo":[{"data":"#"}]}""";
        foreach (var size in new[] { 1, 4096, 65_536, 1 << 20 })
        {
            var body = await ReadAsync(template.Replace("#", new string('A', length), StringComparison.Ordinal), size);
            var data = JsonNode.Parse(body.Json)!["photo"]![0]!["data"]!.GetValue<string>();
            Assert.Equal(length > 65_536 ? 32 : length, data.Length);
            if (length > 65_536) Assert.Equal(length / 4 * 3, body.Find(data)!.Size);
        }
    }

    [Theory]
    [InlineData("""{"photo":[{"data":"#","data":"#"}],"resourceType":"Patient"}""")]
    [InlineData("""{"photo":[{"data":"#""")]
    [InlineData("""{"photo":[{"data":"#"}""")]
    [InlineData("""{"photo":[{"data":"#"}]}}""")]
    [InlineData("""[{"data":"#"}]""")]
    [InlineData("""{"photo":{{"data":"#"}}}""")]
    [InlineData("""{"photo":[{"data" "#"}]}""")]
    public async Task What_the_parser_refuses_it_still_refuses(string template)
    {
        var json = template.Replace("#", new string('A', 80_000), StringComparison.Ordinal);
        Assert.False(ResourceDocument.TryParse(Encoding.UTF8.GetBytes(json), out _, out _));
        foreach (var size in new[] { 3, 1 << 20 })
            Assert.False(ResourceDocument.TryParse((await ReadAsync(json, size)).Json, out _, out _));
    }

    [Fact]
    public async Task A_nest_deeper_than_anyone_allows_costs_no_memory()
    {
        var json = "{\"photo\":" + string.Concat(Enumerable.Repeat("[", 300_000));
        Assert.Equal(json, Encoding.UTF8.GetString((await ReadAsync(json, 4096)).Json));
    }

    [Fact]
    public async Task Random_resources_are_the_same_but_for_their_cut_data()
    {
        for (var round = 0; round < 200; round++)
        {
            var seed = RandomNumberGenerator.GetBytes(12);
            var texts = Enumerable.Range(0, 4).Select(i => RandomNumberGenerator.GetBytes(seed[i] * 700)).ToList();
            var attachments = string.Join(',', texts.Select(t => "{\"attachment\":{\"data\":\"" + Convert.ToBase64String(t) + "\"}}"));
            var json = $$"""{"resourceType":"DocumentReference","x":"{{new string('y', seed[5] * 300)}}","content":[{{attachments}}]}""";
            var body = await ReadAsync(new Pieces(Encoding.UTF8.GetBytes(json), [1 + (seed[6] * 100), 1 + seed[7], 1 + (seed[8] * 3000)]));
            var left = JsonNode.Parse(body.Json)!;
            foreach (var (text, i) in texts.Select((t, i) => (t, i)))
            {
                var attachment = left["content"]![i]!["attachment"]!;
                var data = attachment["data"]!.GetValue<string>();
                if (body.Find(data) is not { } cut) continue;
                Assert.Equal(SHA1.HashData(text), cut.Sha1);
                attachment["data"] = Convert.ToBase64String(text);
            }
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse(json), left));
        }
    }

    [Theory]
    [InlineData(1000, true)]
    [InlineData(1000, false)]
    [InlineData(300_000, true)]
    [InlineData(300_000, false)]
    public async Task A_body_over_the_limit_is_not_read_on(int size, bool cuts)
    {
        var pipe = PipeReader.Create(new MemoryStream(new byte[size]));
        Assert.Null(await BodyReader.ReadAsync(pipe, null, size - 1, cuts, _content.Begin(), default));
        Assert.Null(await BodyReader.ReadAsync(pipe, size, size - 1, cuts, _content.Begin(), default));
        pipe = PipeReader.Create(new MemoryStream(new byte[size]));
        Assert.Equal(size, (await BodyReader.ReadAsync(pipe, null, size, cuts, _content.Begin(), default))!.Json.Length);
    }

    [Fact]
    public async Task A_document_that_is_kept_whole_is_not_cut()
    {
        var data = new string('A', 100_000);
        var json = $$$"""{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Binary","data":"{{{data}}}"}}]}""";
        var pipe = PipeReader.Create(new MemoryStream(Encoding.UTF8.GetBytes(json)));
        var body = await BodyReader.ReadAsync(pipe, json.Length, 1 << 20, false, _content.Begin(), default);
        Assert.Equal(json, Encoding.UTF8.GetString(body!.Json));
    }

    [Fact]
    public async Task Five_megabytes_take_no_memory_of_their_size()
    {
        var base64 = Convert.ToBase64String(new byte[5 << 20]);
        var raw = Encoding.UTF8.GetBytes($$$"""{"resourceType":"DocumentReference","content":[{"attachment":{"data":"{{{base64}}}"}}]}""");
        await ReadAsync(new Pieces(raw, [16_384]));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 4; i++) await ReadAsync(new Pieces(raw, [16_384]));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void No_object_that_may_hold_content_by_its_name_has_other_data_in_R4()
    {
        var strings = new[] { "string", "base64Binary", "markdown", "xhtml", "uri", "url", "code", "id" };
        var others =
            from type in FhirSchema.R4.Types
            from property in type.Properties
            where AttachmentPlaces.All.Contains(property.Name) && property.Type.Name is not ("Attachment" or "Resource")
            where property.Type.Definition?.Property("data") is { } data && strings.Contains(data.Type.Name)
            select $"{type.Name}.{property.Name}";
        Assert.Empty(others);
        var resources = FhirSchema.R4.ResourceTypes
            .Where(t => FhirSchema.R4.Type(t)!.Property("data") is { } d && strings.Contains(d.Type.Name));
        Assert.Equal(["Binary"], resources);
    }

    public void Dispose()
    {
        _blocks.Dispose();
        _folder.Dispose();
    }

    private static string Token(StreamedBody body, string template)
    {
        var parts = template.Split('#');
        var json = Encoding.UTF8.GetString(body.Json);
        Assert.StartsWith(parts[0], json);
        Assert.EndsWith(parts[1], json);
        Assert.Equal(parts[0].Length + CutData.TokenSize + parts[1].Length, json.Length);
        return json.Substring(parts[0].Length, CutData.TokenSize);
    }

    private Task<StreamedBody> ReadAsync(string json, int pieces) => ReadAsync(new Pieces(Encoding.UTF8.GetBytes(json), [pieces]));

    private async Task<StreamedBody> ReadAsync(Stream stream)
    {
        // Straight into the cutter, so that the pieces are those of the stream.
        var body = new StreamedBody([], _content.Begin());
        using var cutter = new AttachmentCutter(body);
        var buffer = _buffer;
        while (await stream.ReadAsync(buffer) is > 0 and var n) await cutter.FeedAsync(buffer.AsMemory(0, n), default);
        cutter.Complete();
        return body;
    }

    private async Task<byte[]> OpenAsync(StreamedBody body, CutData cut)
    {
        var content = body.ContentOf(cut.BinaryId)!.For(_key);
        await body.Upload.CommitAsync(default);
        var permit = new Permit(new RecordFacts("Binary", cut.BinaryId, "", [], []), 1, PermitBasis.Author, [], 0);
        using var all = new MemoryStream();
        await foreach (var piece in _content.OpenAsync(permit, content, _key, null, default)) all.Write(piece.Span);
        return all.ToArray();
    }

    /// <summary>Bytes that come in pieces of these sizes, and in the last one's from then on.</summary>
    private sealed class Pieces(byte[] bytes, int[] sizes) : MemoryStream(bytes)
    {
        private int _next;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var size = sizes[Math.Min(_next++, sizes.Length - 1)];
            return base.ReadAsync(buffer[..Math.Min(buffer.Length, Math.Max(size, 1))], cancellationToken);
        }
    }
}
