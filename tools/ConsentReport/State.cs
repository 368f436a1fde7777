using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.ConsentReport;

/// <summary>A state of consent: which Consents a patient gave, and who asks.</summary>
/// <param name="Name">Its name in the report.</param>
/// <param name="Set">Brings it about, for a patient who is logged in.</param>
internal sealed record State(string Name, Func<Stage, Subject, Task> Set)
{
    private const string Narrow = ",\"class\":[{\"system\":\"http://hl7.org/fhir/resource-types\",\"code\":\"Immunization\"}]";
    private const string Closed =
        ",\"provision\":[{\"type\":\"deny\",\"securityLabel\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-Confidentiality\","
        + "\"code\":\"R\"}]}]";

    /// <summary>Whether it is the suspended organization that asks.</summary>
    public bool IsSuspended { get; init; }

    /// <summary>Whether the chain stands still.</summary>
    public bool IsStale { get; init; }

    /// <summary>Whether a Consent stands that names who asks, and by that is shown to it.</summary>
    public bool HasConsent { get; init; }

    /// <summary>The one in which all is shown.</summary>
    public static State Permit { get; } = new("permit", (stage, s) => GiveAsync(s, stage.Asker.Organization));

    /// <summary>Those in which nothing may be.</summary>
    public static IReadOnlyList<State> Closing { get; } =
    [
        new("none", (_, _) => Task.CompletedTask),
        new("other purpose", (stage, s) => GiveAsync(s, stage.Asker.Organization, purpose: "HPAYMT")),
        new("other grantee", (stage, s) => GiveAsync(s, stage.Other.Organization)),
        new("expired", (stage, s) => GiveAsync(s, stage.Asker.Organization, Of("2020"), waits: false)),
        new("not yet valid", (stage, s) => GiveAsync(s, stage.Asker.Organization, Of("2199"))),
        new("denied by label", (stage, s) => GiveAsync(s, stage.Asker.Organization, Closed)) { HasConsent = true },
        new("denied after permit", async (stage, s) =>
        {
            await GiveAsync(s, stage.Asker.Organization);
            var denial = Text(s, stage.Asker.Organization).Replace("\"type\":\"permit\"", "\"type\":\"deny\"", StringComparison.Ordinal);
            Stage.Must(await s.Self!.PostAsync("Consent", denial), 201, "a denial");
        })
        { HasConsent = true },
        new("revoked", async (stage, s) =>
        {
            var id = await GiveAsync(s, stage.Asker.Organization);
            Stage.Must(await s.Self!.PutAsync($"Consent/{id}", Text(s, stage.Asker.Organization, "", "inactive", id)), 200, "revocation");
        }),
        new("deleted", async (stage, s) =>
        {
            var id = await GiveAsync(s, stage.Asker.Organization);
            Stage.Must(await s.Self!.DeleteAsync($"Consent/{id}"), 204, "deletion");
        }),
        new("narrowed", async (stage, s) =>
        {
            var id = await GiveAsync(s, stage.Asker.Organization);
            Stage.Must(await s.Self!.PutAsync($"Consent/{id}", Text(s, stage.Asker.Organization, Narrow, "active", id)), 200, "narrowing");
            await UntilConfirmedAsync(s, id);
        })
        { HasConsent = true },
        new("proposed only", (stage, s) => GiveAsync(s, stage.Asker.Organization, status: "proposed", waits: false)),
        new("suspended", (stage, s) => GiveAsync(s, stage.Suspended.Organization)) { IsSuspended = true },
        new("chain stale", (stage, s) => GiveAsync(s, stage.Asker.Organization)) { IsStale = true },
    ];

    private static string Of(string year) => $",\"period\":{{\"start\":\"{year}\",\"end\":\"{year}\"}}";

    private static async Task<string> GiveAsync(
        Subject s, string actor, string more = "", string purpose = "TREAT", string status = "active", bool waits = true)
    {
        var id = Stage.Must(await s.Self!.PostAsync("Consent", Text(s, actor, more, status, null, purpose)), 201, "a Consent").Id;
        if (waits) await UntilConfirmedAsync(s, id);
        return id;
    }

    // Of reading alone: to write about somebody is another question.
    private static string Text(
        Subject s, string actor, string more = "", string status = "active", string? id = null, string purpose = "TREAT") =>
        ConsentText.Permit(
            $"Patient/{s.Patient}", actor, purpose, ",\"action\":[{\"coding\":[{\"code\":\"access\"}]}]" + more, status, id);

    private static async Task UntilConfirmedAsync(Subject s, string id)
    {
        var status = await GatewayClient.UntilAsync(
            () => s.Self!.GetAsync($"Consent/{id}/$ledger-status"), a => a.Text.Contains("confirmed", StringComparison.Ordinal));
        if (!status.Text.Contains("confirmed", StringComparison.Ordinal))
            throw new InvalidOperationException("a consent is not confirmed: " + status.Text);
    }
}
