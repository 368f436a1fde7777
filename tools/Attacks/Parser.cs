using System.IO.Compression;
using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Attacks;

/// <summary>Bodies that a parser may stumble over.</summary>
internal static class Parser
{
    private const string FhirJson = "application/fhir+json";

    [Plays("AT-043")]
    public static async Task Numbers_of_JSON(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        string[] numbers =
        [
            "1e400", "1E+400", "-0", "-0.0", "1.00000000000000000000000000001", "0.10", "1.0", "123456789012345678901234567890", "NaN",
            "Infinity", "-Infinity", "01", "+1", "1.", ".5", "0x10",
        ];
        foreach (var number in numbers)
        {
            var sent = $"a decimal {number}";
            var created = await a.Stage.Ehr.PostAsync(
                "Observation", Documents.Observation(patient, $",\"valueQuantity\":{{\"value\":{number}}}"));
            a.Status(created, sent, 201, 400, 422);
            if (created.Status != 201) continue;
            var read = await a.Stage.Ehr.GetAsync($"Observation/{created.Id}");
            a.Check(
                read.Json.GetProperty("valueQuantity").GetProperty("value").GetRawText() == number, sent, "the same digits back", read);
        }
    }

    [Plays("AT-044")]
    public static async Task Texts_that_are_none(Attempt a)
    {
        static byte[] Patient(params byte[] family) =>
            [.. "{\"resourceType\":\"Patient\",\"name\":[{\"family\":\""u8, .. family, .. "\"}]}"u8];
        (string Sent, byte[] Body)[] invalid =
        [
            ("an unpaired surrogate as escape", Patient([.. "\\ud800"u8])),
            ("a low surrogate first", Patient([.. "\\udc00\\ud800"u8])),
            ("NUL as escape", Patient([.. "a\\u0000b"u8])),
            ("NUL", Patient(0)),
            ("a surrogate in UTF-8", Patient(0xed, 0xa0, 0x80)),
            ("overlong UTF-8", Patient(0xc0, 0xaf)),
            ("overlong UTF-8 of three bytes", Patient(0xe0, 0x80, 0xaf)),
            ("UTF-8 that is cut off", Patient(0xe2, 0x82)),
            ("beyond Unicode", Patient(0xf4, 0x90, 0x80, 0x80)),
        ];
        foreach (var (sent, body) in invalid)
            a.Refused(await a.Stage.Ehr.WriteAsync(HttpMethod.Post, "Patient", body, FhirJson), sent, 400, 422);
        var text = Encoding.UTF8.GetString(Patient([.. "B\u00e9"u8]));
        (string Sent, byte[] Body)[] other =
        [
            ("a BOM", [.. Encoding.UTF8.Preamble, .. Encoding.UTF8.GetBytes(text)]),
            ("UTF-16 with BOM", [.. Encoding.Unicode.Preamble, .. Encoding.Unicode.GetBytes(text)]),
            ("UTF-16", Encoding.Unicode.GetBytes(text)),
            ("UTF-16 BE", [.. Encoding.BigEndianUnicode.Preamble, .. Encoding.BigEndianUnicode.GetBytes(text)]),
        ];
        foreach (var (sent, body) in other)
        {
            foreach (var type in new[] { FhirJson, FhirJson + "; charset=utf-16" })
            {
                var answer = await a.Stage.Ehr.WriteAsync(HttpMethod.Post, "Patient", body, type);
                a.Status(answer, $"{sent} as {type}", 201, 400, 415, 422);
                if (answer.Status != 201) continue;
                var read = await a.Stage.Ehr.GetAsync($"Patient/{answer.Id}");
                a.Check(read.Json.GetProperty("name")[0].GetProperty("family").GetString() == "B\u00e9", sent, "the same text back", read);
            }
        }
        var token = a.Stage.Ehr.Token;
        foreach (var target in new[] { "%ED%A0%80", "%C0%AF", "a%00b", "%FF", "\u00c0\u00af" })
        {
            foreach (var method in new[] { "GET", "PUT" })
            {
                var answer = await a.Stage.RawAsync(RawHttp.Request(method, $"/fhir/Patient/{target}", token));
                a.Check(answer.Status is 400 or 404, $"{method} of an id {target}", "400 or 404", answer.Shown);
            }
        }
        foreach (var header in new[] { "If-None-Exist", "If-Match", "User-Agent", "Prefer", "X-Request-Id" })
        {
            var request = RawHttp.Request(
                "POST", "/fhir/Patient", token, [$"{header}: \u00c0\u00af\u00ed\u00a0\u0080"], """{"resourceType":"Patient"}""");
            var answer = await a.Stage.RawAsync(request);
            a.Check(answer.Status is > 0 and < 500, $"{header} of bytes that are no UTF-8", "no 500", answer.Shown);
            answer = await a.Stage.RawAsync(request.Replace("\u00c0\u00af", "\0", StringComparison.Ordinal));
            a.Check(answer.Status is > 0 and < 500, $"{header} with NUL", "no 500", answer.Shown);
        }
    }

