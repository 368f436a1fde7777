using System.Text;
using System.Text.Json;
using PmrGateway.Gateway.Api;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Attacks;

/// <summary>The REST API asked for more, oftener or otherwise than it is meant.</summary>
internal static class Rest
{
    private const string JsonPatch = "application/json-patch+json";

    [Plays("AT-069")]
    public static async Task Pages_of_any_size(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        for (var i = 0; i < 3; i++) await a.Stage.Ehr.PostAsync("Observation", Documents.Observation(patient));
        var search = $"Observation?patient={patient}";
        foreach (var count in new[] { "1000000000", "99999999999999999999" })
        {
            var many = await a.Stage.Ehr.GetAsync($"{search}&_count={count}");
            a.Check(many.Status == 200 && Entries(many).Count() == 3, $"_count={count}", "a page, capped", many);
        }
        foreach (var count in new[] { "-1", "-99999999999999999999", "abc", "1.5", "0x10", "1e3" })
        {
            var refused = await a.Stage.Ehr.GetAsync($"{search}&_count={count}");
            a.Refused(refused, $"_count={count}", 400);
        }
        var (none, counted) = (await a.Stage.Ehr.GetAsync(search + "&_count=0"), await a.Stage.Ehr.GetAsync(search + "&_summary=count"));
        foreach (var (sent, answer) in new[] { ("_count=0", none), ("_summary=count", counted) })
        {
            a.Check(
                answer.Status == 200 && answer.Json.GetProperty("total").GetInt32() == 3 && !Entries(answer).Any(),
                sent, "the total and no entries", answer);
        }
        a.Status(
            await a.Stage.Ehr.GetAsync($"Patient/{patient}/$everything?_count=1000000000"), "$everything with a huge _count", 200, 400);
        a.Refused(await a.Stage.Ehr.GetAsync($"Patient/{patient}/$everything?_count=-1"), "$everything with _count=-1", 400);
        a.Refused(await a.Stage.Ehr.GetAsync($"Patient/{patient}/_history?_count=-1"), "_history with _count=-1", 400);
        a.Refused(await a.Stage.Ehr.GetAsync("AuditEvent?_count=-1"), "AuditEvent with _count=-1", 400);
    }

    [Plays("AT-070")]
    public static async Task Everything_included(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        await a.Stage.Ehr.PostAsync("Observation", Documents.Observation(patient));
        foreach (var parameters in new[]
        {
            "_include=*", "_revinclude=*", "_include:iterate=*", "_include=*&_revinclude=*&_include:iterate=*", "_include=Observation:*",
            "_include:iterate=Observation:patient", "_revinclude=Observation:patient", "_include=Patient:*",
            string.Join('&', Enumerable.Repeat("_include=Observation:patient", 200)),
        })
        {
            var start = TimeProvider.System.GetTimestamp();
            var answer = await a.Stage.Ehr.GetAsync($"Observation?patient={patient}&{parameters}");
            var sent = parameters[..Math.Min(parameters.Length, 60)];
            a.Check(answer.Status == 400 || answer.Status == 200 && Entries(answer).Count() < 1000, sent, "400, or a bounded page", answer);
            var elapsed = TimeProvider.System.GetElapsedTime(start);
            a.Check(elapsed < TimeSpan.FromSeconds(5), sent, "a bounded time", $"{elapsed.TotalSeconds:F1} s");
        }
        a.Refused(await a.Stage.Ehr.GetAsync($"Observation?patient={patient}&_revinclude=*"), "_revinclude=*", 400);
    }

