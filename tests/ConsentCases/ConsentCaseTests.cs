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
    public static TheoryData<string, string> Cases
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var spec in CaseStage.Suite.Cases) data.Add(spec.Id, spec.Title);
            return data;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public async Task It_is_decided_as_the_case_says(string id, string title) =>
        Assert.Null(Named(id, title, await stage.DifferenceAsync(id)));

    private static string? Named(string id, string title, string? difference) =>
        difference is null ? null : $"{id} {title}: {difference}";
}