    [Plays("AT-046")]
    public static async Task Entities_of_elsewhere(Attempt a)
    {
        using var bait = new Bait();
        (string Sent, string Dtd)[] attacks =
        [
            ("a file", """<!DOCTYPE Patient [<!ENTITY x SYSTEM "file:///etc/passwd">]>"""),
            ("http", $"""<!DOCTYPE Patient [<!ENTITY x SYSTEM "http://127.0.0.1:{bait.Port}/x">]>"""),
            ("a parameter entity", $"""<!DOCTYPE Patient [<!ENTITY % p SYSTEM "http://127.0.0.1:{bait.Port}/p">%p;]>"""),
            ("a DTD elsewhere", $"""<!DOCTYPE Patient SYSTEM "http://127.0.0.1:{bait.Port}/d">"""),
        ];
        foreach (var (sent, dtd) in attacks) await NoDtdAsync(a, dtd, sent);
        var hits = await bait.HitsAsync();
        a.Check(hits == 0, "entities of elsewhere", "no connection", $"{hits}");
    }

    [Plays("AT-047")]
    public static async Task Entities_of_entities(Attempt a)
    {
        var laughs = "<!DOCTYPE Patient [<!ENTITY x0 \"ha\">"
            + string.Concat(Enumerable.Range(1, 10).Select(i =>
                $"<!ENTITY x{i} \"{string.Concat(Enumerable.Repeat($"&x{i - 1};", 10))}\">"))
            + "<!ENTITY x \"&x10;\">]>";
        var quadratic = $"<!DOCTYPE Patient [<!ENTITY x \"{new string('a', 50_000)}\">]>";
        foreach (var (sent, dtd) in new[] { ("ten levels of entities", laughs), ("one long entity", quadratic) })
        {
            var best = await NoDtdAsync(a, dtd, sent);
            a.Check(best < TimeSpan.FromMilliseconds(100), sent, "an answer in 100 ms", $"{best.TotalMilliseconds:F0} ms");
        }
    }

    [Plays("AT-048")]
    public static async Task Narratives_that_act(Attempt a)
    {
        string[] narratives =
        [
            "<p>x</p><script>alert(1)</script>", "<p onclick='alert(1)'>x</p>", "<img src='x' onerror='alert(1)'/>",
            "<a href='javascript:alert(1)'>x</a>", "<a href='java&#x09;script:alert(1)'>x</a>", "<a href=' JaVaScRiPt:alert(1)'>x</a>",
            "<iframe src='https://evil.example/'></iframe>", "<p>x</p><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
            "<p style='width: expression(alert(1))'>x</p>", "<p style='background:url(javascript:alert(1))'>x</p>",
            "<a href='data:text/html,x'>x</a>", "<form action='https://evil.example/'><input name='x'/></form>",
            "<style>p{}</style><p>x</p>",
            "<object data='x'>x</object>", "<link rel='stylesheet' href='https://evil.example/'/>", "<p>x</p><base href='https://evil/'/>",
        ];
        foreach (var inner in narratives)
        {
            var div = JsonSerializer.Serialize($"<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>");
            var answer = await a.Stage.Ehr.PostAsync(
                "Patient", $$$"""{"resourceType":"Patient","text":{"status":"generated","div":{{{div}}}}}""");
            a.Refused(answer, $"a narrative {inner}", 400, 422);
        }
        var page = await a.Stage.Anyone.LoginPageAsync(GatewayClient.NewLogin(
            Stage.App, Registrar.Redirect, "<script>alert(1)</script>", ("state", "\"><script>alert(1)</script>")));
        var policy = page.Headers.Headers.TryGetValues("Content-Security-Policy", out var values) ? values.Single() : "";
        a.Check(
            policy.Contains("default-src 'none'", StringComparison.Ordinal) && !policy.Contains("script-src", StringComparison.Ordinal),
            "the login page", "a policy without scripts", policy);
        a.Check(!page.Text.Contains("<script", StringComparison.Ordinal), "a script as a scope and a state", "escaped", page);
    }