    [Plays("AT-071")]
    public static async Task Transactions_that_burst(Attempt a)
    {
        static string Bundle(IEnumerable<string> entries) =>
            $$"""{"resourceType":"Bundle","type":"transaction","entry":[{{string.Join(',', entries)}}]}""";
        static string Post(string url, string tag) => $$$"""
            {"fullUrl":"{{{url}}}","request":{"method":"POST","url":"Patient"},
            "resource":{"resourceType":"Patient","identifier":[{"system":"urn:attack","value":"{{{tag}}}"}]}}
            """;
        var tag = Guid.CreateVersion7().ToString();
        async Task NothingAsync(string sent)
        {
            var found = await a.Stage.Ehr.GetAsync($"Patient?identifier=urn:attack|{tag}&_summary=count");
            a.Check(found.Json.GetProperty("total").GetInt32() == 0, sent, "nothing stored", found);
        }
        var many = Bundle(Enumerable.Range(0, 10_000).Select(_ => Post($"urn:uuid:{Guid.CreateVersion7()}", tag)));
        a.Refused(await a.Stage.Ehr.PostAsync("", many), "a transaction of 10,000 entries", 413, 422);
        await NothingAsync("a transaction of 10,000 entries");
        a.Refused(
            await a.Stage.Ehr.PostAsync("", many.Replace("\"transaction\"", "\"batch\"", StringComparison.Ordinal)), "a batch of as many",
                413, 422);
        await NothingAsync("a batch of 10,000 entries");

        var url = $"urn:uuid:{Guid.CreateVersion7()}";
        a.Refused(await a.Stage.Ehr.PostAsync("", Bundle([Post(url, tag), Post(url, tag)])), "one fullUrl twice", 400);
        await NothingAsync("one fullUrl twice");

        var known = await a.Stage.NewPatientAsync();
        string Change(string method, string gender) => $$$"""
            {"request":{"method":"{{{method}}}","url":"Patient/{{{known}}}"},
            "resource":{"resourceType":"Patient","id":"{{{known}}}","gender":"{{{gender}}}",
            "identifier":[{"system":"urn:attack","value":"{{{tag}}}"}]}}
            """;
        var delete = $$$"""{"request":{"method":"DELETE","url":"Patient/{{{known}}}"}}""";
        foreach (var (sent, entries) in new (string, string[])[]
        {
            ("one resource updated twice", [Change("PUT", "male"), Change("PUT", "female")]),
            ("one resource updated and deleted", [Change("PUT", "male"), delete]), ("one resource deleted twice", [delete, delete]),
        })
        {
            a.Refused(await a.Stage.Ehr.PostAsync("", Bundle(entries)), sent, 400);
            await NothingAsync(sent);
        }
        // A circle of references is data like any other: it is stored whole or not at all, and soon.
        var (one, two) = ($"urn:uuid:{Guid.CreateVersion7()}", $"urn:uuid:{Guid.CreateVersion7()}");
        string Link(string self, string other) => $$$"""
            {"fullUrl":"{{{self}}}","request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient",
            "link":[{"other":{"reference":"{{{other}}}"},"type":"seealso"}]}}
            """;
        var start = TimeProvider.System.GetTimestamp();
        a.Status(await a.Stage.Ehr.PostAsync("", Bundle([Link(one, two), Link(two, one), Link(url, url)])), "references in a circle", 200,
            400, 422);
        a.Check(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(5), "references in a circle", "an answer in 5 s", "later");
    }

