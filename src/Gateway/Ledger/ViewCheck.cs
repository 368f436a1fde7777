using System.Runtime.CompilerServices;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Ledger;

/// <summary>A row that opens what the chain does not, or is not what was sealed.</summary>
/// <param name="Table">Its table.</param>
/// <param name="Key">Its key.</param>
/// <param name="Text">What it is here, and what it is there.</param>
public sealed record Contradiction(string Table, string Key, string Text);

/// <summary>
/// Holds every row that decides access against the contracts' state: actors, clients, patients, consents. A row that is stricter here than
/// there is none that contradicts: it may be our own word, which the chain has not yet, and is counted.
/// </summary>
/// <remarks>
/// A page of rows is read with the view's block, and held against the state at that block, which the node must have by its hash. Where it
/// has not, or has the state no more, it is asked at its head: what came in between shows then too, unless the gateway takes it in
/// meanwhile.
/// </remarks>
public sealed class ViewCheck(ViewRows rows, IChain chain, TimeProvider time)
{
    private const int Page = 100;
    private const int AtOnce = 16;
    private const byte Active = 1;
    private int _patience = 3;

    /// <summary>Consents looked at.</summary>
    public long Consents { get; private set; }

    /// <summary>Actors looked at.</summary>
    public long Actors { get; private set; }

    /// <summary>Patients looked at.</summary>
    public long Patients { get; private set; }

    /// <summary>Clients looked at.</summary>
    public long Clients { get; private set; }

    /// <summary>Rows that are stricter here than on the chain.</summary>
    public long Stricter { get; private set; }

    /// <summary>The lowest and the highest block that was asked at; -1: none was.</summary>
    public (long First, long Last) Blocks { get; private set; } = (-1, -1);

    /// <summary>Why the node was asked at its head, and not at the view's block; null: it was not.</summary>
    public string? AtHead { get; private set; }

    /// <summary>Called when some rows are done.</summary>
    public Action? Told { get; set; }

