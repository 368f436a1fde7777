using System.Globalization;
using System.Text.Json.Nodes;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Tools.Cases;

/// <summary>
/// A case's state of the chain, made on the gateway's own: blocks are mined as deep as the case says, and taken away again.
/// </summary>
internal sealed class ChainCase
{
    // Where a case says no other finality.
    private const int UsualFinality = 12;

    private static readonly string[] Known =
        ["grant", "revoke", "regrant", "head", "finality", "reorgDepth", "rpcHead", "highWater", "expires"];

    private readonly JsonObject _chain;
    private readonly ChainMark? _grant;
    private readonly ChainMark? _revoke;
    private readonly ChainMark? _regrant;
    private readonly long? _head;
    private readonly Outage? _outage;
    private StoredConsents? _stored;

    /// <summary>Reads what a case says of the chain.</summary>
    /// <param name="chain">That.</param>
    /// <param name="now">The case's now.</param>
    public ChainCase(JsonObject chain, DateTimeOffset now)
    {
        _chain = chain;
        if (chain.ContainsKey("rpcs")) throw CaseFailed.NotApplicable("chain.rpcs: a gateway has one node");
        if (chain.ContainsKey("chainId")) throw CaseFailed.NotApplicable("chain.chainId: a node stays on its chain");
        foreach (var name in chain.Select(m => m.Key).Except(Known))
            if (!Outage.Knows(name) && !ChainMark.IsHash(name)) throw CaseFailed.NotUnderstood("chain." + name);
        foreach (var (name, value) in chain) CheckShape(name, value);
        (_grant, _revoke, _regrant) = (ChainMark.Of(chain, "grant"), ChainMark.Of(chain, "revoke"), ChainMark.Of(chain, "regrant"));
        foreach (var (name, value) in chain)
            if (ChainMark.IsHash(name)) _grant = (_grant ?? new ChainMark()).WithHash(name, value?.ToString() ?? "");
        foreach (var (name, mark) in new[] { ("revoke", _revoke), ("regrant", _regrant) })
            if (mark is { IsOfOtherSigner: true } or { IsOfOtherHash: true } or { IsChanged: true })
                throw CaseFailed.NotApplicable($"chain.{name} '{chain[name]}'");
        // What is granted in a later block than it was revoked in is granted anew.
        if (_regrant is null && _grant?.Block > _revoke?.Block) (_grant, _regrant) = (null, _grant);
        var head = chain["head"]?.ToString();
        if (head is not (null or "unknown"))
            _head = long.TryParse(head, CultureInfo.InvariantCulture, out var number)
                ? number
                : throw CaseFailed.NotUnderstood($"chain.head '{head}'");
        if (chain["reorgDepth"] is not null && _grant?.IsOrphaned != true && _revoke?.IsOrphaned != true && _regrant?.IsOrphaned != true)
            throw CaseFailed.NotUnderstood("chain.reorgDepth of nothing that a reorganisation takes away");
        if (chain["highWater"] is not null && chain["rpcHead"] is null) throw CaseFailed.NotUnderstood("chain.highWater without rpcHead");
        _outage = Outage.Of(chain, now);
    }

    /// <summary>Blocks on top of a grant before it counts.</summary>
    public int Finality => (int?)_chain["finality"] ?? UsualFinality;

    private bool IsLagging => _chain["rpcHead"] is not null && (long)_chain["rpcHead"]! < ((long?)_chain["highWater"] ?? long.MaxValue);

    /// <summary>Loads the case's consents and makes the chain what the case says.</summary>
    public async Task PlayAsync(CaseContext context)
    {
        if ((string?)_chain["expires"] is { } expires) await ExpireAsync(context, expires);
        else if (await GiveAsync(context, _grant))
        {
            await RevokeAsync(context);
            if (_regrant is not null) await GiveAsync(context, _regrant);
        }
        if (_grant?.IsChanged == true)
        {
            _stored = new StoredConsents(context.Stage);
            await _stored.WidenAsync(context.Consents);
        }
        if (_outage is not null) await _outage.PlayAsync(context.Stage);
    }