    [Plays("AT-073")]
    public static async Task Cursors_of_others(Attempt a)
    {
        var patient = await a.Stage.NewPatientAsync();
        for (var i = 0; i < 4; i++) await a.Stage.Ehr.PostAsync("Observation", Documents.Observation(patient));
        var consent = await a.Stage.GrantAsync(patient, a.Stage.InsurerOrganization);
        var list = $"Observation?patient={patient}&_count=1";
        var first = await a.Stage.Insurer.GetAsync(list);
        var next = first.Json.GetProperty("link").EnumerateArray().Single(l => l.GetProperty("relation").ValueEquals("next"))
            .GetProperty("url").GetString()!;
        a.Status(await a.Stage.Insurer.GetAsync(next), "the next page", 200);
        var at = next.IndexOf("_cursor=", StringComparison.Ordinal) + 8;
        var cursor = next[at..];
        foreach (var changed in new[]
        {
            (cursor[0] == 'A' ? "B" : "A") + cursor[1..], cursor[..^1], cursor + "A", cursor[..^1] + (cursor[^1] == 'A' ? "Q" : "A"),
            "AAAA",
            "1", cursor.ToUpperInvariant(), cursor + "%20", cursor[..20],
        })
            a.Refused(await a.Stage.Insurer.GetAsync(next[..at] + changed), $"a cursor that was changed ({changed[..1]}...)", 400, 410);
        a.Refused(await a.Stage.Ehr.GetAsync(next), "a cursor of another user", 400, 410);
        a.Refused(await a.Stage.Insurer.GetAsync($"Observation?_count=1&_cursor={cursor}"), "a cursor of another list", 400, 410);
        a.Refused(await a.Stage.Insurer.GetAsync($"Condition?patient={patient}&_cursor={cursor}"), "a cursor of another type", 400, 410);

        // As the gateway would have made it an hour and a minute ago.
        var organization = a.Stage.InsurerOrganization;
        var author = $"client:insurer {organization}";
        var requester = new Requester(organization, organization, null, null, true, ["HPAYMT"]) { Author = author };
        var caller = new Caller(CallerKind.System, ActorKind.Insurer, requester, "insurer", new SmartScopes(["system/*.rs"]));
        string Made(TimeSpan ago) => new PageCursor(a.Stage.Keyring, new PastClock(ago)).Next(caller, list, 1);
        a.Status(await a.Stage.Insurer.GetAsync(Made(TimeSpan.FromMinutes(59))), "a cursor of 59 minutes", 200);
        a.Refused(await a.Stage.Insurer.GetAsync(Made(TimeSpan.FromMinutes(61))), "a cursor of 61 minutes", 400, 410);

        a.Status(await a.Stage.Ehr.DeleteAsync($"Consent/{consent}"), "the consent's end", 204);
        var after = await a.Stage.Insurer.GetAsync(next);
        a.Check(
            after.Status is 400 or 410 || after.Json.GetProperty("total").GetInt32() == 0 && !Entries(after).Any(),
            "a cursor after the consent's end", "nothing", after);
    }

