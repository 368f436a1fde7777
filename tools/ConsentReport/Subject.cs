using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.ConsentReport;

/// <summary>
/// One patient with records that hold a canary, that is, bytes that stand nowhere else, in every place; or a ghost: ids and keys of the
/// same shape that never were.
/// </summary>
internal sealed class Subject
{
    private const string Text = "http://www.w3.org/1999/xhtml";
    private const string Labels = """
        "security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]
        """;

    private const string Data = """
        {"resourceType":"Bundle","type":"document","identifier":{"system":"urn:report","value":"CANARY"},"timestamp":"2026-01-01T00:00:00Z",
        "entry":[{"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000a","resource":{"resourceType":"Composition","status":"final",
        "type":{"coding":[{"system":"http://loinc.org","code":"60591-5"}]},"author":[{"display":"CANARY"}],"title":"CANARY",
        "subject":{"reference":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b"},"date":"2026-01-01"} },
        {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b","resource":{"resourceType":"Patient",
        "identifier":[{"system":"urn:report","value":"KEY"}]} },
        {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000c","resource":{"resourceType":"Observation","status":"final",
        "meta":{LABELS},"code":{"text":"CANARY"},"valueString":"CANARY",
        "subject":{"reference":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b"} } }]}
        """;

    /// <summary>By which its records are found: who asks knows it.</summary>
    public string Key { get; } = "key-" + Random();

    /// <summary>What stands in its records and nowhere else.</summary>
    public string Canary { get; } = "canary" + Random();

    public string Patient { get; private set; } = NewId();

    public string Document { get; private set; } = NewId();

    public string Observation { get; private set; } = NewId();

    /// <summary>A document Bundle, kept as a DocumentReference.</summary>
    public string Bundle { get; private set; } = NewId();

    /// <summary>The attachment of <see cref="Document"/>.</summary>
    public string Binary { get; private set; } = NewId();

    /// <summary>The bytes of <see cref="Bundle"/>.</summary>
    public string BundleBinary { get; private set; } = NewId();

    /// <summary>A Consent that the patient gave to somebody else.</summary>
    public string OthersConsent { get; private set; } = NewId();

    /// <summary>The cursor of the first page that the keeper was given.</summary>
    public string Cursor { get; private set; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(30))[..59];

    /// <summary>The patient, logged in; of a ghost: nobody.</summary>
    public GatewayClient? Self { get; private set; }

    /// <summary>What never was.</summary>
    public static Subject Ghost() => new();

    /// <summary>A patient who is there, and of whom nothing else is.</summary>
    public static async Task<Subject> BareAsync(Stage stage)
    {
        var body = new Subject().Filled("""{"resourceType":"Patient","meta":{LABELS}}""");
        var created = Stage.Must(await stage.Keeper.Client.PostAsync("Patient", body), 201, "a Patient");
        var subject = new Subject { Patient = created.Id };
        subject.Self = await stage.LoginAsync(created.Id);
        return subject;
    }

    /// <summary>Writes all of it.</summary>
    public static async Task<Subject> WriteAsync(Stage stage)
    {
        var subject = new Subject();
        var keeper = stage.Keeper.Client;
        async Task<Answer> PostAsync(string type, string body) =>
            Stage.Must(await keeper.PostAsync(type, subject.Filled(body)), 201, type);
        subject.Patient = (await PostAsync("Patient", """
            {"resourceType":"Patient","meta":{LABELS},"text":{"status":"additional","div":"DIV"},
            "identifier":[{"system":"urn:report","value":"KEY"},{"system":"urn:report:more","value":"CANARY"}],
            "name":[{"family":"CANARY"}],"address":[{"line":["CANARY"]}]}
            """)).Id;
        var document = await PostAsync("DocumentReference", DocumentText(null));
        subject.Document = document.Id;
        subject.Binary = UrlOf(document);
        var changed = subject.Filled(DocumentText(document.Id)).Replace(
            $"\"data\":\"{subject.Base64}\"", $"\"url\":\"Binary/{subject.Binary}\"", StringComparison.Ordinal);
        Stage.Must(await keeper.PutAsync($"DocumentReference/{document.Id}", changed), 200, "an update");
        subject.Observation = (await PostAsync("Observation", """
            {"resourceType":"Observation","meta":{LABELS,"tag":[{"system":"urn:report","code":"CANARY"}]},"status":"final",
            "identifier":[{"system":"urn:report","value":"KEY"}],
            "code":{"text":"CANARY","coding":[{"system":"urn:report","code":"CANARY"}]},
            "subject":{"reference":"Patient/PATIENT","display":"CANARY"},"effectiveDateTime":"2026-01-02","valueString":"CANARY",
            "extension":[{"url":"https://report.example/note","valueString":"CANARY"}]}
            """)).Id;
        var bundle = await PostAsync("Bundle", Data);
        subject.Bundle = bundle.Id;
        subject.BundleBinary = UrlOf(bundle);
        subject.Self = await stage.LoginAsync(subject.Patient);
        var others = ConsentText.Permit(
            $"Patient/{subject.Patient}", stage.Other.Organization, "TREAT", ",\"action\":[{\"coding\":[{\"code\":\"access\"}]}]")
            .Replace("signed form", subject.Canary, StringComparison.Ordinal);
        subject.OthersConsent = Stage.Must(await subject.Self.PostAsync("Consent", others), 201, "a Consent").Id;
        var page = await keeper.GetAsync($"DocumentReference?patient=Patient/{subject.Patient}&_count=1");
        var next = page.Json.GetProperty("link").EnumerateArray().Single(l => l.GetProperty("relation").ValueEquals("next"));
        subject.Cursor = next.GetProperty("url").GetString()!.Split("_cursor=")[1];
        return subject;
    }

