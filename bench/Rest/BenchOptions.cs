using System.Globalization;

namespace PmrGateway.Bench.Rest;

/// <summary>What to measure, and of which build.</summary>
internal sealed record BenchOptions
{
    public const string Usage = """
        pmr-bench [growth] [--only ROW,ROW] [--rounds N] [--seconds S] [--pmr PATH] [--size N] [--documents N]
          growth     what grows with the data: slow, and not in the default part
          --only     these rows alone
          --rounds   rounds of which the median is taken; default 3
          --seconds  length of a round; default 2
          --pmr      the pmr.dll to run; default: this repository's Release build
          --size     resources of the growth part; default 200000
          --documents  of them each patient has so many; default 19
        """;

    public bool Growth { get; private set; }

    public IReadOnlySet<string> Only { get; private set; } = new HashSet<string>();

    public int Rounds { get; private set; } = 3;

    public double Seconds { get; private set; } = 2;

    public string Pmr { get; private set; } = Path.Combine(Root, "src", "Gateway", "bin", "Release", "net10.0", "pmr.dll");

    public int Size { get; private set; } = 200_000;

    public int Documents { get; private set; } = 19;

    /// <summary>URL of the chain that the large gateway of the growth part is on; null: a development chain of its own.</summary>
    public string? Chain { get; private set; }

    /// <summary>The repository's root: where the solution is.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The floor, built beside this program.</summary>
    public static string Floor { get; } = Path.Combine(Root, "bench", "Floor", "bin", "Release", "net10.0", "pmr-floor.dll");

    /// <summary>The options; null where the arguments are not understood.</summary>
    /// <exception cref="BenchException">There is no build to run.</exception>
    public static BenchOptions? Read(string[] args)
    {
        var options = new BenchOptions();
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] == "growth") options.Growth = true;
            else if (i + 1 == args.Length || !options.Set(args[i], args[++i])) return null;
        }
        return File.Exists(options.Pmr) ? options : throw new BenchException($"there is no {options.Pmr}: make gateway builds it");
    }

    public bool Wants(string row) => Only.Count == 0 || Only.Contains(row);

    private bool Set(string name, string value)
    {
        switch (name)
        {
            case "--only":
                Only = value.Split(',', StringSplitOptions.RemoveEmptyEntries).ToHashSet();
                return Only.Count > 0;
            case "--rounds":
                Rounds = Number(value);
                return Rounds > 0;
            case "--seconds":
                Seconds = double.TryParse(value, CultureInfo.InvariantCulture, out var seconds) ? seconds : 0;
                return Seconds > 0;
            case "--size":
                Size = Number(value);
                return Size >= 1000;
            case "--documents":
                Documents = Number(value);
                return Documents is > 0 and < 100;
            case "--chain":
                Chain = value;
                return Uri.IsWellFormedUriString(value, UriKind.Absolute);
            case "--pmr":
                Pmr = Path.GetFullPath(value);
                return true;
            default:
                return false;
        }
    }

    private static int Number(string text) => int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "PmrGateway.sln"))) return folder.FullName;
        throw new BenchException("this program runs from the repository: PmrGateway.sln is not above " + AppContext.BaseDirectory);
    }
}

/// <summary>Something is not as it must be, so that nothing can be measured.</summary>
internal sealed class BenchException(string message) : Exception(message);
