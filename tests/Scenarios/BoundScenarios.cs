using System.Globalization;
using System.Net;
using System.Text;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What a stranger, or a client with too much to ask, can make the gateway hold.</summary>
[Collection(GatewayCollection.Name)]
public class BoundScenarios(RunningGateway gateway)
{
    private const int Mib = 1 << 20;

    [Theory]
    [InlineData("connect/token", "application/x-www-form-urlencoded", 70_000)]
    [InlineData("connect/authorize", "application/x-www-form-urlencoded", 70_000)]
    [InlineData("connect/revoke", "application/x-www-form-urlencoded", 70_000)]
    [InlineData("admin/clients", "application/json", Mib + 1)]
    public async Task A_body_beyond_its_endpoints_bound_is_a_413_whether_it_says_its_length_or_not(string path, string type, int size)
    {
        foreach (var says in (bool[])[true, false])
        {
            var begin = type == "application/json" ? "{\"clientId\":\"" : "x=";
            var body = new SlowBody(Encoding.ASCII.GetBytes(begin + new string('x', size)), says, type);
            using var http = new HttpClient();
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{gateway.Options.Url}/{path}") { Content = body };
            if (path.StartsWith("admin", StringComparison.Ordinal)) request.Headers.Authorization = new("Bearer", gateway.Operator.Token);
            using var answer = await http.SendAsync(request);
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
            Assert.Contains("is larger than", await answer.Content.ReadAsStringAsync());
        }
    }

    [Theory]
    [InlineData("connect/token")]
    [InlineData("connect/authorize")]
    [InlineData("connect/revoke")]
    public async Task A_form_that_is_none_is_a_400(string path)
    {
        var many = string.Join('&', Enumerable.Range(0, 2000).Select(i => $"k{i}=v"));
        foreach (var form in (string[])["client_id=%00", many])
        {
            using var http = new HttpClient();
            using var body = new StringContent(form, Encoding.ASCII, "application/x-www-form-urlencoded");
            using var answer = await http.PostAsync($"{gateway.Options.Url}/{path}", body);
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            Assert.Contains("invalid_request", await answer.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task A_search_by_form_is_bounded_and_works_below_its_bound()
    {
        var patient = await gateway.NewPatientAsync();
        var found = await gateway.Ehr.WriteAsync(
            HttpMethod.Post, "Patient/_search", Encoding.UTF8.GetBytes($"_id={patient}"), "application/x-www-form-urlencoded");
        Assert.Equal(1, found.Json.GetProperty("total").GetInt32());
        var large = await gateway.Ehr.WriteAsync(
            HttpMethod.Post, "Patient/_search", Encoding.UTF8.GetBytes("_id=" + new string('x', 70_000)),
            "application/x-www-form-urlencoded");
        Assert.Equal(413, large.Status);
        var many = string.Join('&', Enumerable.Range(0, 2000).Select(i => $"_id={i}"));
        Assert.Equal(413, (await gateway.Ehr.WriteAsync(
            HttpMethod.Post, "Patient/_search", Encoding.UTF8.GetBytes(many), "application/x-www-form-urlencoded")).Status);
        Assert.Equal(415, (await gateway.Ehr.PostAsync("Patient/_search", "{}")).Status);
    }

    [Fact]
    public async Task A_batch_of_large_Binaries_is_answered_in_the_memory_of_a_few()
    {
        const int Entries = 60;
        var content = new byte[6 * Mib];
        var folder = Directory.CreateTempSubdirectory("pmr-batch-").FullName;
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });
        try
        {
            await using var process = await GatewayProcess.StartAsync(
                folder, ["--url", $"http://127.0.0.1:{GatewayProcess.FreePort()}", .. TestStore.Settings(await TestStore.NewAsync())]);
            var anyone = new GatewayClient(http, process.Url);
            var admin = await anyone.LoginOperatorAsync(folder);
            var created = await admin.PostAsync("Organization", """
                {"resourceType":"Organization","active":true,"name":"x",
                "type":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/organization-type","code":"prov"}]}]}
                """);
            var key = new ClientKey();
            await admin.AdminAsync(
                "clients",
                new { clientId = "ehr", jwks = key.Jwks, actor = $"Organization/{created.Id}", scopes = new[] { "system/*.cruds" } });
            var ehr = await anyone.LoginAsync("ehr", key.Credentials, "system/*.cruds");
            await GatewayClient.UntilAsync(() => ehr.GetAsync($"Organization/{created.Id}"), a => a.Status == 200);
            var binary = await ehr.WriteAsync(HttpMethod.Post, "Binary", content, "application/octet-stream");
            Assert.Equal(201, binary.Status);

            var before = Peak(process);
            var entry = $$$"""{"request":{"method":"GET","url":"Binary/{{{binary.Id}}}"}}""";
            var bundle = $$"""{"resourceType":"Bundle","type":"batch","entry":[{{string.Join(',', Enumerable.Repeat(entry, Entries))}}]}""";
            using var request = new HttpRequestMessage(HttpMethod.Post, process.Url + "/fhir")
            {
                Content = new StringContent(bundle, Encoding.UTF8, "application/fhir+json"),
            };
            request.Headers.Authorization = new("Bearer", ehr.Token);
            using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            var (length, read) = (0L, 0);
            await using var stream = await answer.Content.ReadAsStreamAsync();
            for (var buffer = new byte[Mib]; (read = await stream.ReadAsync(buffer)) > 0;) length += read;
            Assert.InRange(length, Entries * content.Length * 4L / 3, Entries * (content.Length * 4L / 3 + 1000));
            Assert.InRange(Peak(process) - before, 0, 300L * Mib);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // Largest resident set so far, in bytes; 0 where the system does not tell.
    private static long Peak(GatewayProcess gateway)
    {
        var status = $"/proc/{gateway.Process.Id}/status";
        if (!File.Exists(status)) return 0;
        var line = File.ReadLines(status).First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(':')[1].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) * 1024;
    }

    internal sealed class SlowBody : HttpContent
    {
        private readonly byte[] _bytes;
        private readonly bool _saysLength;

        public SlowBody(byte[] bytes, bool saysLength, string type)
        {
            (_bytes, _saysLength) = (bytes, saysLength);
            Headers.TryAddWithoutValidation("Content-Type", type);
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            try
            {
                await stream.WriteAsync(_bytes);
            }
            catch (IOException)
            {
                // The gateway has heard enough: its answer is there.
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _bytes.Length;
            return _saysLength;
        }
    }
}
