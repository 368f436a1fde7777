using System.Text.Json;
using PmrGateway.Ipfs;

namespace PmrGateway.Tools.Attacks;

/// <summary>Ids, paths, references, headers: what leads somewhere, and what is written down of it.</summary>
internal static class Paths
{
    [Plays("AT-055")]
    public static async Task Other_verbs(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        var token = a.Stage.Ehr.Token;
        foreach (var header in new[] { "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override" })
        {
            foreach (var method in new[] { "GET", "POST" })
            {
                var answer = await a.Stage.RawAsync(RawHttp.Request(method, $"/fhir/Patient/{patient}", token, [header + ": DELETE"]));
                a.Check(answer.Status is 200 or 405, $"{method} with {header}: DELETE", "as if it were not there", answer.Shown);
            }
        }
        a.Status(await a.Stage.Ehr.GetAsync($"Patient/{patient}"), "a read after them", 200);
        foreach (var verb in new[] { "TRACE", "PROPFIND", "MOVE", "COPY", "LINK", "get", "FOO" })
        {
            var answer = await a.Stage.RawAsync(RawHttp.Request(verb, $"/fhir/Patient/{patient}", token));
            a.Check(
                answer.Status == 405 && answer.IsOutcome && answer.Head.Contains("\r\nAllow: ", StringComparison.OrdinalIgnoreCase),
                $"{verb} Patient/id", "405 with Allow", answer.Shown);
        }
        // Its target is an authority and no path: what is none is not well-formed.
        var connect = await a.Stage.RawAsync(RawHttp.Request("CONNECT", $"/fhir/Patient/{patient}", token));
        a.Check(connect.Status is 400 or 405, "CONNECT", "400 or 405", connect.Shown);
    }

    [Plays("AT-056")]
    public static async Task Paths_that_lead_out(Attempt a)
    {
        var token = a.Stage.Ehr.Token;
        string[] targets =
        [
            "/fhir/Patient/../../metadata", "/fhir/Patient/../../../../../../etc/passwd", "/fhir/Patient/%2e%2e/%2e%2e/metadata",
            "/fhir/Patient/%2e%2e%2f%2e%2e%2fmetadata", "/fhir/Patient/%252e%252e%252fmetadata", "/fhir/Patient/..%5c..%5cmetadata",
            "/fhir/Patient/..\\..\\metadata", "/fhir/Patient/x;jsessionid=1", "/fhir/Patient/;x", "/fhir/Binary/..%2f..%2fkeyring.json",
            "/fhir/Patient/%00", "/fhir/Patient/x%00.json", "/fhir/%2e%2e/keyring.json", "/keyring.json", "/data/keyring.json",
            "/fhir/Patient/a%2fb", "/fhir/Patient/%C0%AE%C0%AE%C0%AFmetadata",
        ];
        foreach (var target in targets)
        {
            var answer = await a.Stage.RawAsync(RawHttp.Request("GET", target, token));
            // What is no path at all is refused below the gateway's own code, without a body.
            var isRefused = answer.Status == 404 && answer.IsOutcome || answer.Status == 400 && (answer.IsOutcome
                || answer.Body.Length == 0);
            a.Check(isRefused, $"GET {target}", "400/404 with an OperationOutcome", answer.Shown);
            a.Check(!answer.Body.Contains("masterKey", StringComparison.Ordinal), $"GET {target}", "no file", answer.Shown);
        }
        // Dots that stay inside lead where they lead.
        var inside = await a.Stage.RawAsync(RawHttp.Request("GET", "/fhir/Patient/../metadata", null));
        a.Check(inside.Status is 200 or 400 or 404, "GET /fhir/Patient/../metadata", "metadata, or a refusal", inside.Shown);
    }

    [Plays("AT-057")]
    public static async Task Ids_that_are_none(Attempt a)
    {
        string[] ids = [new string('a', 65), "a_b", "a%20b", "%C3%A9", "a%2Bb", "a%40b", "a,b"];
        foreach (var id in ids)
        {
            var text = Uri.UnescapeDataString(id);
            var body = JsonSerializer.Serialize(new { resourceType = "Patient", id = text });
            a.Refused(await a.Stage.Ehr.PutAsync($"Patient/{id}", body), $"PUT Patient/{id}", 400);
            a.Refused(await a.Stage.Ehr.GetAsync($"Patient/{id}"), $"GET Patient/{id}", 400, 404);
        }
        // A dot is a character of ids, at either end too; here the gateway gives ids and takes none.
        foreach (var id in new[] { ".a", "a.", "-a" })
        {
            var put = await a.Stage.Ehr.PutAsync($"Patient/{id}", $$"""{"resourceType":"Patient","id":"{{id}}"}""");
            a.Refused(put, $"PUT Patient/{id}", 400, 404, 405, 422);
        }
        var known = await a.Stage.NewPatientAsync();
        var twin = known.Any(char.IsAsciiLetterLower) ? known.ToUpperInvariant() : known.ToLowerInvariant();
        a.Status(await a.Stage.Ehr.GetAsync($"Patient/{known}"), "an id", 200);
        if (twin != known)
        {
            a.Refused(await a.Stage.Ehr.GetAsync($"Patient/{twin}"), "the id in the other case", 404);
            var found = await a.Stage.Ehr.GetAsync($"Patient?_id={twin}");
            a.Check(found.Json.GetProperty("total").GetInt32() == 0, "a search for the id in the other case", "nothing", found);
        }
    }

