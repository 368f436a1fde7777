using System.Diagnostics;
using PmrGateway.Tests.Client.Nodes;
using PmrGateway.Tools.LedgerFaults;

// pmr-ledger-faults [--node anvil|ganache|ethereumjs] [--fault TEXT]: what can go wrong with a chain, played on a gateway over HTTP.
var (nodes, only) = (TestNode.Names, "");
for (var i = 0; i < args.Length; i += 2)
{
    if (i + 1 < args.Length && args[i] == "--node" && TestNode.Names.Contains(args[i + 1])) nodes = [args[i + 1]];
    else if (i + 1 < args.Length && args[i] == "--fault") only = args[i + 1];
    else
    {
        Console.Error.WriteLine("pmr-ledger-faults [--node anvil|ganache|ethereumjs] [--fault words of its name]");
        return 2;
    }
}

var (run, total, violations) = (0, 0, 0);
foreach (var name in nodes)
{
    await using var stage = await FaultStage.StartAsync(name);
    foreach (var fault in Faults.All.Where(f => f.Name.Contains(only, StringComparison.OrdinalIgnoreCase)))
    {
        if (fault.Applies?.Invoke(stage.Node) == false)
        {
            Console.WriteLine($"{name}: {fault.Name}: not played, this node cannot");
            continue;
        }
        total++;
        var start = Stopwatch.GetTimestamp();
        stage.Violations.Clear();
        try
        {
            await fault.PlayAsync(stage);
            stage.Proxy.Recover();
            if (fault != Faults.All[^1]) await stage.HealsAsync();
            run++;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            stage.Violations.Add($"it could not be played to its end: {e.Message}");
            stage.Proxy.Recover();
        }
        violations += stage.Violations.Count;
        var (outcome, seconds) = (stage.Violations.Count == 0 ? "held" : "VIOLATED", Stopwatch.GetElapsedTime(start).TotalSeconds);
        Console.WriteLine($"{name}: {fault.Name}: {outcome} ({seconds:F0} s)");
        foreach (var violation in stage.Violations) Console.WriteLine($"    {violation}");
    }
}
Console.WriteLine($"LEDGER FAULTS {run}/{total}, violations {violations}");
return violations == 0 && run == total ? 0 : 1;
