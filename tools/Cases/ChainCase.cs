using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Tools.Cases;

/// <summary>
/// A case's state of the chain, made on the gateway's own: blocks are mined as deep as the case says, and taken away again.
/// </summary>
internal sealed partial class ChainCase
{
    // Where a case says no other finality.
    private const int UsualFinality = 12;

    private static readonly string[] Known =
        ["grant", "revoke", "head", "finality", "reorgDepth", "rpcHead", "highWater", "expires", "rpc"];

    private readonly JsonObject _chain;

    public ChainCase(JsonObject chain)
    {
        _chain = chain;
        // How long a node is down is beyond every limit here.
        foreach (var name in chain.Select(m => m.Key).Except(Known).Where(n => !IsDown || !OfTime().IsMatch(n)))
            throw CaseFailed.NotUnderstood("chain." + name);
        if (chain["rpc"] is { } rpc && !IsDown) throw CaseFailed.NotApplicable($"chain.rpc '{rpc}'");
        foreach (var text in new[] { Grant, Revoke }.OfType<string>())
            if (!Block().IsMatch(text) && text is not ("absent" or "pending" or "signer mismatch" or "none"))
                throw CaseFailed.NotApplicable($"chain '{text}'");
    }

    /// <summary>Blocks on top of a grant before it counts.</summary>
    public int Finality => (int?)_chain["finality"] ?? UsualFinality;

    private string? Grant => (string?)_chain["grant"];

    private string? Revoke => (string?)_chain["revoke"];

    private bool IsDown => _chain["rpc"]?.ToString() is { } rpc && Down().IsMatch(rpc);

    private bool IsLagging => _chain["rpcHead"] is not null && (long)_chain["rpcHead"]! < ((long?)_chain["highWater"] ?? long.MaxValue);

    /// <summary>Loads the case's consents and makes the chain what the case says.</summary>
    public async Task PlayAsync(CaseContext context)
    {
        var node = context.Stage.Chain;
        if ((string?)_chain["expires"] is { } expires)
        {
            await ExpireAsync(context, expires);
            return;
        }
        var before = IsOrphaned(Grant) ? await node.SnapshotAsync() : null;
        var wallet = new WrongWallet(context);
        foreach (var consent in context.Spec.Consents)
        {
            if (Grant == "signer mismatch") await wallet.PostAsync(consent);
            else await context.PostAsync(consent);
        }
        if (Grant is "absent" or "none" or "pending" or "signer mismatch") return;
        await GrantAsync(context);
        if (before is not null) await ForgetAsync(context, before);
        await RevokeAsync(context);
        if (!IsDown) return;
        await node.SetRunningAsync(false);
        await Task.Delay(Stage.MaxStaleness + TimeSpan.FromSeconds(2));
    }

    /// <summary>Gives the chain back as others need it.</summary>
    public async Task LeaveAsync(Stage stage)
    {
        if (IsDown) await stage.Chain.SetRunningAsync(true);
        // Whatever the chain has lost is there again, and the head is beyond what was seen of it.
        for (var i = 0; i < 15; i++)
        {
            await stage.Chain.MineAsync();
            await Task.Delay(100);
        }
    }

    private async Task GrantAsync(CaseContext context)
    {
        var depth = DepthOf(Grant);
        if (depth is null || depth >= Finality)
        {
            foreach (var consent in context.Consents) await context.SettleAsync(consent);
            return;
        }
        foreach (var consent in context.Consents.Where(c => c.Id.Length > 0))
            await context.StatusAsync(consent, a => CaseContext.Status(a) is "granted" or "confirmed");
        await context.Stage.Chain.MineAsync((int)depth);
        await LevelAsync(context);
    }

    private async Task RevokeAsync(CaseContext context)
    {
        if (Revoke is null or "none" or "absent") return;
        var node = context.Stage.Chain;
        var before = IsOrphaned(Revoke) || IsLagging ? await node.SnapshotAsync() : null;
        foreach (var consent in context.Consents.Where(c => c.Id.Length > 0)) await context.RevokeAsync(consent);
        if (Revoke == "pending") return;
        foreach (var consent in context.Consents.Where(c => c.Id.Length > 0))
        {
            var status = await context.StatusAsync(consent, a => a.Text.Contains("\"block\"", StringComparison.Ordinal));
            if (!status.Text.Contains("\"block\"", StringComparison.Ordinal))
                throw new CaseFailed("the revocation does not come onto the chain: " + status.Text);
        }
        if (before is not null) await ForgetAsync(context, before);
        else await node.MineAsync((int)Math.Min(DepthOf(Revoke) ?? 0, 30));
        if (!IsLagging) await LevelAsync(context);
    }

    // The chain goes back. A node that lags stays there; after a reorganisation there are other blocks, and more of them.
    private async Task ForgetAsync(CaseContext context, string snapshot)
    {
        var node = context.Stage.Chain;
        var head = await node.HeadAsync();
        await node.RevertAsync(snapshot);
        if (!IsLagging)
            while (await node.HeadAsync() <= head) await node.MineAsync();
        // The gateway has looked at it.
        await Task.Delay(300);
    }

    // The grant is on the chain and its end comes by time alone: the end is set a little ahead, and waited for.
    private static async Task ExpireAsync(CaseContext context, string expires)
    {
        var node = context.Stage.Chain;
        var end = context.Clock.Move(DateTimeOffset.Parse(expires, CultureInfo.InvariantCulture));
        if (end <= context.Clock.Moment)
        {
            // A grant that is over by the chain's own clock is not taken, so the chain's clock is waited for.
            while (await node.AheadAsync() is { TotalSeconds: > 1 } ahead) await Task.Delay(ahead);
            end = TimeProvider.System.GetUtcNow().AddSeconds(8);
        }
        foreach (var consent in context.Spec.Consents)
        {
            await context.PostAsync(consent, (body, _) =>
            {
                if (body["provision"]!["period"] is not JsonObject) body["provision"]!["period"] = new JsonObject();
                body["provision"]!["period"]!["end"] = end.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
                return Task.FromResult(body);
            });
        }
        foreach (var consent in context.Consents) await context.SettleAsync(consent);
        if (end > context.Clock.Moment.AddMinutes(1)) return;
        // A period's end is its whole second.
        var rest = end.AddSeconds(1.2) - TimeProvider.System.GetUtcNow();
        if (rest > TimeSpan.Zero) await Task.Delay(rest);
        await node.MineAsync();
        await LevelAsync(context);
    }

    private static async Task LevelAsync(CaseContext context)
    {
        var (view, head) = (context.Stage.Service<ConsentView>(), await context.Stage.Chain.HeadAsync());
        for (var i = 0; view.Block < head && i < 100; i++) await Task.Delay(50);
    }

    private static bool IsOrphaned(string? text) => text?.Contains("orphaned", StringComparison.Ordinal) == true;

    // How many blocks are on top; null: as many as are asked for.
    private long? DepthOf(string? text) => text is not null && Block().Match(text) is { Success: true } m && _chain["head"] is { } head
        ? (long)head - long.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture)
        : null;

    [GeneratedRegex(@"^block (\d+)(?: \(orphaned\))?$")]
    private static partial Regex Block();

    [GeneratedRegex("stale|down|since|limit|seconds|minutes", RegexOptions.IgnoreCase)]
    private static partial Regex OfTime();

    [GeneratedRegex(@"down|unreachable|no answer|timeout", RegexOptions.IgnoreCase)]
    private static partial Regex Down();
}
