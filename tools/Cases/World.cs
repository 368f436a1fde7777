using System.Text;
using System.Text.Json.Nodes;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Cases;

/// <summary>The patients and records of one case, made by whom the suite names as their custodians and authors.</summary>
internal sealed class World
{
    private const string OfPatient = "patient/*.rs patient/Consent.cruds";
    private readonly Suite _suite;
    private readonly Dictionary<string, GatewayClient> _patients = [];
    private readonly Dictionary<string, GatewayClient> _authors = [];
    private readonly Dictionary<(string Patient, string Organization), string> _permits = [];

    private readonly Stack<Func<Task>> _undo = [];

    private World(Suite suite, Stage stage)
    {
        (_suite, Stage, References) = (suite, stage, new ReferenceMap(stage.Cast.References));
        Missing = new Missing(suite, stage.Cast.Missing);
    }

    public Stage Stage { get; }

    public ReferenceMap References { get; }

    /// <summary>What of the suite could not be made.</summary>
    public Missing Missing { get; }

    /// <summary>Every record of the suite that the gateway takes, as it is with the gateway.</summary>
    public static async Task<World> BuildAsync(Suite suite, Stage stage)
    {
        var world = new World(suite, stage);
        var waiting = suite.Resources.Where(r => stage.Cast.References.Find(r.Key) is null && !IsA("Binary", r.Key))
            .OrderBy(r => IsA("Patient", r.Key) ? 0 : 1).ToList();
        while (waiting.Count > 0)
        {
            // Whatever refers to another record of the suite comes after it; a circle is broken where it is met.
            var next = waiting.FindIndex(r => !world.Waits(r.Value, waiting.Select(w => w.Key)));
            var (reference, resource) = waiting[Math.Max(0, next)];
            waiting.RemoveAt(Math.Max(0, next));
            await world.Missing.TryAsync(reference, () => world.AddAsync(reference, resource));
        }
        foreach (var (reference, binary) in suite.Resources.Where(r => IsA("Binary", r.Key)))
            if (world.References.Find(reference) is null) await world.Missing.TryAsync(reference, () => world.AddAsync(reference, binary));
        try
        {
            foreach (var ((patient, _), consent) in world._permits) await world.EndAsync(patient, consent);
            return world;
        }
        catch
        {
            await world.LeaveAsync();
            throw;
        }
    }

    /// <summary>A patient's own client, which gives consents.</summary>
    /// <param name="reference">The suite's reference.</param>
    public async Task<GatewayClient> PatientAsync(string reference)
    {
        if (_patients.TryGetValue(reference, out var client)) return client;
        var patient = References.Find(reference) ?? throw CaseFailed.NotUnderstood(reference + " is not in resources");
        return _patients[reference] = await Stage.Cast.LoginAsync(patient, OfPatient);
    }

    /// <summary>Who may always read a record of the suite: its author; of a consent: its patient.</summary>
    public GatewayClient AuthorOf(string reference) => _authors.TryGetValue(reference, out var author)
        ? author
        : throw CaseFailed.NotUnderstood("the author of " + reference);

    /// <summary>Registers who wrote something of the suite.</summary>
    public void Own(string reference, string server, GatewayClient author)
    {
        References.Add(reference, server);
        _authors[reference] = author;
    }

    /// <summary>The organization whose system writes a resource.</summary>
    public string WriterOf(JsonObject resource)
    {
        if ((string?)resource["resourceType"] == "Patient") return _suite.CustodianOf(resource);
        foreach (var name in new[] { "author", "performer", "recorder", "asserter", "requester", "custodian", "managingOrganization" })
        {
            foreach (var node in resource[name] is JsonArray list ? list : [resource[name]?.DeepClone()])
            {
                var author = (string?)node?["reference"] ?? (string?)node?["actor"]?["reference"];
                if (author?.StartsWith("Organization/", StringComparison.Ordinal) == true) return author;
                if (author?.StartsWith("Practitioner/", StringComparison.Ordinal) == true) return _suite.EmployerOf(author);
            }
        }
        return PatientsOf(resource).Select(p => _suite.Resources.TryGetValue(p, out var patient) ? _suite.CustodianOf(patient) : null)
            .FirstOrDefault(o => o is not null) ?? _suite.Organizations.First(_suite.IsHospital);
    }

    /// <summary>A record of the suite as the body of one more like it.</summary>
    public JsonObject Posted(string reference)
    {
        var body = (JsonObject)References.Body(_suite.Resources[reference])!;
        body.Remove("id");
        Enclose(body);
        return body;
    }

    /// <summary>What is to be put right before the case is left.</summary>
    public void OnLeave(Func<Task> undo) => _undo.Push(undo);

    /// <summary>Leaves nothing of a case in force: the consents end, the records are deleted.</summary>
    public async Task LeaveAsync()
    {
        while (_undo.TryPop(out var undo)) await undo();
        foreach (var (reference, client) in _patients)
        {
            var consents = await client.GetAsync($"Consent?patient={References.Find(reference)!.Split('/')[1]}&_count=200");
            if (consents.Status != 200 || !consents.Json.TryGetProperty("entry", out var entries)) continue;
            foreach (var entry in entries.EnumerateArray())
                if (entry.TryGetProperty("resource", out var r) && r.GetProperty("resourceType").ValueEquals("Consent"))
                    await client.DeleteAsync($"Consent/{r.GetProperty("id").GetString()}");
        }
        // The patients last: another case's have the same identifiers.
        foreach (var (reference, author) in _authors.Reverse()) await author.DeleteAsync(References.Find(reference)!);
    }

