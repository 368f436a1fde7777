using System.Diagnostics;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// When the work for a request began: once its body was there. Who sends it decides when that is, and could else choose where in a tick
/// the work ends (<see cref="RefusalPace"/>).
/// </summary>
internal sealed class RequestClock
{
    /// <summary>The instant, as <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public long Began { get; private set; } = Stopwatch.GetTimestamp();

    /// <summary>The clock of a request; null: an entry of a Bundle, which begins now.</summary>
    public static RequestClock Of(HttpRequest? request)
    {
        if (request is null) return new RequestClock();
        if (request.HttpContext.Features.Get<RequestClock>() is { } clock) return clock;
        clock = new RequestClock();
        request.HttpContext.Features.Set(clock);
        return clock;
    }

    /// <summary>Says that the body is there.</summary>
    public static void Restart(HttpRequest request) => Of(request).Began = Stopwatch.GetTimestamp();
}
