using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using PmrGateway.Gateway.Hosting;
using PmrGateway.Gateway.Options;
using PmrGateway.Gateway.Smart;

namespace PmrGateway.Tests.Unit.Gateway;

public class AuthRefusalTests
{
    [Fact]
    public void Refusals_are_told_in_one_line_a_reason_and_once()
    {
        var lines = new Lines();
        using var provider = new ServiceCollection().AddMetrics().AddSingleton(TimeProvider.System)
            .AddLogging(l => l.AddProvider(lines)).AddSingleton<AuthRefusals>().BuildServiceProvider();
        var refusals = provider.GetRequiredService<AuthRefusals>();
        for (var i = 0; i < 5; i++) refusals.Count(AuthRefusals.Password);
        refusals.Count(AuthRefusals.Token);
        refusals.Tell();
        Assert.Equal(
            [
                "1 were refused in the last minute for the reason 'token'", "5 were refused in the last minute for the reason 'password'",
            ],
            lines.All.Order(StringComparer.Ordinal));
        refusals.Tell();
        Assert.Equal(2, lines.All.Count);
    }

    [Fact]
    public void Who_has_no_refusals_left_waits_and_nobody_else_does()
    {
        using var limits = new RefusalLimits(new AuthOptions { RefusedLogins = 2, RefusedTokens = 1 });
        var (guesser, owner, neighbour) = (Of("192.0.2.1", "a"), Of("192.0.2.2", "a"), Of("192.0.2.1", "b"));
        for (var i = 0; i < 2; i++)
        {
            Assert.Null(limits.LoginsWait(guesser));
            limits.CountLogin(guesser);
        }
        Assert.InRange(limits.LoginsWait(guesser)!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));
        Assert.Null(limits.LoginsWait(owner));
        Assert.Null(limits.LoginsWait(neighbour));
        Assert.Null(limits.TokensWait(guesser));
        limits.CountToken(guesser);
        Assert.NotNull(limits.TokensWait(guesser));
    }

    [Fact]
    public async Task Guesses_at_the_same_time_wait_for_each_other()
    {
        using var limits = new RefusalLimits(new AuthOptions());
        var turns = new List<IDisposable>();
        for (var i = 0; i < 4; i++) turns.Add(await limits.BeginLoginAsync(Of("192.0.2.1", "a"), default));
        var next = limits.BeginLoginAsync(Of("192.0.2.1", "a"), default);
        Assert.False(next.IsCompleted);
        (await limits.BeginLoginAsync(Of("192.0.2.1", "b"), default)).Dispose();
        turns[0].Dispose();
        Assert.True((await next).IsAcquired);
    }

    [Theory]
    [InlineData("2001:db8:1:2:3::4", "2001:db8:1:2::9", true)]
    [InlineData("2001:db8:1:2:3::4", "2001:db8:1:3::4", false)]
    [InlineData("::ffff:192.0.2.1", "192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    public void Of_IPv6_a_client_is_its_network(string one, string other, bool same) =>
        Assert.Equal(same, Of(one, "a") == Of(other, "a"));

    [Theory]
    [InlineData("10.1.2.3", "203.0.113.9", "203.0.113.9")]
    [InlineData("10.1.2.3", "198.51.100.1, 203.0.113.9, 10.9.9.9", "203.0.113.9")]
    [InlineData("192.0.2.7", "203.0.113.9", "192.0.2.7")]
    [InlineData("127.0.0.1", "203.0.113.9", "127.0.0.1")]
    [InlineData("10.1.2.3", "nonsense", "10.1.2.3")]
    public async Task A_proxy_is_believed_who_the_client_is_where_it_is_trusted(string from, string header, string address)
    {
        Assert.Equal(address, await AddressAsync(["10.0.0.0/8"], from, header));
        Assert.Equal(from, await AddressAsync([], from, header));
    }

    private static async Task<string?> AddressAsync(string[] trusted, string from, string header)
    {
        using var provider = new ServiceCollection().AddLogging().BuildServiceProvider();
        var app = new ApplicationBuilder(provider);
        string? seen = null;
        app.UseTrustedProxies(trusted);
        app.Run(context =>
        {
            seen = ClientAddress.Of(context);
            return Task.CompletedTask;
        });
        var context = new DefaultHttpContext { RequestServices = provider };
        context.Connection.RemoteIpAddress = IPAddress.Parse(from);
        context.Request.Headers["X-Forwarded-For"] = header;
        await app.Build()(context);
        return seen;
    }

    private static RefusalLimits.Origin Of(string address, string account)
    {
        var context = new DefaultHttpContext();
        context.Connection.RemoteIpAddress = IPAddress.Parse(address);
        return RefusalLimits.Origin.Of(context, account);
    }

    private sealed class Lines : ILoggerProvider, ILogger
    {
        public List<string> All { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                All.Add(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
