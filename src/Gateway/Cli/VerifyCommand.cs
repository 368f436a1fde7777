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
            Description = "The record's bytes as they were read: they must be what the leaf commits to"
        };
        var rpc = new Option<string?>("--rpc") { Description = "JSON-RPC URL of a node: the root must be the one on the chain" };
        var command = new Command("verify", "Check an anchor proof") { file, record, rpc, VerifyAuditCommand.Create() };
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
            if (!proof.Verifies) return Say(1, $"FAILED: leaf {proof.Index} of {proof.Count} is not under the root {Hex(proof.Root)}");
            Say(0, $"ok: {proof.Resource} is leaf {proof.Index} of {proof.Count} under the root {Hex(proof.Root)}");
            if (record is not null)
            {
                if (!proof.Leaf.CommitsTo(await File.ReadAllBytesAsync(record, cancellation)))
                    return Say(1, $"FAILED: {record} does not hold the bytes that the leaf commits to");
                Say(0, $"ok: {record} holds the bytes that the leaf commits to");
            }
            return rpc is null ? 0 : await OnChainAsync(proof, rpc, cancellation);
        }
        catch (WrongChainException e)
        {
            return Say(1, $"FAILED: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or UriFormatException
            or RpcUnavailableException or RpcException)
        {
            return Say(2, $"cannot be checked: {e.Message}");
        }
    }

    private static async Task<int> OnChainAsync(AnchorProof proof, string url, CancellationToken cancellation)
    {
        var chain = LedgerServices.ChainOf(url, proof.ChainId, ContractSet.OfAnchors(proof.Contract));
        return await chain.VerifyAsync(proof.Custodian, proof.Sequence, proof.Leaf.Hash, proof.Index, proof.Path, cancellation)
            ? Say(0, $"ok: batch {proof.Sequence} of custodian {Hex(proof.Custodian)} is on chain {proof.ChainId}")
            : Say(1, $"FAILED: chain {proof.ChainId} has no such batch with this leaf");
    }

    private static string Hex(byte[] bytes) => "0x" + Convert.ToHexStringLower(bytes);

    private static int Say(int code, string text)
    {
        (code == 0 ? Console.Out : Console.Error).WriteLine(text);
        return code;
    }
}
