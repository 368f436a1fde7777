using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using PmrGateway.Tests.Client;

namespace PmrGateway.Bench;

/// <summary>One row of the table: the same request against both servers.</summary>
internal sealed record Workload(string Name, int Concurrency, Func<Task<Answer>> Gateway, Func<Task<Answer>> Floor)
{
    public async Task<Figures> RunAsync(Func<Task<Answer>> request, Process server, double seconds)
    {
        server.Refresh();
        var cpu = server.TotalProcessorTime;
        var start = Stopwatch.GetTimestamp();
        var times = new List<double>[Concurrency];
        await Task.WhenAll(Enumerable.Range(0, Concurrency).Select(i => Task.Run(async () =>
        {
            times[i] = [];
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
            {
                var one = Stopwatch.GetTimestamp();
                var answer = await request();
                if (answer.Status >= 300) throw new InvalidOperationException($"{Name}: {answer.Status} {answer.Text}");
                times[i].Add(Stopwatch.GetElapsedTime(one).TotalMilliseconds);
            }
        })));
        var elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
        server.Refresh();
        var all = times.SelectMany(t => t).Order().ToList();
        return new Figures(all.Count / elapsed, all[all.Count / 2], all[(int)(all.Count * 0.99)], (server.TotalProcessorTime - cpu).TotalSeconds / all.Count * 1000);
    }
}

/// <summary>What was measured of one round.</summary>
internal sealed record Figures(double PerSecond, double P50, double P99, double Cpu)
{
    public static Figures Median(List<Figures> rounds)
    {
        double Middle(Func<Figures, double> of) => rounds.Select(of).Order().ElementAt(rounds.Count / 2);
        return new Figures(Middle(r => r.PerSecond), Middle(r => r.P50), Middle(r => r.P99), Middle(r => r.Cpu));
    }
}

/// <summary>The least that a server on this stack can cost: Kestrel that keeps bytes in memory and gives them back.</summary>
internal static class Floor
{
    public static async Task<int> RunAsync(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}").ConfigureKestrel(k => k.Limits.MaxRequestBodySize = null);
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var kept = new System.Collections.Concurrent.ConcurrentDictionary<string, byte[]>();
        app.MapGet("/ready", () => "ready");
        app.MapGet("/fhir/{name}", (string name) => Results.Bytes(kept[name], "application/fhir+json"));
        app.MapPost("/fhir/{name}", async (string name, HttpRequest request) =>
        {
            using var body = new MemoryStream((int)(request.ContentLength ?? 0));
            await request.Body.CopyToAsync(body);
            kept[name] = body.ToArray();
            return Results.Bytes(kept[name], "application/fhir+json");
        });
        await app.RunAsync();
        return 0;
    }
}

internal static class Ports
{
    public static int Free()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