    [Plays("AT-058")]
    public static async Task Names_of_content(Attempt a)
    {
        var block = "a block"u8.ToArray();
        var cid = Cid.Of(block);
        var v0 = "Qm" + new string('a', 44);
        byte[] Binary(byte version, byte codec, byte hash, byte length, byte[] digest) => [version, codec, hash, length, .. digest];
        string[] texts =
        [
            $"{cid}/../x", $"{cid}/etc", $"/ipfs/{cid}", v0, $"{cid}".ToUpperInvariant(), "B" + $"{cid}"[1..].ToUpperInvariant(), $"{cid}=",
            $" {cid}", "bafkqabtimvwgy3yk", "z" + new string('1', 1024), "f01551220" + Convert.ToHexStringLower(cid.Digest), "", "b",
        ];
        foreach (var text in texts) a.Check(!Cid.TryParse(text, out _), $"a CID {text}", "refused", "taken");
        foreach (var (sent, bytes) in new[]
        {
            ("an identity hash", Binary(1, 0x55, 0x00, 32, cid.Digest.ToArray())), ("SHA-1", Binary(1, 0x55, 0x11, 20, new byte[20])),
            ("BLAKE2b", Binary(1, 0x55, 0xb2, 32, cid.Digest.ToArray())), ("version 0", Binary(0, 0x55, 0x12, 32, cid.Digest.ToArray())),
            ("another codec", Binary(1, 0x71, 0x12, 32, cid.Digest.ToArray())), ("a short digest", Binary(1, 0x55, 0x12, 31, new byte[31])),
        })
            a.Check(!Cid.TryRead(bytes, out _), $"a CID of {sent}", "refused", "taken");
        a.Check(Cid.TryParse($"{cid}", out var same) && same == cid && same!.Matches(block), "its own CID", "taken", "refused");

        // Over HTTP a CID is a text like any other: it names no record, and is fetched by nobody.
        foreach (var id in new[] { $"{cid}", v0, $"{cid}%2f..%2fx" })
            a.Refused(await a.Stage.Ehr.GetAsync($"Binary/{id}", "*/*"), $"GET Binary/{id}", 400, 404);
        var patient = await a.Stage.NewPatientAsync();
        foreach (var text in texts.Where(t => t.Length > 0))
        {
            var url = JsonSerializer.Serialize("ipfs://" + text);
            var answer = await a.Stage.Ehr.PostAsync(
                "DocumentReference", Documents.Of(patient, $"\"contentType\":\"text/plain\",\"url\":{url}"));
            a.Status(answer, $"an attachment at ipfs://{text}", 201, 400, 422);
        }
    }

    [Plays("AT-061")]
    public static async Task Addresses_that_the_gateway_might_fetch(Attempt a)
    {
        using var bait = new Bait();
        var patient = await a.Stage.NewPatientAsync();
        string[] urls =
        [
            "http://169.254.169.254/latest", $"http://127.0.0.1:{bait.Port}/api/v0/id", $"http://localhost:{bait.Port}/x",
            $"http://[::ffff:127.0.0.1]:{bait.Port}/x", $"http://2130706433:{bait.Port}/x", "file:///etc/passwd",
            $"ftp://127.0.0.1:{bait.Port}/x",
            "ipfs://bafkqabtimvwgy3yk", $"https://127.0.0.1:{bait.Port}/redirect", $"http://127.0.0.1.nip.io:{bait.Port}/rebind",
        ];
        foreach (var url in urls)
        {
            var answer = await a.Stage.Ehr.PostAsync(
                "DocumentReference", Documents.Of(patient, $"\"contentType\":\"text/plain\",\"url\":\"{url}\""));
            a.Status(answer, $"an attachment at {url}", 201, 400, 422);
            if (answer.Status != 201) continue;
            var read = await a.Stage.Ehr.GetAsync($"DocumentReference/{answer.Id}");
            a.Check(read.Text.Contains(url, StringComparison.Ordinal), $"an attachment at {url}", "kept as it is", read);
        }
        a.Status(await a.Stage.Ehr.GetAsync($"Patient/{patient}/$everything"), "everything of them", 200);
        var hits = await bait.HitsAsync();
        a.Check(hits == 0, "attachments elsewhere", "no connection", $"{hits}");
    }