    private static bool IsA(string type, string reference) => reference.StartsWith(type + "/", StringComparison.Ordinal);

    private bool Waits(JsonObject resource, IEnumerable<string> others)
    {
        var text = resource.ToJsonString();
        return others.Any(o => o != $"{resource["resourceType"]}/{resource["id"]}" && text.Contains($"\"{o}\"", StringComparison.Ordinal));
    }

    private async Task AddAsync(string reference, JsonObject resource)
    {
        if ((string?)resource["resourceType"] != reference.Split('/')[0]) throw CaseFailed.NotUnderstood($"resources.{reference}");
        if (Missing.In(resource) is { } missing) throw new CaseFailed($"{missing}, to which it refers, is missing: {Missing.Why(missing)}");
        var organization = WriterOf(resource);
        var author = Stage.Cast.SystemOf(organization);
        foreach (var patient in PatientsOf(resource).Distinct())
        {
            if (patient == reference || !_suite.Resources.TryGetValue(patient, out var of)) continue;
            if (_suite.CustodianOf(of) != organization) await PermitAsync(patient, organization);
        }
        var body = (JsonObject)References.Body(resource)!;
        body.Remove("id");
        var id = reference.Split('/')[1];
        foreach (var system in _suite.IdentifierSystemsOf(id))
        {
            var identifiers = body["identifier"] as JsonArray;
            if (identifiers is null) body["identifier"] = identifiers = [];
            if (!identifiers.Any(i => (string?)i?["value"] == id)) identifiers.Add(new JsonObject { ["system"] = system, ["value"] = id });
        }
        if ((string?)body["resourceType"] == "Binary" && body["data"] is null) body["data"] = Content(reference);
        var attachments = Enclose(body);
        var created = await author.PostAsync((string)body["resourceType"]!, body.ToJsonString());
        if (created.Status != 201) throw new CaseFailed($"{reference} is not taken: {created.Status} {created.Text}");
        Own(reference, $"{body["resourceType"]}/{created.Id}", author);
        if (attachments.Count == 0) return;
        // Where an attachment was, the gateway has put the Binary that it made of it.
        var kept = JsonNode.Parse((await author.GetAsync(References.Find(reference)!)).Body)!;
        foreach (var (attachment, url) in attachments)
            if ((string?)At(kept, attachment.GetPath())?["url"] is { } binary) Own(url, Relative(binary), author);
    }

    // Where a record refers to a Binary of the suite, the content comes with the record.
    private static List<(JsonObject Attachment, string Url)> Enclose(JsonObject body)
    {
        var attachments = Attachments(body).ToList();
        foreach (var (attachment, url) in attachments)
        {
            attachment.Remove("url");
            attachment["data"] = Content(url);
        }
        return attachments;
    }

    private static string Content(string of) => Convert.ToBase64String(Encoding.UTF8.GetBytes($"what {of} holds {Guid.CreateVersion7()}"));

    private static string Relative(string url) => string.Join('/', url.Split('/')[^2..]);

    private static JsonNode? At(JsonNode root, string path)
    {
        var at = root;
        foreach (var step in path.TrimStart('$').Split(['.', '[', ']'], StringSplitOptions.RemoveEmptyEntries))
            at = int.TryParse(step, out var index) ? at?[index] : at?[step];
        return at;
    }

    private static IEnumerable<(JsonObject Attachment, string Url)> Attachments(JsonNode? node) => node switch
    {
        JsonObject o when (string?)(o["url"] as JsonValue) is { } url && url.StartsWith("Binary/", StringComparison.Ordinal) => [(o, url)],
        JsonObject o => o.SelectMany(m => Attachments(m.Value)),
        JsonArray a => a.SelectMany(Attachments),
        _ => [],
    };

    /// <summary>The patients that a record refers to.</summary>
    public static IEnumerable<string> PatientsOf(JsonNode? node) => node switch
    {
        JsonObject o when (string?)(o["reference"] as JsonValue) is { } r && r.StartsWith("Patient/", StringComparison.Ordinal) => [r],
        JsonObject o => o.SelectMany(m => PatientsOf(m.Value)),
        JsonArray a => a.SelectMany(PatientsOf),
        _ => [],
    };

    // Another hospital than the custodian writes about a patient by the patient's consent.
    private async Task PermitAsync(string patient, string organization)
    {
        if (_permits.ContainsKey((patient, organization))) return;
        var giver = await PatientAsync(patient);
        var body = ConsentText.Permit(References.Find(patient)!, References.Find(organization)!, "TREAT");
        var created = await giver.PostAsync("Consent", body);
        if (created.Status != 201) throw new CaseFailed($"a permit for {organization} is not taken: {created.Status} {created.Text}");
        _permits[(patient, organization)] = created.Id;
        var status = await Stage.Chain.UntilAsync(
            () => giver.GetAsync($"Consent/{created.Id}/$ledger-status"), a => a.Text.Contains("confirmed", StringComparison.Ordinal));
        if (!status.Text.Contains("confirmed", StringComparison.Ordinal)) throw new CaseFailed("a permit is not confirmed: " + status.Text);
    }

    private async Task EndAsync(string patient, string consent)
    {
        var giver = await PatientAsync(patient);
        var body = JsonNode.Parse((await giver.GetAsync("Consent/" + consent)).Body)!;
        body["status"] = "inactive";
        var ended = await giver.PutAsync("Consent/" + consent, body.ToJsonString());
        if (ended.Status != 200) throw new CaseFailed($"a permit does not end: {ended.Status} {ended.Text}");
    }
}