    [Plays("AT-076")]
    public static async Task One_document_twenty_times_at_once(Attempt a)
    {
        var (patient, master) = (await a.Stage.NewPatientAsync(), Guid.CreateVersion7().ToString());
        var document = Documents.Of(
            patient, $"\"contentType\":\"text/plain\",\"data\":\"{Convert.ToBase64String(Encoding.ASCII.GetBytes(master))}\"",
            $"\"masterIdentifier\":{{\"system\":\"urn:attack\",\"value\":\"{master}\"}},");
        var before = await Database.NumberAsync(a, "SELECT COUNT(*) FROM versions");
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => a.Stage.Ehr.PostAsync(
            "DocumentReference", document, ("If-None-Exist", $"identifier=urn:attack|{master}"))));
        a.Check(answers.All(x => x.Status is 200 or 201), "20 pushes at once", "200 or 201", answers.FirstOrDefault(x => x.Status > 201)
            ?? answers[0]);
        var created = answers.Count(x => x.Status == 201);
        a.Check(created == 1, "20 pushes at once", "one 201", $"{created}");
        a.Check(answers.Where(x => x.Status < 300).Select(x => x.Id).Distinct().Count() == 1, "20 pushes at once", "one id", "several");
        var found = await a.Stage.Ehr.GetAsync($"DocumentReference?identifier=urn:attack|{master}");
        a.Check(found.Json.GetProperty("total").GetInt32() == 1, "20 pushes at once", "one resource", found);
        // The resource and its content: each sealed once, each a leaf of an anchor.
        var versions = await Database.NumberAsync(a, "SELECT COUNT(*) FROM versions") - before;
        a.Check(versions == 2, "20 pushes at once", "two versions (document and content)", $"{versions}");
        a.Status(await a.Stage.Ehr.PostAsync(
            "DocumentReference", document, ("If-None-Exist", $"identifier=urn:attack|{master}")), "the same once more", 200);
    }

    [Plays("AT-077")]
    public static async Task Patches_that_ask_or_move(Attempt a)
    {
        const string Secret = "Zyzzyva";
        var (patient, other) = (await a.Stage.NewPatientAsync(Secret), await a.Stage.NewPatientAsync());
        var observation = (await a.Stage.Ehr.PostAsync("Observation", Documents.Observation(patient))).Id;
        var unseen = await a.Stage.OtherEhr.PatchAsync($"Patient/{patient}", """[{"op":"test","path":"/name/0/family","value":"x"}]""",
            JsonPatch);
        a.Refused(unseen, "a test of a record that the sender may not see", 403, 404);
        (string Target, string Sent, string Patch)[] refused =
        [
            ("Patient/" + patient, "a test that fails", """[{"op":"test","path":"/name/0/family","value":"x"}]"""),
            ("Patient/" + patient, "move of /id", """[{"op":"move","from":"/id","path":"/gender"}]"""),
            ("Patient/" + patient, "replace of /id", $$"""[{"op":"replace","path":"/id","value":"{{other}}"}]"""),
            ("Patient/" + patient, "remove of /id", """[{"op":"remove","path":"/id"}]"""),
            ("Patient/" + patient, "replace of /resourceType", """[{"op":"replace","path":"/resourceType","value":"Observation"}]"""),
            ("Observation/" + observation, "remove of /subject", """[{"op":"remove","path":"/subject"}]"""),
            ("Observation/" + observation, "another subject",
                $$$"""[{"op":"replace","path":"/subject","value":{"reference":"Patient/{{{other}}}"}}]"""),
            ("Patient/" + patient, "10,000 operations",
                $"[{string.Join(',', Enumerable.Repeat("""{"op":"add","path":"/gender","value":"male"}""", 10_000))}]"),
            ("Patient/" + patient, "a path of ~1", """[{"op":"remove","path":"/name~10~1family"}]"""),
            ("Patient/" + patient, "a path of ~0", """[{"op":"remove","path":"/~0name"}]"""),
            ("Patient/" + patient, "a path of ~2", """[{"op":"remove","path":"/name~2"}]"""),
            ("Patient/" + patient, "a path with ~ at its end", """[{"op":"add","path":"/gender~","value":"male"}]"""),
            ("Patient/" + patient, "~01, which is ~1 and no slash", """[{"op":"remove","path":"/name~010"}]"""),
            ("Patient/" + patient, "a path without its slash", """[{"op":"remove","path":"name"}]"""),
            ("Patient/" + patient, "the whole document", """[{"op":"replace","path":"","value":{"resourceType":"Patient"}}]"""),
            ("Patient/" + patient, "__proto__", """[{"op":"add","path":"/__proto__/x","value":1}]"""),
        ];
        foreach (var (target, sent, patch) in refused)
        {
            var answer = await a.Stage.Ehr.PatchAsync(target, patch, JsonPatch);
            a.Refused(answer, sent, 400, 422);
            a.Check(!answer.Text.Contains(Secret, StringComparison.Ordinal), sent, "no value of the record in the answer", answer);
        }
        var test = await a.Stage.Ehr.PatchAsync($"Patient/{patient}", """[{"op":"test","path":"/name/0/family","value":"x"}]""", JsonPatch);
        a.Refused(test, "a test that fails", 422);
        var read = await a.Stage.Ehr.GetAsync($"Patient/{patient}");
        a.Check(read.Headers.Headers.ETag?.ToString() == "W/\"1\"", "all of these", "the record as it was", read);
    }

    private static IEnumerable<JsonElement> Entries(Answer bundle) =>
        bundle.Json.TryGetProperty("entry", out var entries) ? entries.EnumerateArray() : [];

    private sealed class PastClock(TimeSpan ago) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() - ago;
    }
}
