using System.CommandLine;
using PmrGateway.Gateway.Ledger;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Gateway.Cli;

/// <summary><c>pmr verify</c>: checks an anchor proof offline, against the record's bytes, and against a chain.</summary>
internal static class VerifyCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "A proof as $anchor-proof gives it" };
        var record = new Option<string?>("--record")
        {
            Description = "The record's bytes as they were read: they must be what the leaf commits to",
        };
        var rpc = new Option<string?>("--rpc") { Description = "JSON-RPC URL of a node: the root must be the one on the chain" };
        var command = new Command("verify", "Check an anchor proof") { file, record, rpc };
        command.SetAction((parsed, cancellation) =>
            RunAsync(parsed.GetValue(file)!, parsed.GetValue(record), parsed.GetValue(rpc), cancellation));
        return command;
    }

    /// <summary>0: all that was asked holds; 1: something does not; 2: it could not be checked.</summary>
    internal static async Task<int> RunAsync(string file, string? record, string? rpc, CancellationToken cancellation)
    {
        try
        {
            var json = await File.ReadAllBytesAsync(file, cancellation);
            if (AnchorProof.TryRead(json, out var problem) is not { } proof) return Say(2, $"{file} is no anchor proof: {problem}");
            if (!proof.Verifies) return Say(1, $"FAILED: leaf {proof.Index} of {proof.Count} is not under the root {Hex.Data(proof.Root)}");
            Say(0, $"ok: {proof.Resource} is leaf {proof.Index} of {proof.Count} under the root {Hex.Data(proof.Root)}");
            if (record is not null)
            {
                if (!proof.Leaf.CommitsTo(await File.ReadAllBytesAsync(record, cancellation)))
                    return Say(1, $"FAILED: {record} does not hold the bytes that the leaf commits to");
                Say(0, $"ok: {record} holds the bytes that the leaf commits to");
            }
            return rpc is null ? 0 : await OnChainAsync(proof, rpc, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or UriFormatException
            or RpcUnavailableException or RpcException)
        {
            return Say(2, $"cannot be checked: {e.Message}");
        }
    }

    private static async Task<int> OnChainAsync(AnchorProof proof, string url, CancellationToken cancellation)
    {
        using var http = new HttpClient { BaseAddress = new Uri(url), Timeout = TimeSpan.FromSeconds(10) };
        var rpc = new JsonRpcClient(http);
        var chain = Hex.Number((await rpc.CallAsync("eth_chainId", [], cancellation)).GetString()!);
        if (chain != proof.ChainId) return Say(1, $"FAILED: the node is of chain {chain}, the proof is of chain {proof.ChainId}");
        var data = AnchorRegistryContract.Verify(
            proof.Custodian, (ulong)proof.Sequence, proof.Leaf.Hash, proof.Index, [.. proof.Path.ToList()]);
        var call = new System.Text.Json.Nodes.JsonObject { ["to"] = Hex.Data(proof.Contract), ["data"] = Hex.Data(data) };
        var answer = (await rpc.CallAsync("eth_call", [call, "latest"], cancellation)).GetString()!;
        return answer.EndsWith('1')
            ? Say(0, $"ok: batch {proof.Sequence} of custodian {Hex.Data(proof.Custodian)} is on chain {chain}")
            : Say(1, $"FAILED: chain {chain} has no such batch with this leaf");
    }

    private static int Say(int code, string text)
    {
        (code == 0 ? Console.Out : Console.Error).WriteLine(text);
        return code;
    }
}
