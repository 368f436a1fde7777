using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace PmrGateway.Tools.Cases;

/// <summary>Who asks, as the suite says it.</summary>
/// <param name="Name">Its name in the suite.</param>
/// <param name="FhirUser">The person, <c>Type/id</c>; null: a system, or nobody.</param>
/// <param name="Organization">For whom; null: for nobody.</param>
/// <param name="Client">The app's client id.</param>
/// <param name="Scopes">The scopes of its tokens.</param>
/// <param name="Fault">What of it is not understood; null: all is.</param>
internal sealed record SuiteActor(string Name, string? FhirUser, string? Organization, string Client, string Scopes, string? Fault = null)
{
    public bool IsAnonymous => FhirUser is null && Organization is null;

    public bool IsSystem => FhirUser is null && Organization is not null;

    public bool IsPatient => FhirUser?.StartsWith("Patient/", StringComparison.Ordinal) == true;

    /// <summary>Whether it is a record of the suite that logs in: a patient, or who acts for one.</summary>
    public bool LogsIn => IsPatient || FhirUser?.StartsWith("RelatedPerson/", StringComparison.Ordinal) == true;

    public bool IsPractitioner => FhirUser?.StartsWith("Practitioner/", StringComparison.Ordinal) == true;

    /// <summary>Whether its scopes let it create.</summary>
    public bool Writes => Scopes.Split(' ').Any(s => Regex.IsMatch(s, @"\.(c[ruds]*|write|\*)$"));
}

/// <summary>A file of the schema consent-cases/1.</summary>
internal sealed partial class Suite
{
    private readonly JsonObject _root;
    private readonly string _text;

    private Suite(JsonObject root)
    {
        (_root, _text) = (root, root.ToJsonString());
        Actors = Members("actors").ToDictionary(a => a.Key, a => ActorOf(a.Key, a.Value));
        Resources = Members("resources").ToDictionary(r => r.Key, r => r.Value as JsonObject ?? []);
        Consents = Members("consents").Where(c => c.Value is JsonObject).ToDictionary(c => c.Key, c => (JsonObject)c.Value!);
        Cases = [.. root["cases"].Items().Select(c => new CaseSpec(c as JsonObject ?? []))];
        Organizations = [.. References("Organization")];
        Practitioners = [.. References("Practitioner")];
    }

    public IReadOnlyDictionary<string, SuiteActor> Actors { get; }

    /// <summary>By <c>Type/id</c>.</summary>
    public IReadOnlyDictionary<string, JsonObject> Resources { get; }

    public IReadOnlyDictionary<string, JsonObject> Consents { get; }

    public IReadOnlyList<CaseSpec> Cases { get; }

    /// <summary>Every organization that the file names, <c>Organization/id</c>.</summary>
    public IReadOnlyList<string> Organizations { get; }

    /// <summary>Every practitioner that the file names, <c>Practitioner/id</c>.</summary>
    public IReadOnlyList<string> Practitioners { get; }

    /// <summary>Scopes that a case asks for in its setup.</summary>
    public IEnumerable<string> ScopesInSetups =>
        Cases.SelectMany(c => c.Setup).Select(TokenWish.ScopeOf).OfType<string>().SelectMany(s => s.Split(' '));

    public static Suite Read(string file)
    {
        var root = JsonNode.Parse(File.ReadAllBytes(file)) as JsonObject;
        var schema = (string?)root?["schema"];
        return schema == "consent-cases/1" ? new Suite(root!) : throw new JsonException($"schema is '{schema}', not consent-cases/1");
    }

    /// <summary>Whether an organization treats: it writes, employs, keeps patients or authors records.</summary>
    public bool IsHospital(string organization) =>
        Actors.Values.Any(a => a.Organization == organization && ((a.IsSystem && a.Writes) || a.IsPractitioner))
        || Resources.Values.Any(r => Regex.IsMatch(r.ToJsonString(), $"\"{Regex.Escape(organization)}\""))
        || Resources.Where(r => r.Key.StartsWith("Patient/", StringComparison.Ordinal)).Any(r => CustodianNamed(r.Value) == organization);

    /// <summary>For whom a practitioner works.</summary>
    public string EmployerOf(string practitioner) =>
        Actors.Values.FirstOrDefault(a => a.FhirUser == practitioner)?.Organization ?? Organizations.First(IsHospital);

    /// <summary>The organization that registers a patient.</summary>
    public string CustodianOf(JsonObject patient) => CustodianNamed(patient)
        ?? Actors.Values.FirstOrDefault(a => a.IsSystem && a.Writes)?.Organization
        ?? Organizations.First(IsHospital);

