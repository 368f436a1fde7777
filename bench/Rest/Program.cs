// The load of bench/README.md: the gateway as in production beside F, the floor, request kinds in turn, one line a row.
using System.Runtime.InteropServices;
using PmrGateway.Bench.Rest;

using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => ServerProcess.KillAll());
using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => ServerProcess.KillAll());
if (args is [SilentGateway.Command, .. var settings])
{
    await SilentGateway.RunAsync(settings);
    return 0;
}
var folder = Directory.CreateTempSubdirectory("pmr-bench-").FullName;
try
{
    if (BenchOptions.Read(args) is not { } options)
    {
        Console.Error.WriteLine(BenchOptions.Usage);
        return 2;
    }
    var report = new Report();
    Report.Header(options);
    await (options.Growth ? GrowthPart.RunAsync(options, report, folder) : RestPart.RunAsync(options, report, folder));
    report.CheckAllTried(options.Only);
    return report.HasFailures ? 1 : 0;
}
catch (BenchException e)
{
    Console.Error.WriteLine("FAILED: " + e.Message);
    return 1;
}
finally
{
    Directory.Delete(folder, recursive: true);
}
