namespace PmrGateway.Tests.Scenarios.NonInterference;

/// <summary>
/// What a viewer may see, as the first gateway itself says when it is asked for each version by its id: the one question that needs no
/// second opinion, since <c>tests/StoreContract/AccessContract.cs</c> holds it against the decision.
/// </summary>
internal sealed class Sight
{
    private readonly Dictionary<(string Name, int Version), int> _statuses = [];
    private readonly Dictionary<string, int> _last = [];

    /// <summary>How many records the viewer sees now.</summary>
    public int Seen => _last.Count(r => SeesNow(r.Key));

    public static async Task<Sight> OfAsync(Side side, string viewer, IReadOnlyList<Written> log)
    {
        var sight = new Sight();
        foreach (var written in log)
        {
            var (step, version) = (written.Step, written.Version);
            sight._last[step.Name] = version;
            sight._statuses[(step.Name, version)] = await StatusAsync($"{step.Type}/§{step.Name}§/_history/{version}");
            foreach (var binary in written.Binaries) sight._last[binary] = 0;
        }
        foreach (var (name, version) in sight._last)
        {
            var type = version == 0 ? "Binary" : log.First(w => w.Step.Name == name).Step.Type;
            sight._statuses[(name, 0)] = await StatusAsync($"{type}/§{name}§");
        }
        return sight;

        async Task<int> StatusAsync(string path) =>
            (await side.AskAsync(viewer, "GET", path, [("Accept", "application/fhir+json")], null, null)).Status;
    }

    /// <summary>Whether a version is shown, or that it ended the record.</summary>
    public bool Sees(string name, int version) => IsShown((name, version)) || (version == _last[name] && SeesNow(name));

    /// <summary>Whether the record is shown as it is now, or that it has ended.</summary>
    public bool SeesNow(string name) => IsShown((name, 0));

    /// <summary>Whether anything is shown of a record.</summary>
    public bool SeesAny(string name) => SeesNow(name) || Enumerable.Range(1, _last[name]).Any(v => IsShown((name, v)));

    /// <summary>Which version is the record's last.</summary>
    public int Last(string name) => _last[name];

    private bool IsShown((string, int) version) => _statuses.GetValueOrDefault(version) is 200 or 410;
}