    /// <summary>
    /// The purposes that a system client is registered for: what it is there for, and those by which something in the file is open to it.
    /// That it asks for one and is denied tells nothing: it may be denied because it is not registered for it.
    /// </summary>
    public string[] PurposesOf(SuiteActor actor)
    {
        var purposes = new SortedSet<string>(StringComparer.Ordinal);
        if (IsHospital(actor.Organization!)) purposes.Add("TREAT");
        if (PurposeOfRole(actor) is { } role) purposes.Add(role);
        foreach (var spec in Cases.Where(c => c.Actor == actor.Name && c.Opens)) purposes.UnionWith(spec.Purposes);
        foreach (var provision in Consents.Values.Select(c => c["provision"] as JsonObject).OfType<JsonObject>())
        {
            if (!provision["actor"].Items().Any(a => a.Member("reference").Member("reference")?.ToString() == actor.Organization)) continue;
            purposes.UnionWith(provision["purpose"].Items().Select(p => p.Member("code")?.ToString()).OfType<string>());
        }
        return [.. purposes];
    }

    /// <summary>The identifier systems under which requests ask for a resource by its id in the suite.</summary>
    public IEnumerable<string> IdentifierSystemsOf(string id) => IdentifierSearch().Matches(_text)
        .Where(m => m.Groups[2].Value == id).Select(m => m.Groups[1].Value).Distinct();

    // What the words of its client id or of its organization's name say that it does.
    private static string? PurposeOfRole(SuiteActor actor)
    {
        foreach (var word in $"{actor.Client} {actor.Organization?.Split('/')[^1]} {actor.Name}".Split(' ', '-', '_', '.'))
        {
            if (Treats().IsMatch(word)) return "TREAT";
            if (Pays().IsMatch(word)) return "HPAYMT";
            if (Researches().IsMatch(word)) return "HRESCH";
        }
        return null;
    }

    private string? CustodianNamed(JsonObject patient)
    {
        var manager = patient["managingOrganization"].Member("reference")?.ToString();
        if (manager?.StartsWith("Organization/", StringComparison.Ordinal) == true) return manager;
        foreach (var system in patient["identifier"].Items().Select(i => i.Member("system")?.ToString()).OfType<string>())
            if (Organizations.FirstOrDefault(o => system.Split(':', '/').Contains(o.Split('/')[1])) is { } named) return named;
        return null;
    }

    private static SuiteActor ActorOf(string name, JsonNode? actor) => new(
        name, actor.Member("fhirUser")?.ToString(), actor.Member("org")?.ToString(), actor.Member("client")?.ToString() ?? name,
        actor.Member("scopes")?.ToString() ?? "", CaseShape.ProblemOfActor(actor));

    private IEnumerable<KeyValuePair<string, JsonNode?>> Members(string name) => _root[name] as JsonObject ?? [];

    // Not of the cases' texts: what a case alone names is nobody.
    private IEnumerable<string> References(string type) => new[] { "actors", "resources", "consents" }
        .SelectMany(n => Regex.Matches(_root[n]?.ToJsonString() ?? "", $"\"({type}/[A-Za-z0-9.-]+)\"")).Select(m => m.Groups[1].Value)
        .Distinct();

    [GeneratedRegex(@"^(?:ehr|his|hospital|clinic)", RegexOptions.IgnoreCase)]
    private static partial Regex Treats();

    [GeneratedRegex(@"^(?:insur\w*|ins|pay[eo]rs?|tpa)$", RegexOptions.IgnoreCase)]
    private static partial Regex Pays();

    [GeneratedRegex(@"^(?:research\w*|res|study|studies|trials?)$", RegexOptions.IgnoreCase)]
    private static partial Regex Researches();

    [GeneratedRegex(@"identifier=([^|&""=]+)\|([A-Za-z0-9.-]+)")]
    private static partial Regex IdentifierSearch();
}

/// <summary>Nodes that may be absent, or of another shape.</summary>
internal static class NodeExtensions
{
    /// <summary>The items of a list; none where there is none.</summary>
    public static IEnumerable<JsonNode?> Items(this JsonNode? node) => node as JsonArray ?? [];

    /// <summary>A member of what may be no object, and then has none.</summary>
    public static JsonNode? Member(this JsonNode? node, string name) => (node as JsonObject)?[name];

    /// <summary>The texts of a list, or the one text.</summary>
    public static IReadOnlyList<string> Texts(this JsonNode? node) => node switch
    {
        JsonArray list => [.. list.Select(t => t?.ToString() ?? "")],
        null => [],
        _ => [node.ToString()],
    };
}
