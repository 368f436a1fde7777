// What leaks where, asked of a gateway of its own: a row a way to ask, a column a state of consent, a cell the bytes that leaked.
using PmrGateway.Tools.ConsentReport;

var folder = Directory.CreateTempSubdirectory("pmr-consent-report-").FullName;
try
{
    await using var stage = await Stage.StartAsync(folder);
    return await Report.RunAsync(stage, Console.Out) ? 0 : 1;
}
catch (InvalidOperationException e)
{
    Console.Error.WriteLine("pmr-consent-report: " + e.Message);
    return 1;
}
finally
{
    Directory.Delete(folder, recursive: true);
}