    /// <summary>Gives the chain back as others need it.</summary>
    public async Task LeaveAsync(Stage stage)
    {
        if (_outage is { Answers: false }) await stage.Chain.SetRunningAsync(true);
        if (_stored is not null) await _stored.RestoreAsync();
        // Whatever the chain has lost is there again, and the head is beyond what was seen of it.
        for (var i = 0; i < 15; i++)
        {
            await stage.Chain.MineAsync();
            await Task.Delay(100);
        }
    }

    private static void CheckShape(string name, JsonNode? value)
    {
        var isOfShape = name switch
        {
            "finality" or "reorgDepth" or "rpcHead" or "highWater" => value is JsonValue number && number.TryGetValue<long>(out _),
            "expires" => value is JsonValue instant
                && DateTimeOffset.TryParse(instant.ToString(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out _),
            _ => value is JsonValue,
        };
        if (value is not null && !isOfShape) throw CaseFailed.NotUnderstood($"chain.{name} {value.ToJsonString()}");
    }

    // The consents are posted, and their grants go where the case has them; false: they are on no block that stays.
    private async Task<bool> GiveAsync(CaseContext context, ChainMark? mark)
    {
        var before = mark?.IsOrphaned == true ? await context.Stage.Chain.SnapshotAsync() : null;
        var (wallets, given) = (new WalletGrants(context), context.Consents.Count);
        foreach (var consent in context.Spec.Consents)
        {
            if (mark?.IsOfOtherSigner == true) await wallets.PostOfOtherSignerAsync(consent);
            else if (mark?.IsOfOtherHash == true) await wallets.PostOfOtherHashAsync(consent);
            else await context.PostAsync(consent);
        }
        if (mark is { IsAbsent: true } or { IsPending: true } or { IsOfOtherSigner: true } or { IsOfOtherHash: true }) return false;
        var taken = context.Consents.Skip(given).Where(c => c.Id.Length > 0).ToList();
        await GrantAsync(context, taken, ChainMark.Depth(mark?.Block, _head));
        if (before is null) return true;
        await ForgetAsync(context, before);
        if (mark?.Again is { } again) await GrantAsync(context, taken, ChainMark.Depth(again, _head));
        return true;
    }

    private async Task GrantAsync(CaseContext context, List<LoadedConsent> consents, long? depth)
    {
        if (depth is null || depth >= Finality)
        {
            foreach (var consent in consents) await context.SettleAsync(consent);
            return;
        }
        foreach (var consent in consents)
            await context.StatusAsync(consent, a => CaseContext.Status(a) is "granted" or "confirmed");
        await context.Stage.Chain.MineAsync((int)depth);
        await LevelAsync(context);
    }

    private async Task RevokeAsync(CaseContext context)
    {
        if (_revoke is null or { IsAbsent: true }) return;
        var node = context.Stage.Chain;
        var before = _revoke.IsOrphaned || IsLagging ? await node.SnapshotAsync() : null;
        var standing = context.Consents.Where(c => c.Id.Length > 0).ToList();
        foreach (var consent in standing) await context.RevokeAsync(consent);
        if (_revoke.IsPending) return;
        foreach (var consent in standing) await RevokedAsync(context, consent);
        if (before is null) await node.MineAsync((int)Math.Min(ChainMark.Depth(_revoke.Block, _head) ?? 0, 30));
        else await ForgetAsync(context, before);
        if (_revoke.Again is not null) foreach (var consent in standing) await RevokedAsync(context, consent);
        if (!IsLagging) await LevelAsync(context);
    }

    private static async Task RevokedAsync(CaseContext context, LoadedConsent consent)
    {
        var status = await context.StatusAsync(consent, a => a.Text.Contains("\"block\"", StringComparison.Ordinal));
        if (!status.Text.Contains("\"block\"", StringComparison.Ordinal))
            throw new CaseFailed("the revocation does not come onto the chain: " + status.Text);
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
}
