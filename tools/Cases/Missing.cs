using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace PmrGateway.Tools.Cases;

/// <summary>What of a suite could not be made, and why. It fails the cases that need it, and no other.</summary>
internal sealed class Missing(Suite suite, Missing? outer = null)
{
    private readonly Dictionary<string, string> _why = new(StringComparer.Ordinal);

    private IEnumerable<KeyValuePair<string, string>> All => outer is null ? _why : outer.All.Concat(_why);

    /// <summary>Makes something.</summary>
    /// <param name="name">Its reference in the suite, or an actor's name.</param>
    /// <param name="make">Makes it, and throws where it cannot be made.</param>
    public async Task TryAsync(string name, Func<Task> make)
    {
        try
        {
            await make();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _why[name] = e.Message;
        }
    }

    /// <summary>Why something could not be made; null: it was.</summary>
    public string? Why(string name) => All.FirstOrDefault(m => m.Key == name).Value;

    /// <summary>What of a record's references is missing; null: nothing.</summary>
    public string? In(JsonObject resource)
    {
        var text = resource.ToJsonString();
        return All.Select(m => m.Key).FirstOrDefault(m => text.Contains($"\"{m}\"", StringComparison.Ordinal));
    }

    /// <summary>Fails a case that needs something that is missing: it names it, or asks for what it would be among.</summary>
    /// <param name="spec">The case.</param>
    /// <param name="consents">Its consents.</param>
    public void Check(CaseSpec spec, IEnumerable<JsonObject> consents)
    {
        var actors = suite.Actors.Values
            .Where(a => a.Name == spec.Actor || spec.Setup.Any(l => Regex.IsMatch(l, $"^{Regex.Escape(a.Name)}\\b"))).ToList();
        var named = string.Join('\n', consents.Select(c => c.ToJsonString()).Append(spec.Text)
            .Concat(actors.Select(a => $"{a.FhirUser} {a.Organization}")));
        var asked = string.Join('\n', spec.Asked);
        foreach (var (name, why) in All)
        {
            var isNeeded = name.Split('/') is [var type, var id]
                ? Has(named, id) || Regex.IsMatch(asked, $@"(?<!\w){Regex.Escape(type)}(?![\w/])") || IsAmongAll(asked, name)
                : actors.Exists(a => a.Name == name);
            if (isNeeded) throw new CaseFailed($"it needs {name}: {why}");
        }
    }

    // Whatever there is of a patient, and what comes with that.
    private bool IsAmongAll(string asked, string name) => Regex.IsMatch(asked, @"[$*]|include")
        && suite.Resources.TryGetValue(name, out var resource)
        && World.PatientsOf(resource).Any(p => Has(asked, p.Split('/')[1]));

    private static bool Has(string text, string id) => Regex.IsMatch(text, $@"(?<![\w.-]){Regex.Escape(id)}(?![\w.-])");
}
