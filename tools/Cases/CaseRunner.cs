using System.Text.Json.Nodes;

namespace PmrGateway.Tools.Cases;

/// <summary>Runs cases, each with patients and records of its own, one after the other: a permit of one would open another's.</summary>
internal sealed class CaseRunner(Suite suite, Issuer issuer) : IAsyncDisposable
{
    private readonly Dictionary<int, Stage> _stages = [];

    /// <summary>Runs one case.</summary>
    public async Task<CaseResult> RunAsync(CaseSpec spec)
    {
        try
        {
            spec.Check();
            var chain = spec.Chain is { } given ? new ChainCase(given, spec.Now) : null;
            // Where a case is not about depth, a grant counts as soon as it is in a block.
            var stage = await StageAsync(chain?.Finality ?? 0);
            var world = await World.BuildAsync(suite, stage);
            try
            {
                return await RunAsync(spec, chain, world);
            }
            finally
            {
                if (chain is not null) await chain.LeaveAsync(stage);
                await world.LeaveAsync();
                // What waits on the other chains goes on as well.
                foreach (var idle in _stages.Values) await idle.Chain.MineAsync();
            }
        }
        catch (CaseFailed failed)
        {
            return new CaseResult(failed.Message);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // One broken case does not take the others with it, and does not pass.
            return new CaseResult($"it cannot be run: {e.GetType().Name}: {e.Message}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var stage in _stages.Values) await stage.DisposeAsync();
    }

    private async Task<CaseResult> RunAsync(CaseSpec spec, ChainCase? chain, World world)
    {
        var consents = spec.Consents.Select(c => c as JsonObject ?? suite.Consents.GetValueOrDefault(c.ToString())).OfType<JsonObject>()
            .ToList();
        world.Missing.Check(spec, consents);
        var context = new CaseContext(suite, spec, world, TimeShift.Of(spec.Now, consents.SelectMany(TimeShift.Bounds)));
        var actor = context.Actor(spec.Actor);
        foreach (var line in spec.Setup) SetupLines.ReadToken(context, line);
        // A state of the chain does not wait for a setup; a label that is added after the consents must count at once.
        if (chain is not null) foreach (var line in spec.Setup) await SetupLines.RunAsync(context, line);
        if (chain is not null) await chain.PlayAsync(context);
        else
        {
            // What a consent is about is there before it.
            var first = spec.Setup.Where(l => SetupLines.Made(l) is { } made && consents.Exists(c => Names(c, made))).ToList();
            foreach (var line in first) await SetupLines.RunAsync(context, line);
            foreach (var consent in spec.Consents) await context.PostAsync(consent);
            if (context.IsRefusedOnWrite) return new CaseResult(null);
            foreach (var consent in context.Consents) await context.SettleAsync(consent);
            foreach (var line in spec.Setup.Where(l => !first.Contains(l))) await SetupLines.RunAsync(context, line);
        }
        if (context.Unkept is { } unkept && spec.Url.Split('?')[0] == unkept) return new CaseResult(null, context.Note);
        var rest = context.Clock.Moment.AddMilliseconds(100) - TimeProvider.System.GetUtcNow();
        if (rest > TimeSpan.Zero) await Task.Delay(rest);

        var before = await world.Stage.Probe.LastAsync();
        var token = await world.Stage.Cast.TokenAsync(actor, spec.Purposes, context.Token, context.References);
        if (token.Refusal is null) return new CaseResult(await AskAsync(context, token.Token), context.Note);
        return Expectations.IsDenial(spec)
            ? new CaseResult(null, await Expectations.OfRefusalAsync(context, before, token.Refusal))
            : new CaseResult(token.Refusal);
    }

    private static bool Names(JsonObject consent, string reference) =>
        consent.ToJsonString().Contains($"\"{reference}\"", StringComparison.Ordinal);

    private static async Task<string?> AskAsync(CaseContext context, string? token)
    {
        var request = await Requests.BuildAsync(context);
        var effect = await SideEffect.OfAsync(context, request);
        var expectations = new Expectations(context, request, token);
        var before = await context.Stage.Probe.LastAsync();
        var answer = await context.Stage.SendAsync(request, token);
        expectations.OfAnswer(answer);
        await expectations.OfAuditAsync(before);
        await expectations.OfUnknownAsync(answer);
        await expectations.OfReadsAsync();
        if (effect is not null && await effect.DifferenceAsync() is { } changed) expectations.Add(changed);
        return expectations.Differences.Count == 0 ? null : string.Join("; ", expectations.Differences);
    }

    private async Task<Stage> StageAsync(int confirmations)
    {
        if (!_stages.TryGetValue(confirmations, out var stage))
            _stages[confirmations] = stage = await Stage.StartAsync(suite, issuer, confirmations);
        return stage;
    }
}
