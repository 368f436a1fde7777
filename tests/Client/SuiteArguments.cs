namespace PmrGateway.Tests.Client;

/// <summary>What a tool that plays the suite of a file is told: <c>FILE [--case ID]... [--verbose]</c>.</summary>
/// <param name="File">The file.</param>
/// <param name="Only">Ids of what is played of it; none: all.</param>
/// <param name="IsVerbose">Whether it says on its standard error how long each took.</param>
public sealed record SuiteArguments(string File, IReadOnlyList<string> Only, bool IsVerbose)
{
    /// <summary>Reads them; null: they are others, and the usage was said on the standard error.</summary>
    /// <param name="tool">Name of the tool.</param>
    /// <param name="option">By which option one is chosen, e.g. <c>--case</c>.</param>
    /// <param name="args">The arguments.</param>
    public static SuiteArguments? Read(string tool, string option, string[] args)
    {
        var rest = args.Where(a => a != "--verbose").ToList();
        var only = new List<string>();
        while (rest.IndexOf(option) is >= 0 and var at && at + 1 < rest.Count)
        {
            only.Add(rest[at + 1]);
            rest.RemoveRange(at, 2);
        }
        if (rest is [var file]) return new SuiteArguments(file, only, args.Contains("--verbose"));
        Console.Error.WriteLine($"usage: {tool} FILE [{option} ID]... [--verbose]");
        return null;
    }

    /// <summary>Whether something of the file is played.</summary>
    public bool Takes(string id) => Only.Count == 0 || Only.Contains(id);
}