    [Plays("AT-049")]
    public static async Task A_bomb_of_zeros(Attempt a)
    {
        // 1 GiB of zeros is 1 MiB; what goes through is refused before it is opened, or it is not at all.
        var bomb = await PackedAsync(1L << 30, s => new GZipStream(s, CompressionLevel.Fastest));
        var brotli = await PackedAsync(256L << 20, s => new BrotliStream(s, CompressionLevel.Fastest));
        var twice = await PackedAsync(64L << 20, s => new GZipStream(new GZipStream(s, CompressionLevel.Fastest),
            CompressionLevel.Fastest));
        var small = await PackedAsync(16, s => new GZipStream(s, CompressionLevel.Fastest));
        var before = a.Stage.ResidentBytes();
        foreach (var (encoding, body) in new[]
        {
            ("gzip", bomb), ("br", brotli), ("gzip, gzip", twice), ("deflate", small), ("zstd", small), ("x-gzip", small), ("gzip", small),
        })
        {
            foreach (var (path, type) in new[] { ("Patient", FhirJson), ("", FhirJson), ("Binary", "application/pdf") })
            {
                var answer = await a.Stage.Ehr.WriteAsync(HttpMethod.Post, path, body, type, ("Content-Encoding", encoding));
                a.Refused(answer, $"POST {path} with Content-Encoding: {encoding}, {body.Length} bytes", 413, 415);
            }
            foreach (var (path, type) in new[]
            {
                ("connect/token", "application/x-www-form-urlencoded"), ("admin/clients", "application/json"),
            })
            {
                var answer = await a.Stage.Operator.WriteAsync(
                    HttpMethod.Post, $"{a.Stage.Url}/{path}", body, type, ("Content-Encoding", encoding));
                a.Status(answer, $"POST /{path} with Content-Encoding: {encoding}, {body.Length} bytes", 413, 415);
            }
        }
        var grown = a.Stage.ResidentBytes() - before;
        a.Check(grown < 256 << 20, "bombs", "memory that stays as it is", $"{grown >> 20} MiB more");
    }

    [Plays("AT-050")]
    public static async Task Data_that_is_not_what_it_says(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        const string Type = "\"contentType\":\"text/plain\",";
        (string Sent, string Attachment)[] wrong =
        [
            ("data of an odd length", Type + "\"data\":\"QUJDR\""),
            ("data without its padding", Type + "\"data\":\"QUI\""),
            ("data that is no base64", Type + "\"data\":\"QU-_\""),
            ("data with padding inside", Type + "\"data\":\"QQ==QUJD\""),
            ("data and url", Type + "\"data\":\"QUJD\",\"url\":\"https://other.example/x\""),
            ("a wrong size", Type + "\"data\":\"QUJD\",\"size\":4"),
            ("a wrong hash", Type + "\"data\":\"QUJD\",\"hash\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAA=\""),
            ("a hash that is none", Type + "\"data\":\"QUJD\",\"hash\":\"AAAA\""),
        ];
        foreach (var (sent, attachment) in wrong)
            a.Refused(await a.Stage.Ehr.PostAsync("DocumentReference", Documents.Of(patient, attachment)), sent, 400, 422);
        // The same where it is long enough to be sent on while it comes in.
        var text = Convert.ToBase64String(new byte[150_000]);
        foreach (var (sent, attachment) in new[]
        {
            ("long data of an odd length", $"{Type}\"data\":\"{text}Q\""),
            ("long data and url", $"{Type}\"data\":\"{text}\",\"url\":\"https://other.example/x\""),
            ("long data of a wrong size", $"{Type}\"data\":\"{text}\",\"size\":4"),
            ("long data of a wrong hash", $"{Type}\"data\":\"{text}\",\"hash\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAA=\""),
        })
            a.Refused(await a.Stage.Ehr.PostAsync("DocumentReference", Documents.Of(patient, attachment)), sent, 400, 422);
        // White space between groups is R4's (its regex for base64Binary): either it is refused, or the bytes are those without it.
        var spaced = await a.Stage.Ehr.PostAsync("DocumentReference", Documents.Of(patient, Type + "\"data\":\"QUJD \\n REVG\""));
        a.Status(spaced, "data with white space", 201, 400, 422);
        if (spaced.Status == 201)
        {
            var url = spaced.Json.GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!;
            var bytes = await a.Stage.Ehr.GetAsync(url, "*/*");
            a.Check(bytes.Text == "ABCDEF", "data with white space", "its bytes", bytes);
        }
        var huge = Encoding.ASCII.GetBytes(Documents.Of(patient, $"{Type}\"data\":\"{new string('A', 200 << 20)}\""));
        a.Refused(await a.Stage.Ehr.WriteAsync(HttpMethod.Post, "DocumentReference", huge, FhirJson), "200 MiB of data", 400, 413, 422);
    }

