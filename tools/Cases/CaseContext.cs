using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Cases;

/// <summary>A consent of a case as the gateway took it.</summary>
/// <param name="Name">Its name in the suite.</param>
/// <param name="Patient">The suite's reference of who gave it.</param>
/// <param name="Id">Its id; "" where the gateway refused it.</param>
/// <param name="Body">What was posted.</param>
internal sealed record LoadedConsent(string Name, string Patient, string Id, JsonObject Body);

/// <summary>One run of one case: its records, its consents, its clock.</summary>
internal sealed class CaseContext(Suite suite, CaseSpec spec, World world, TimeShift clock)
{
    public Suite Suite => suite;

    public CaseSpec Spec => spec;

    public World World => world;

    public TimeShift Clock => clock;

    public Stage Stage => world.Stage;

    public ReferenceMap References => world.References;

    public List<LoadedConsent> Consents { get; } = [];

    /// <summary>What the setup says of the token.</summary>
    public TokenWish Token { get; set; } = new();

    /// <summary>The next link that the caller got with the first page; null: there was none yet.</summary>
    public string? NextLink { get; set; }

    /// <summary>What the gateway would not keep, in the suite's words: nobody is shown it. Null: it kept all.</summary>
    public string? Unkept { get; set; }

    /// <summary>What was not looked for, and why; null: all was.</summary>
    public string? Note { get; set; }

    /// <summary>Whether the gateway refused a consent with the status that the case takes for a pass.</summary>
    public bool IsRefusedOnWrite { get; private set; }

    public SuiteActor Actor(string name) => !suite.Actors.TryGetValue(name, out var actor) ? throw CaseFailed.NotUnderstood($"actor {name}")
        : actor.Fault is { } fault ? throw CaseFailed.NotUnderstood($"actor {name}: {fault}")
        : actor;

    /// <summary>A consent of the suite, with the server's references and the case's clock.</summary>
    public (string Name, JsonObject Body) Consent(JsonNode named)
    {
        var name = named is JsonObject ? "inline" : named.ToString();
        var text = named as JsonObject ?? (suite.Consents.TryGetValue(name, out var known)
            ? known
            : throw CaseFailed.NotUnderstood($"consent {name}"));
        var body = (JsonObject)References.Body(text)!;
        body.Remove("id");
        clock.MoveConsent(body);
        return (name, body);
    }

    /// <summary>Posts a consent with its patient's own token.</summary>
    /// <param name="named">A name, or the consent itself.</param>
    /// <param name="change">What else is done to it; null: nothing.</param>
    public async Task<LoadedConsent> PostAsync(JsonNode named, Func<JsonObject, GatewayClient, Task<JsonObject>>? change = null)
    {
        var (name, body) = Consent(named);
        var server = (string?)body["patient"]?["reference"];
        var patient = server is null ? null : References.SuiteOf(server);
        if (patient is null) throw CaseFailed.NotUnderstood($"consent {name} is of no patient of the suite");
        var giver = await world.PatientAsync(patient);
        if (change is not null) body = await change(body, giver);
        var created = await giver.PostAsync("Consent", body.ToJsonString());
        if (created.Status == 422)
        {
            IsRefusedOnWrite |= spec.Expect["orOnWrite"].Texts().Contains("422");
            var refused = new LoadedConsent(name, patient, "", body);
            Consents.Add(refused);
            return refused;
        }
        if (created.Status != 201) throw new CaseFailed($"consent {name} is not taken: {created.Status} {created.Text}");
        var loaded = new LoadedConsent(name, patient, created.Id, body);
        Consents.Add(loaded);
        References.Add("Consent/" + name, "Consent/" + created.Id);
        return loaded;
    }

    /// <summary>Waits until a consent counts, or is seen never to: it is not active, or its time is over.</summary>
    public async Task SettleAsync(LoadedConsent consent)
    {
        if (consent.Id.Length == 0 || (string?)consent.Body["status"] != "active") return;
        var status = await StatusAsync(consent, a => Status(a) is "confirmed" or "recorded" or "failed" or "revoked");
        if (Status(status) is not ("confirmed" or "recorded" or "failed"))
            throw new CaseFailed($"consent {consent.Name} is not confirmed: {status.Text}");
    }

    /// <summary>Waits for a status of a consent on the ledger, with new blocks meanwhile.</summary>
    public async Task<Answer> StatusAsync(LoadedConsent consent, Func<Answer, bool> wanted)
    {
        var giver = await world.PatientAsync(consent.Patient);
        return await Stage.Chain.UntilAsync(() => giver.GetAsync($"Consent/{consent.Id}/$ledger-status"), wanted);
    }

    /// <summary>The patient ends a consent.</summary>
    public async Task RevokeAsync(LoadedConsent consent)
    {
        var ended = await EndAsync(consent, await world.PatientAsync(consent.Patient));
        if (ended.Status != 200) throw new CaseFailed($"consent {consent.Name} does not end: {ended.Status} {ended.Text}");
    }

    /// <summary>Somebody ends a consent, or tries to.</summary>
    public async Task<Answer> EndAsync(LoadedConsent consent, GatewayClient by)
    {
        var body = (JsonObject)consent.Body.DeepClone();
        (body["id"], body["status"]) = (consent.Id, "inactive");
        return await by.PutAsync("Consent/" + consent.Id, body.ToJsonString());
    }

    /// <summary>Who may always read something of the case.</summary>
    /// <param name="suiteReference">The suite's reference.</param>
    public async Task<GatewayClient> OwnerAsync(string suiteReference) =>
        Consents.Find(c => suiteReference == "Consent/" + c.Name) is { } consent
            ? await world.PatientAsync(consent.Patient)
            : world.AuthorOf(suiteReference);

    /// <summary>Whether a reference or an id of one is of anything in the suite or the case.</summary>
    public bool IsKnown(string text) => References.Find(text) is not null || References.WithId(text).Any()
        || suite.Resources.ContainsKey(text) || suite.Consents.ContainsKey(text[(text.IndexOf('/') + 1)..]);

    /// <summary>The suite's reference of an id, or of a reference.</summary>
    public string Named(string text)
    {
        if (text.Contains('/', StringComparison.Ordinal)) return text;
        var found = References.WithId(text).Select(References.SuiteOf).OfType<string>().ToList();
        return found.Count > 0 ? found[0] : throw CaseFailed.NotUnderstood($"'{text}' is nothing of the case");
    }

    public static string Status(Answer answer) => Regex.Match(answer.Text, "\"valueCode\"\\s*:\\s*\"([a-z-]+)\"").Groups[1].Value;
}