    [Plays("AT-062")]
    public static async Task References_that_lead_elsewhere(Attempt a)
    {
        using var bait = new Bait();
        var patient = await a.Stage.NewPatientAsync();
        string[] references =
        [
            "http://evil.example/Patient/1", $"http://127.0.0.1:{bait.Port}/fhir/Patient/{patient}", "#missing", "#",
            "urn:uuid:00000000-0000-0000-0000-000000000000", "javascript:alert(1)", "file:///etc/passwd", "Patient/../../x",
            "Patient/1?x=y",
            $"{a.Stage.Url}/fhir/../fhir/Patient/{patient}", "//evil.example/Patient/1", "data:text/html,x",
        ];
        foreach (var reference in references)
        {
            var text = JsonSerializer.Serialize(reference);
            var answer = await a.Stage.Ehr.PostAsync("Observation", $$$"""
                {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":{{{text}}}}}
                """);
            a.Status(answer, $"subject {reference}", 201, 400, 422);
            answer = await a.Stage.Ehr.PostAsync("Observation", Documents.Observation(patient, $",\"focus\":[{{\"reference\":{text}}}]"));
            a.Status(answer, $"focus {reference}", 201, 400, 422);
            if (answer.Status != 201) continue;
            // Kept as it is, and nobody's record by that; what comes to a record here is one, however it is written.
            var read = await a.Stage.Ehr.GetAsync($"Observation/{answer.Id}");
            var isOwn = reference.StartsWith(a.Stage.Url + "/fhir/", StringComparison.Ordinal);
            var kept = isOwn ? $"Patient/{patient}" : reference;
            a.Check(read.Json.GetProperty("focus")[0].GetProperty("reference").GetString() == kept, reference, "kept as it is", read);
            a.Status(
                await a.Stage.Ehr.GetAsync($"Observation?_id={answer.Id}&_include=Observation:subject"), $"an include of {reference}", 200);
        }
        var hits = await bait.HitsAsync();
        a.Check(hits == 0, "references elsewhere", "no connection", $"{hits}");
    }

    [Plays("AT-064")]
    public static async Task Lines_in_headers(Attempt a)
    {
        var token = a.Stage.Ehr.Token;
        var line = "%0d%0aSet-Cookie:%20x=1";
        void NoCookie(string sent, RawAnswer answer, params ReadOnlySpan<int> expected)
        {
            a.Check(expected.Contains(answer.Status), sent, string.Join("/", expected.ToArray()), answer.Shown);
            a.Check(!answer.Head.Contains("Set-Cookie", StringComparison.OrdinalIgnoreCase), sent, "no such header", answer.Head);
        }
        NoCookie("an id with a line", await a.Stage.RawAsync(RawHttp.Request("GET", $"/fhir/Patient/x{line}", token)), 400, 404);
        NoCookie("PUT of it", await a.Stage.RawAsync(RawHttp.Request(
            "PUT", $"/fhir/Patient/x{line}", token, body: """{"resourceType":"Patient"}""")), 400);
        NoCookie("a search for it", await a.Stage.RawAsync(RawHttp.Request("GET", $"/fhir/Patient?identifier=x{line}", token)), 200, 400);
        const string Patient = """{"resourceType":"Patient","identifier":[{"value":"x\r\nSet-Cookie: x=1"}]}""";
        NoCookie("an identifier with a line", await a.Stage.RawAsync(RawHttp.Request("POST", "/fhir/Patient", token, body: Patient)), 201,
        400, 422);
        foreach (var value in new[] { "identifier=x\r\n Set-Cookie: x=1", "identifier=x\nSet-Cookie: x=1",
            "identifier=x\rSet-Cookie: x=1" })
        {
            var request = RawHttp.Request("POST", "/fhir/Patient", token, ["If-None-Exist: " + value], """{"resourceType":"Patient"}""");
            NoCookie($"If-None-Exist {JsonSerializer.Serialize(value)}", await a.Stage.RawAsync(request), 400);
        }
        NoCookie("If-None-Exist with an escaped line", await a.Stage.RawAsync(RawHttp.Request(
            "POST", "/fhir/Patient", token, ["If-None-Exist: identifier=urn:x|x" + line], """{"resourceType":"Patient"}""")), 201, 400);
        NoCookie("a state with a line", await a.Stage.RawAsync(RawHttp.Request(
            "GET", $"/connect/authorize?client_id={Stage.App}&redirect_uri=http://127.0.0.1/callback{line}&response_type=code", null)),
            400);
    }

