using System.Text.RegularExpressions;
using System.Xml.Linq;
using PmrGateway.Gateway.Options;

namespace PmrGateway.Tests.Unit;

public partial class ArchitectureTests
{
    private const int MaxLineLength = 140;
    private const int MaxLines = 400;

    private static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["Fhir"] = [],
        ["Ipfs"] = [],
        ["Mapping"] = ["Fhir"],
        ["Vault"] = ["Mapping"],
        ["LedgerAdapter"] = ["Mapping"],
        ["Store"] = ["Fhir", "LedgerAdapter", "Mapping"],
        ["Gateway"] = ["Fhir", "Mapping", "Vault", "Ipfs", "LedgerAdapter", "Store"],
    };

    // Cli is where a process begins, and Hosting is what it starts; nothing else sees either.
    private static readonly Dictionary<string, string[]> GatewayArrows = new()
    {
        ["Options"] = [],
        ["Content"] = [],
        ["Ledger"] = [],
        ["Flows"] = ["Content", "Ledger", "Options"],
        ["Smart"] = ["Flows", "Options"],
        ["Api"] = ["Content", "Flows", "Ledger", "Options", "Smart"],
        ["Admin"] = ["Flows", "Options", "Smart"],
        ["Hosting"] = ["Admin", "Api", "Content", "Flows", "Ledger", "Options", "Smart"],
        ["Cli"] = ["Hosting", "Ledger", "Options", "Smart"],
    };

    [Fact]
    public void The_folders_of_the_gateway_and_their_arrows_are_those_of_the_design()
    {
        var root = Path.Combine(Vectors.Root, "src", "Gateway");
        var folders = Directory.GetDirectories(root).Select(f => Path.GetFileName(f)).Where(f => f is not ("bin" or "obj")).ToList();
        Assert.Equal([], folders.Except(GatewayArrows.Keys));
        var wrong = new List<string>();
        foreach (var file in folders.SelectMany(f => Directory.GetFiles(Path.Combine(root, f), "*.cs", SearchOption.AllDirectories)))
        {
            var (text, name) = (File.ReadAllText(file), Path.GetRelativePath(root, file));
            var folder = name.Split('/')[0];
            if (!text.Contains($"namespace PmrGateway.Gateway.{folder};", StringComparison.Ordinal))
                wrong.Add($"{name}: its namespace is not its folder's");
            foreach (var other in folders.Where(o => o != folder && !GatewayArrows[folder].Contains(o)))
            {
                // A using, or a type by the rest of its name: inside PmrGateway.Gateway, Api.Read is one.
                var types = Directory.GetFiles(Path.Combine(root, other), "*.cs").Select(f => Path.GetFileNameWithoutExtension(f));
                if (Regex.IsMatch(text, $@"Gateway\.{other}\b|\b{other}\.({string.Join('|', types)})\b")) wrong.Add($"{name} sees {other}");
            }
        }
        Assert.Equal([], wrong);
    }

    [Fact]
    public void The_projects_and_their_arrows_are_those_of_the_design()
    {
        static IEnumerable<string> References(string project) => XDocument.Load(project).Descendants("ProjectReference")
            .Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value));
        var found = Directory.GetFiles(Path.Combine(Vectors.Root, "src"), "*.csproj", SearchOption.AllDirectories)
            .ToDictionary(f => Path.GetFileNameWithoutExtension(f), f => References(f).Order().ToArray());
        Assert.Equal(Arrows.Keys.Order(), found.Keys.Order());
        foreach (var (project, references) in Arrows) Assert.Equal(references.Order(), found[project]);
    }

    [Fact]
    public void Only_the_consent_decision_makes_a_permit() =>
        Assert.Equal(["src/Mapping/Consent/ConsentDecision.cs"], FilesWith(@"\bnew Permit\("));

    [Fact]
    public void Only_the_read_flow_and_the_content_behind_it_open_the_vault()
    {
        Assert.Equal(["src/Gateway/Content/ContentStore.cs", "src/Gateway/Flows/RecordOpener.cs"], FilesWith(@"\bvault\.(Begin)?Open\("));
        Assert.Equal(["src/Gateway/Flows/ReadFlow.cs"], FilesWith(@"\bopener\.OpenAsync\("));
        // Of what the store has opened to look whether a scope reaches it, it is told the search values alone.
        Assert.Equal(["src/Gateway/Hosting/GatewayHost.cs"], FilesWith(@"GetRequiredService<RecordOpener>"));
        Assert.Equal(["src/Gateway/Flows/Reindexing.cs"], FilesWith(@"\bopener\.IndexAsync\("));
        Assert.Equal(["src/Gateway/Flows/BirthDates.cs"], FilesWith(@"\bopener\.BodyAsync\("));
        Assert.Equal(["src/Gateway/Flows/BirthDates.cs", "src/Gateway/Flows/ReadFlow.cs", "src/Gateway/Flows/RecordOpener.cs",
            "src/Gateway/Flows/Reindexing.cs", "src/Gateway/Hosting/FlowServices.cs", "src/Gateway/Hosting/GatewayHost.cs",
            "src/Gateway/Hosting/RetentionReport.cs"], FilesWith(@"\bRecordOpener\b"));
    }

    [Fact]
    public void Ciphers_are_called_in_two_files() =>
        Assert.Equal(["src/Vault/Primitives.cs", "src/Vault/SegmentCipher.cs"], FilesWith(@"\bnew AesGcm\("));

    [Fact]
    public void No_line_is_longer_than_140_characters_and_no_file_longer_than_400_lines()
    {
        var wrong = new List<string>();
        foreach (var file in HandWritten())
        {
            var (name, lines) = (Path.GetRelativePath(Vectors.Root, file), File.ReadAllLines(file));
            if (lines.Length > MaxLines) wrong.Add($"{name} has {lines.Length} lines");
            var tooLong = Enumerable.Range(1, lines.Length).Where(n => lines[n - 1].Length > MaxLineLength).ToList();
            if (tooLong.Count > 0) wrong.Add($"{name}: line {string.Join(", ", tooLong)}");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void Every_file_that_ARCHITECTURE_names_exists()
    {
        var text = File.ReadAllText(Path.Combine(Vectors.Root, "ARCHITECTURE.md"));
        var named = PathInBackticks().Matches(text).Select(m => m.Groups[1].Value).ToList();
        Assert.True(named.Count > 30, $"{named.Count} paths");
        Assert.Equal([], named.Where(n => !File.Exists(Path.Combine(Vectors.Root, n)) && !Directory.Exists(Path.Combine(Vectors.Root, n))));
    }

    [Fact]
    public void Every_configuration_key_is_in_the_documentation()
    {
        var text = File.ReadAllText(Path.Combine(Vectors.Root, "docs", "configuration.md"));
        Assert.Equal([], Keys(typeof(GatewayOptions), "").Where(k => !text.Contains($"`{k}`", StringComparison.Ordinal)));

        static IEnumerable<string> Keys(Type type, string prefix) => type.GetProperties().SelectMany(p =>
            p.PropertyType.Namespace?.StartsWith("PmrGateway", StringComparison.Ordinal) == true
                ? Keys(p.PropertyType, prefix + p.Name + ":")
                : [prefix + p.Name]);
    }

    private static IEnumerable<string> HandWritten()
    {
        string[] roots =
            ["src", "tests", "tools", "bench", "contracts/src", "contracts/test", "contracts/tools", "fhir-profiles/tools", "scripts"];
        string[] kinds = [".cs", ".sql", ".sol", ".ts", ".mjs", ".cjs", ".sh"];
        return roots.Select(r => Path.Combine(Vectors.Root, r)).Where(Directory.Exists)
            .SelectMany(r => Directory.EnumerateFiles(r, "*", SearchOption.AllDirectories))
            .Where(f => kinds.Contains(Path.GetExtension(f)) && !f.EndsWith(".g.cs", StringComparison.Ordinal))
            .Where(f => !f.Split('/').Any(s => s is "bin" or "obj" or "node_modules"));
    }

    private static IEnumerable<string> FilesWith(string pattern) => Directory
        .GetFiles(Path.Combine(Vectors.Root, "src"), "*.cs", SearchOption.AllDirectories)
        .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && Regex.IsMatch(File.ReadAllText(f), pattern))
        .Select(f => Path.GetRelativePath(Vectors.Root, f)).Order();

    [GeneratedRegex("`((?:src|contracts|fhir-profiles|tests|tools|docs|bench)/[A-Za-z0-9_./-]+)`")]
    private static partial Regex PathInBackticks();
}