    [Plays("AT-051")]
    public static async Task Expressions_that_take_for_ever(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        var many = new string('a', 10_000);
        async Task BoundedAsync(string sent, Func<Task<Answer>> ask)
        {
            await ask();
            var start = TimeProvider.System.GetTimestamp();
            var answer = await ask();
            var elapsed = TimeProvider.System.GetElapsedTime(start);
            a.Refused(answer, sent, 400, 422);
            a.Check(elapsed < TimeSpan.FromSeconds(1), sent, "an answer in 1 s", $"{elapsed.TotalSeconds:F1} s");
        }
        Task<Answer> FormAsync(string form) => a.Stage.Ehr.WriteAsync(
            HttpMethod.Post, "Patient/_search", Encoding.ASCII.GetBytes(form), "application/x-www-form-urlencoded");
        await BoundedAsync("name:contains of 10,000 a's", () => FormAsync($"name:contains={many}"));
        await BoundedAsync("family:exact of 10,000 a's", () => FormAsync($"family:exact={many}"));
        await BoundedAsync("_content of 10,000 a's", () => FormAsync($"_content={many}"));
        string[] paths =
        [
            "Patient.repeat(name)", "Patient.repeat($this)", "Patient.repeat($this | $this)",
            "Patient.descendants().repeat(descendants()).repeat(descendants())", "Patient.name.where(family.matches('(a+)+$'))",
            "Patient" + string.Concat(Enumerable.Repeat(".descendants()", 40)),
        ];
        foreach (var path in paths)
        {
            var patch = $$"""
                {"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},
                {"name":"path","valueString":{{JsonSerializer.Serialize(path)}}},{"name":"value","valueString":"x"}]}]}
                """;
            await BoundedAsync($"a patch of {path[..Math.Min(path.Length, 60)]}", () => a.Stage.Ehr.PatchAsync($"Patient/{patient}", patch,
                FhirJson));
        }
    }

    // XML is not taken over HTTP, whatever is in it; what reads XML are the commands of the shell, and a narrative is XHTML inside JSON.
    private static async Task<TimeSpan> NoDtdAsync(Attempt a, string dtd, string sent)
    {
        var xml = $"{dtd}<Patient xmlns=\"http://hl7.org/fhir\"><name><family value=\"&x;\"/></name></Patient>";
        var div = JsonSerializer.Serialize($"{dtd}<div xmlns=\"http://www.w3.org/1999/xhtml\">&x;</div>");
        var best = TimeSpan.MaxValue;
        for (var i = 0; i < 3; i++)
        {
            var start = TimeProvider.System.GetTimestamp();
            var answer = await a.Stage.Ehr.WriteAsync(HttpMethod.Post, "Patient", Encoding.UTF8.GetBytes(xml), "application/fhir+xml");
            a.Refused(answer, $"XML with {sent}", 400, 415);
            answer = await a.Stage.Ehr.PostAsync(
                "Patient", $$$"""{"resourceType":"Patient","text":{"status":"generated","div":{{{div}}}}}""");
            a.Refused(answer, $"a narrative with {sent}", 400, 422);
            var json = FhirXml.ToJson(Encoding.UTF8.GetBytes(xml), out var issues);
            a.Check(json is null && issues.Count > 0, $"pmr's reader of XML with {sent}", "refused", "taken");
            var elapsed = TimeProvider.System.GetElapsedTime(start);
            if (elapsed < best) best = elapsed;
        }
        return best;
    }

    private static async Task<byte[]> PackedAsync(long zeros, Func<Stream, Stream> pack)
    {
        using var packed = new MemoryStream();
        await using (var stream = pack(packed))
        {
            var block = new byte[1 << 20];
            for (var left = zeros; left > 0; left -= block.Length) await stream.WriteAsync(block.AsMemory(0, (int)Math.Min(left,
                block.Length)));
        }
        return packed.ToArray();
    }
}
