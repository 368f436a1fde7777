using System.Text.Json;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using PmrGateway.Gateway.Hosting;

namespace PmrGateway.Tests.Unit.Gateway;

public class HealthTests
{
    private static HealthReportEntry Entry(HealthStatus status, string? text, Exception? exception,
        params (string Key, object Value)[] data) =>
        new(status, text, TimeSpan.Zero, exception, data.ToDictionary(d => d.Key, d => d.Value));

    private static HealthAnswer Answer(params (string Check, HealthReportEntry Entry)[] entries) =>
        HealthServices.Answer(new HealthReport(entries.ToDictionary(e => e.Check, e => e.Entry), TimeSpan.Zero));

    [Fact]
    public void A_gateway_that_is_well_says_ok_and_its_block()
    {
        var answer = Answer(("chain", Entry(HealthStatus.Healthy, null, null, ("block", 7L), ("queued", 3))));
        Assert.Equal(("ok", 7L), (answer.Status, answer.Block));
        Assert.Empty(answer.Problems);
    }

    [Theory]
    [InlineData(HealthStatus.Degraded)]
    [InlineData(HealthStatus.Unhealthy)]
    public void What_is_wrong_is_named_by_its_check_with_its_causes(HealthStatus status)
    {
        var answer = Answer(
            ("store", Entry(HealthStatus.Healthy, null, null)),
            ("chain", Entry(status, "reads are refused", null, ("block", 7L), ("view", "is old"), ("node", "is away"))));
        var problem = Assert.Single(answer.Problems);
        Assert.Equal(("degraded", 7L), (answer.Status, answer.Block));
        Assert.Equal(("chain", "reads are refused"), (problem.Check, problem.Text));
        Assert.Equal(["node: is away", "view: is old"], problem.Causes);
    }

    [Fact]
    public void A_check_that_failed_gives_no_word_of_its_exception()
    {
        var answer = Answer(("store", Entry(HealthStatus.Unhealthy, "secret", new InvalidOperationException("secret"))));
        Assert.DoesNotContain("secret", JsonSerializer.Serialize(answer));
        Assert.Equal(("degraded", "store"), (answer.Status, Assert.Single(answer.Problems).Check));
    }
}
