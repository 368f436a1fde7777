using PmrGateway.Tools.Cases;

namespace PmrGateway.Tests.ConsentCases;

/// <summary>The gateways that the cases are asked of, and the file with the cases.</summary>
public sealed class CaseStage : IAsyncLifetime
{
    private Issuer? _issuer;
    private CaseRunner? _runner;

    internal static Suite Suite { get; } = Suite.Read(Path.Combine(AppContext.BaseDirectory, "consent-cases.json"));

    public async Task InitializeAsync()
    {
        _issuer = await Issuer.StartAsync();
        _runner = new CaseRunner(Suite, _issuer);
    }

    public async Task DisposeAsync()
    {
        if (_runner is not null) await _runner.DisposeAsync();
        if (_issuer is not null) await _issuer.DisposeAsync();
    }

    internal async Task<string?> DifferenceAsync(string id) =>
        (await _runner!.RunAsync(Suite.Cases.Single(c => c.Id == id))).Difference;
}

/// <summary>Each case of <c>tests/vectors/consent-cases.json</c>, asked of a running gateway over HTTP.</summary>
public class ConsentCaseTests(CaseStage stage) : IClassFixture<CaseStage>
{
    // Interactions that are not offered yet, with how they are refused.
    private static readonly Dictionary<string, string> NotOffered = new(StringComparer.Ordinal)
    {
    };

    public static TheoryData<string, string> Decided => Cases(c => !NotOffered.ContainsKey(c.Id));

    public static TheoryData<string, string> Refused => Cases(c => NotOffered.ContainsKey(c.Id));

    [Theory, MemberData(nameof(Decided))]
    public async Task It_is_decided_as_the_case_says(string id, string title) =>
        Assert.Null(Named(id, title, await stage.DifferenceAsync(id)));

    /// <summary>The refusal is all that differs from what the case expects: nothing that is hidden shows in it.</summary>
    [Theory, MemberData(nameof(Refused))]
    public async Task What_is_not_offered_yet_is_refused_and_tells_nothing(string id, string title)
    {
        var difference = await stage.DifferenceAsync(id);
        Assert.True(difference is not null, $"{id} is decided now: {title}");
        var parts = NotOffered[id].Split('*');
        Assert.StartsWith(parts[0], difference, StringComparison.Ordinal);
        Assert.Contains(parts[1], difference, StringComparison.Ordinal);
        Assert.EndsWith(parts[2], difference, StringComparison.Ordinal);
        Assert.DoesNotContain("); ", difference, StringComparison.Ordinal);
    }

    private static string? Named(string id, string title, string? difference) =>
        difference is null ? null : $"{id} {title}: {difference}";

    private static TheoryData<string, string> Cases(Func<CaseSpec, bool> which)
    {
        var data = new TheoryData<string, string>();
        foreach (var spec in CaseStage.Suite.Cases.Where(which)) data.Add(spec.Id, spec.Title);
        return data;
    }
}
