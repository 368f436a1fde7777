using System.Text.Json.Nodes;

namespace PmrGateway.Tools.Cases;

/// <summary>Consents that somebody changes in a gateway's database, behind its back.</summary>
internal sealed class StoredConsents(Stage stage)
{
    // Longer than a gateway believes what it read a moment ago.
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);
    private readonly List<(string Consent, string Terms)> _before = [];

    /// <summary>Makes what a patient agreed to say more than it did: for everybody, and for every purpose.</summary>
    public async Task WidenAsync(IEnumerable<LoadedConsent> consents)
    {
        foreach (var consent in consents.Where(c => c.Id.Length > 0))
        {
            var terms = await stage.Probe.TermsAsync(consent.Id) ?? throw new CaseFailed($"consent {consent.Name} is not stored");
            var changed = JsonNode.Parse(terms)!;
            var root = changed["Root"]!;
            var isNarrow = root["Actors"].Items().Concat(root["Purposes"].Items()).Any();
            (root["Actors"], root["Purposes"]) = (new JsonArray(), new JsonArray());
            // What is for everybody as it is says the contrary.
            if (!isNarrow) changed["Permits"] = !(bool)changed["Permits"]!;
            await stage.Probe.SetTermsAsync(consent.Id, changed.ToJsonString());
            _before.Add((consent.Id, terms));
        }
        await Task.Delay(Moment);
    }

    /// <summary>Puts back what was there.</summary>
    public async Task RestoreAsync()
    {
        foreach (var (consent, terms) in _before) await stage.Probe.SetTermsAsync(consent, terms);
        if (_before.Count > 0) await Task.Delay(Moment);
        _before.Clear();
    }
}
