using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Keeps every line that a gateway would write in production: from Information on, by the same filters.</summary>
internal sealed class LoggedLines : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _lines = new();

    public IReadOnlyCollection<string> Lines => _lines;

    public void AddTo(IServiceCollection services)
    {
        services.AddSingleton<ILoggerProvider>(this);
        services.Configure<LoggerFilterOptions>(options =>
        {
            var name = typeof(LoggedLines).FullName!;
            // A rule for one provider stands before those for all: these are taken along.
            foreach (var rule in options.Rules.Where(r => r.ProviderName is null).ToList())
                options.Rules.Add(new LoggerFilterRule(name, rule.CategoryName, rule.LogLevel, rule.Filter));
            options.Rules.Add(new LoggerFilterRule(name, null, LogLevel.Information, null));
        });
    }

    public ILogger CreateLogger(string categoryName) => new Category(categoryName, _lines);

    public void Dispose()
    {
    }

    private sealed class Category(string category, ConcurrentQueue<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue($"{logLevel} {category}: {formatter(state, exception)} {exception}");
    }
}
