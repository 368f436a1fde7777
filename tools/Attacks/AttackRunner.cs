using System.Reflection;

namespace PmrGateway.Tools.Attacks;

/// <summary>What became of an attack.</summary>
/// <param name="Line">What is printed behind its id; null: nothing.</param>
/// <param name="Passed">Whether the gateway withstood it.</param>
/// <param name="Counts">Whether it counts at all.</param>
internal sealed record AttackResult(string? Line, bool Passed, bool Counts = true);

/// <summary>
/// Plays attacks one after the other on one gateway; one that a gateway did not survive leaves the next one a new gateway.
/// </summary>
internal sealed class AttackRunner(bool verbose) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private static readonly Dictionary<string, Func<Attempt, Task>> Known = typeof(AttackRunner).Assembly.GetTypes()
        .SelectMany(t => t.GetMethods(BindingFlags.Static | BindingFlags.Public))
        .Select(m => (Method: m, m.GetCustomAttribute<PlaysAttribute>()?.Id))
        .Where(m => m.Id is not null)
        .ToDictionary(m => m.Id!, m => m.Method.CreateDelegate<Func<Attempt, Task>>());

    private Stage? _stage;

    public async Task<AttackResult> RunAsync(AttackSpec spec)
    {
        if (!Known.TryGetValue(spec.Id, out var play)) return new AttackResult(": not known to this tool", Passed: false);
        try
        {
            var attempt = new Attempt(await StageAsync());
            await play(attempt).WaitAsync(Patience);
            if (attempt.Checks == 0) return new AttackResult(": nothing was checked", Passed: false);
            if (attempt.Failures.Count == 0) return new AttackResult(null, Passed: true);
            if (verbose) attempt.Failures.ForEach(f => Console.Error.WriteLine("  " + f.ReplaceLineEndings(" ")));
            var others = attempt.Failures.Count == 1 ? "" : $" (and {attempt.Failures.Count - 1} more)";
            return new AttackResult($": {attempt.Failures[0]}{others}", Passed: false);
        }
        catch (NotApplicableException reason)
        {
            return new AttackResult(" not applicable: " + reason.Message, Passed: false, Counts: false);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            if (verbose && _stage is not null) Console.Error.WriteLine(_stage.Said[^Math.Min(_stage.Said.Length, 3000)..]);
            // One attack that cannot be played to its end does not take the others with it, and is not passed.
            await LeaveStageAsync();
            return new AttackResult($": it cannot be played: {e.GetType().Name}: {e.Message}", Passed: false);
        }
    }

    public async ValueTask DisposeAsync() => await LeaveStageAsync();

    private async Task<Stage> StageAsync()
    {
        if (_stage is not null && (_stage.IsSpoiled || !await _stage.IsWellAsync())) await LeaveStageAsync();
        return _stage ??= await Stage.StartAsync();
    }

    private async Task LeaveStageAsync()
    {
        if (_stage is not null) await _stage.DisposeAsync();
        _stage = null;
    }
}