    [Plays("AT-065")]
    public static async Task Another_host(Attempt a)
    {
        const string Evil = "evil.example";
        var patient = await a.Stage.NewPatientAsync();
        for (var i = 0; i < 3; i++) await a.Stage.Ehr.PostAsync("Observation", Documents.Observation(patient));
        var token = a.Stage.Ehr.Token;
        string[][] lies =
        [
            [], ["X-Forwarded-Host: " + Evil, "X-Forwarded-Proto: ftp", "X-Forwarded-For: 1.2.3.4"],
            [$"Forwarded: host={Evil};proto=https"], ["X-Original-Host: " + Evil, "X-Host: " + Evil],
        ];
        foreach (var lie in lies)
        {
            var host = lie.Length == 0 ? Evil : "127.0.0.1";
            foreach (var target in new[]
            {
                "/fhir/metadata", $"/fhir/Observation?patient={patient}&_count=1", "/.well-known/smart-configuration",
                "/fhir/.well-known/smart-configuration", "/.well-known/openid-configuration", $"/fhir/Patient/{patient}/$everything",
                "/connect/authorize?client_id=app&response_type=code&redirect_uri=http://127.0.0.1/callback&scope=openid"
                    + "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
            })
            {
                var answer = await a.Stage.RawAsync(RawHttp.Request("GET", target, token, lie, host: host));
                var isClean = !(answer.Head + answer.Body).Contains(Evil, StringComparison.OrdinalIgnoreCase);
                a.Check(
                    answer.Status is 200 or 400 && isClean, $"GET {target} of host {Evil}", "links of the configured base", answer.Shown);
                var isGood = answer.Status != 200 || !target.Contains("configuration", StringComparison.Ordinal)
                    || answer.Body.Contains(a.Stage.Url, StringComparison.Ordinal);
                a.Check(isGood, $"GET {target} of host {Evil}", "the configured base", answer.Shown);
            }
            var created = await a.Stage.RawAsync(RawHttp.Request(
                "POST", "/fhir/Observation", token, lie, Documents.Observation(patient), host));
            a.Check(
                created.Status is 201 or 400 && !created.Head.Contains(Evil, StringComparison.OrdinalIgnoreCase),
                $"POST of host {Evil}", "a Location of the configured base", created.Head);
        }
    }

    [Plays("AT-066")]
    public static async Task Lines_in_the_log(Attempt a)
    {
        const string Forged = "crit: Forged[0]";
        const string Secret = "Zyzzyva-Family";
        var (from, token) = (a.Stage.Said.Length, a.Stage.Ehr.Token!);
        var line = $"%0a{Uri.EscapeDataString(Forged)}%1b[31mred";
        await a.Stage.RawAsync(RawHttp.Request("GET", $"/fhir/Patient/x{line}", token));
        await a.Stage.RawAsync(RawHttp.Request("GET", $"/fhir/Patient/x{line}/$everything?x={line}", token));
        await a.Stage.RawAsync(RawHttp.Request("GET", "/fhir/Patient", token, ["User-Agent: x\u001b[31mred", $"X-Request-Id: {Forged}"]));
        await a.Stage.RawAsync(RawHttp.Request("GET", $"/connect/authorize?client_id={line}&scope={line}", null));
        await a.Stage.Anyone.As(Jwt.Of(
            Jwt.Header("RS256", $"x\n{Forged}\u001b[31m"), Jwt.Payload(a.Stage.Issuer.Url, $"x\n{Forged}\u001b[31m"), _ => [1, 2,
                3])).GetAsync("Patient");
        await a.Stage.Anyone.PostFormAsync("connect/token", new Dictionary<string, string>
        {
            ["grant_type"] = $"client_credentials\n{Forged}",
            ["client_id"] = $"x\n{Forged}\u001b[31m",
            ["client_assertion"] = token,
        });
        await a.Stage.Ehr.PostAsync("Patient", JsonSerializer.Serialize(
            new { resourceType = "Patient", name = new[] { new { family = $"{Secret}\n{Forged}\u001b[31m" } } }));
        await a.Stage.Ehr.PostAsync("Patient", $$"""{"resourceType":"Patient","name":"{{Secret}}"}""");
        await a.Stage.Ehr.GetAsync($"Patient?name={Secret}");
        await a.Stage.Operator.AdminAsync("users", new { username = $"x\n{Forged}", password = "short", fhirUser = "Patient/x" });
        await Task.Delay(300);
        var said = a.Stage.Said[from..];
        a.Check(!said.Split('\n').Any(l => l.TrimStart().StartsWith(Forged, StringComparison.Ordinal)), "lines in ids, agents, names",
            "no line of the log", said);
        // The console's own colours are not on: a character that steers a terminal came from outside.
        a.Check(!said.Contains('\u001b'), "characters that steer a terminal", "none in the log", said);
        a.Check(!said.Contains(Secret, StringComparison.Ordinal), "a patient's name", "not in the log", said);
        a.Check(!said.Contains(token, StringComparison.Ordinal), "a token", "not in the log", said);
    }
}