    /// <summary>A document Bundle about the patient, who is named by identifier.</summary>
    public string NewBundle() => Filled(Data).Replace(Canary, "nothing", StringComparison.Ordinal);

    /// <summary>A text in which what is this subject's has a name instead: the same answer about a ghost is the same text.</summary>
    public string Named(string text)
    {
        foreach (var (id, name) in new[]
        {
            (Patient, "PATIENT"), (Document, "DOCUMENT"), (Observation, "OBSERVATION"), (Bundle, "BUNDLE"), (Binary, "BINARY"),
            (BundleBinary, "BUNDLEBINARY"), (OthersConsent, "CONSENT"), (Key, "KEY"), (Cursor, "CURSOR"),
        })
            text = text.Replace(id, name, StringComparison.Ordinal);
        return text;
    }

    /// <summary>How many bytes of the canary are in some bytes, as they are or in base64.</summary>
    public int LeakedIn(ReadOnlySpan<byte> bytes)
    {
        var leaked = Count(bytes, Encoding.UTF8.GetBytes(Canary));
        // In base64 a text looks another way by where it begins; the first and the last of its letters depend on what is beside it.
        for (var shift = 0; shift < 3; shift++)
        {
            var shifted = Convert.ToBase64String([.. new byte[shift], .. Encoding.UTF8.GetBytes(Canary)]);
            leaked += Count(bytes, Encoding.UTF8.GetBytes(shifted[(shift == 0 ? 0 : 4)..^4]));
        }
        return leaked;
    }

    private string Base64 => Convert.ToBase64String(Encoding.UTF8.GetBytes($"an attachment of {Canary} alone"));

    private static int Count(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> sought)
    {
        var found = 0;
        for (int at; (at = bytes.IndexOf(sought)) >= 0; bytes = bytes[(at + sought.Length)..]) found += sought.Length;
        return found;
    }

    private static string DocumentText(string? id) => $$$"""
        {"resourceType":"DocumentReference",{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"meta":{LABELS},
        "text":{"status":"additional","div":"DIV"},
        "contained":[{"resourceType":"Observation","id":"c","status":"final","code":{"text":"CANARY"}}],"status":"current",
        "identifier":[{"system":"urn:report","value":"KEY"},{"system":"urn:report:more","value":"CANARY"}],
        "type":{"coding":[{"system":"http://loinc.org","code":"34133-9","display":"CANARY"}]},"subject":{"reference":"Patient/PATIENT"},
        "date":"2026-01-02T03:04:05Z","description":"CANARY","context":{"related":[{"reference":"#c"}]},
        "content":[{"attachment":{"contentType":"text/plain","title":"CANARY.txt","data":"BASE64"}}]}
        """;

    private static string UrlOf(Answer document) =>
        document.Json.GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!.Split('/')[1];

    private string Filled(string text) => text
        .Replace("LABELS", Labels, StringComparison.Ordinal)
        .Replace("DIV", JsonSerializer.Serialize($"<div xmlns=\"{Text}\">CANARY</div>")[1..^1], StringComparison.Ordinal)
        .Replace("CANARY", Canary, StringComparison.Ordinal)
        .Replace("KEY", Key, StringComparison.Ordinal)
        .Replace("BASE64", Base64, StringComparison.Ordinal)
        .Replace("PATIENT", Patient, StringComparison.Ordinal);

    private static string NewId() => Guid.CreateVersion7().ToString("D");

    private static string Random() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));
}