    /// <summary>The rows that contradict the chain.</summary>
    /// <exception cref="RpcUnavailableException">The node cannot be asked.</exception>
    /// <exception cref="RpcException">The node refuses a question at its head.</exception>
    public async IAsyncEnumerable<Contradiction> RunAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var wrong in WalkAsync(rows.ActorsAsync, a => a.Reference, CheckAsync, cancellation)) yield return wrong;
        await foreach (var wrong in WalkAsync(rows.ClientsAsync, c => c.Client, CheckAsync, cancellation)) yield return wrong;
        await foreach (var wrong in WalkAsync(rows.PatientsAsync, p => p.Id, CheckAsync, cancellation)) yield return wrong;
    }

    private async IAsyncEnumerable<Contradiction> WalkAsync<T>(
        Func<string, int, CancellationToken, ValueTask<ViewPage<T>>> read, Func<T, string> key,
        Func<T, long, CancellationToken, Task<Found>> check, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var after = "";
        while (true)
        {
            var page = await read(after, Page, cancellation);
            if (page.Rows.Count == 0) yield break;
            var (all, block, isOfView) = await AskAsync(page, check, cancellation);
            var wrong = all.SelectMany(f => f.Wrong).ToList();
            if (wrong.Count > 0 && !isOfView && _patience-- > 0)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), time, cancellation);
                continue;
            }
            foreach (var found in all) Count(found);
            Blocks = (Blocks.First < 0 ? block : Math.Min(Blocks.First, block), Math.Max(Blocks.Last, block));
            Told?.Invoke();
            foreach (var each in wrong) yield return each;
            after = key(page.Rows[^1]);
        }
    }

    private void Count(Found found)
    {
        (Actors, Clients) = (Actors + found.Actors, Clients + found.Clients);
        (Patients, Consents, Stricter) = (Patients + found.Patients, Consents + found.Consents, Stricter + found.Stricter);
    }

    private async Task<(IReadOnlyList<Found> Found, long Block, bool IsOfView)> AskAsync<T>(
        ViewPage<T> page, Func<T, long, CancellationToken, Task<Found>> check, CancellationToken cancellation)
    {
        var view = page.View;
        if (await HasAsync(view, cancellation))
        {
            try
            {
                var found = await AllAsync(view.Number);
                if (await HasAsync(view, cancellation)) return (found, view.Number, true);
                AtHead = $"the chain was reorganised at block {view.Number}";
            }
            catch (RpcException e)
            {
                AtHead = $"the node does not tell the state at block {view.Number}, where the view is ({e.Text})";
            }
        }
        else
        {
            AtHead = $"the node's chain has no block {view.Number} as the view has it";
        }
        var head = await chain.HeadAsync(cancellation);
        return (await AllAsync(head.Number), head.Number, false);

        async Task<IReadOnlyList<Found>> AllAsync(long block)
        {
            var all = new List<Found>(page.Rows.Count);
            foreach (var some in page.Rows.Chunk(AtOnce)) all.AddRange(await Task.WhenAll(some.Select(r => check(r, block, cancellation))));
            return all;
        }
    }

    private async Task<bool> HasAsync(BlockReference block, CancellationToken cancellation) =>
        block.Number >= 0 && (await chain.BlockAsync(block.Number, cancellation))?.Hash == block.Hash;

    private async Task<Found> CheckAsync(ActorOfView actor, long block, CancellationToken cancellation)
    {
        // The operator has a row and is no actor of the chain.
        var found = new Found { Actors = actor.Kind == ActorKind.None ? 0 : 1 };
        void Wrong(string text) => found.Wrong.Add(new Contradiction("actors", actor.Reference, text));
        if (!actor.IsWhole) Wrong(Broken);
        else if (await chain.ActorAtAsync(Convert.FromHexString(actor.ActorId), block, cancellation) is var there && !actor.IsActive)
            found.Stricter += there.Status == Active ? 1 : 0;
        else if (there.Kind == ActorKind.None) Wrong("is active here, and the chain has no such actor");
        else if (there.Status != Active) Wrong("is active here, and suspended on the chain");
        else if (there.Kind != actor.Kind) Wrong($"is registered as {Text(actor.Kind)} here, and as {Text(there.Kind)} on the chain");
        else if (there.Hospital != actor.HospitalId) Wrong("is of another hospital here than on the chain");
        return found;
    }

    private async Task<Found> CheckAsync(ClientOfView client, long block, CancellationToken cancellation)
    {
        var found = new Found { Clients = 1 };
        void Wrong(string text) => found.Wrong.Add(new Contradiction("bindings", client.Client, text));
        if (!client.IsWhole) Wrong(Broken);
        else if (await chain.ActorOfClientAtAsync(Convert.FromHexString(client.Client), block, cancellation) is not { } there)
            Wrong("is bound here, and to nobody on the chain");
        else if (there != client.ActorId) Wrong("is bound to another actor here than on the chain");
        return found;
    }

    private async Task<Found> CheckAsync(PatientOfView patient, long block, CancellationToken cancellation)
    {
        var found = new Found { Patients = 1, Consents = patient.Consents.Count };
        if (patient.Broken is { } broken)
        {
            found.Wrong.Add(new Contradiction(broken.Table, broken.Key, Broken));
            return found;
        }
        void Wrong(string text) => found.Wrong.Add(new Contradiction("patients", patient.Id, text));
        if (patient.Row is not { } row)
        {
            Wrong("is not there, and has consents");
            return found;
        }
        var key = Convert.FromHexString(row.PatientKey);
        var there = await chain.PatientAtAsync(key, block, cancellation);
        if (there.Controller is not null && there.Custodian != patient.CustodianId) Wrong("has another custodian here than on the chain");
        else if (row.Controller is null) found.Stricter += there.Controller is null ? 0 : 1;
        else if (there.Controller is null) Wrong("is registered here, and the chain has no such patient");
        else if (there.Controller != row.Controller)
            Wrong($"has the wallet 0x{row.Controller} here, and 0x{there.Controller} on the chain");
        foreach (var some in patient.Consents.Chunk(AtOnce))
        {
            var grants = await Task.WhenAll(
                some.Select(c => chain.GrantAtAsync(key, Convert.FromHexString(c.Commitment), block, cancellation)));
            foreach (var (consent, grant) in some.Zip(grants)) Compare(found, consent, grant, there.Epoch);
        }
        return found;
    }

    // One that the view does not have from the chain permits nothing, whatever the chain says.
    private static void Compare(Found found, KeptConsent consent, GrantState grant, ulong epoch)
    {
        var stands = grant.Status == Active && grant.Epoch == epoch;
        if (consent.IsRevoked || consent.GrantedBlock is null) found.Stricter += stands ? 1 : 0;
        else if (!stands) found.Wrong.Add(new Contradiction("consents", consent.Commitment, grant.Status switch
        {
            0 => "stands here, and the chain has no such grant",
            Active => "stands here, and is revoked on the chain with all of its patient before it",
            _ => "stands here, and is revoked on the chain",
        }));
    }

    private const string Broken = "is not what was sealed";

    private static string Text(ActorKind kind) => kind.ToString().ToLowerInvariant();

    private sealed class Found
    {
        public List<Contradiction> Wrong { get; } = [];

        public long Actors { get; init; }

        public long Clients { get; init; }

        public long Patients { get; init; }

        public long Consents { get; init; }

        public long Stricter { get; set; }
    }
}
