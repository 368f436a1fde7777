using System.Diagnostics;
using System.Text.Json;

namespace PmrGateway.Tests.Unit.Gateway;

/// <summary>The commands over files, as somebody at a shell meets them.</summary>
public sealed class FhirToolTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static (int Exit, string Out, string Error) Pmr(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath()
        };
        start.ArgumentList.Add(typeof(PmrGateway.Gateway.Options.GatewayOptions).Assembly.Location);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.GetAwaiter().GetResult());
    }

    private string File(string name, string content)
    {
        var path = Path.Combine(_folder.Path, name);
        System.IO.File.WriteAllText(path, content);
        return path;
    }

    private static readonly string[] Commands = ["validate", "index", "fhirpath", "convert"];

    private static string[] Arguments(string command, string file) => command switch
    {
        "fhirpath" => ["fhirpath", "id", file],
        "convert" => ["convert", "--to", "xml", file],
        _ => [command, file],
    };

    [Fact]
    public void A_file_that_is_none_is_named_on_stderr_by_every_command()
    {
        foreach (var command in Commands)
        {
            foreach (var file in new[] { Path.Combine(_folder.Path, "none.json"), _folder.Path })
            {
                var (exit, output, error) = Pmr(Arguments(command, file));
                Assert.Equal((1, ""), (exit, output));
                Assert.StartsWith($"pmr: {file}: ", error, StringComparison.Ordinal);
                Assert.Single(error.TrimEnd().Split('\n'));
            }
        }
    }

    [Theory]
    [InlineData("", "the body is empty")]
    [InlineData("\u0001\u0002", "not JSON")]
    [InlineData("{\"resourceType\":\"Nonsense\"}", "is not a resource type")]
    [InlineData("<Patient", "XML")]
    public void A_file_that_is_no_resource_is_invalid_to_validate_and_an_error_to_the_others(string content, string reason)
    {
        var file = File("x.json", content);
        var (exit, output, _) = Pmr("validate", file);
        Assert.Equal(0, exit);
        var line = JsonDocument.Parse(output).RootElement;
        Assert.False(line.GetProperty("valid").GetBoolean());
        Assert.Contains(reason, line.GetProperty("issues")[0].GetProperty("text").GetString());
        Assert.Equal((1, ""), Pmr("index", file) is var (code, text, _) ? (code, text) : default);
    }

    [Fact]
    public void A_verdict_has_its_place_in_the_file()
    {
        var (exit, output, _) = Pmr("validate", File("x.json", "{\n  \"resourceType\": \"Patient\",\n  \"gender\": \"unheard of\"\n}"));
        var issue = JsonDocument.Parse(output).RootElement.GetProperty("issues")[0];
        Assert.Equal(
            (0, "error", "code-invalid", "Patient.gender", 3),
            (
                exit,
                issue.GetProperty("severity").GetString(),
                issue.GetProperty("code").GetString(),
                issue.GetProperty("expression").GetString(),
                issue.GetProperty("line").GetInt32()));
    }

    [Fact]
    public void A_profile_or_package_that_cannot_be_used_is_named_before_any_file_is_read()
    {
        var patient = File("p.json", "{\"resourceType\":\"Patient\"}");
        var broken = File("broken.tgz", "not an archive");
        foreach (var (arguments, reason) in new (string[], string)[]
        {
            (["--profile", "http://x.example/unknown"], "http://x.example/unknown is not known"),
            (["--package", broken], "not a FHIR package"),
            (["--package", Path.Combine(_folder.Path, "none.tgz")], "there is no such file"),
            (["--package", File("bad.json", "{\"resourceType\":\"StructureDefinition\",\"url\":\"http://x.example/bad\","
                + "\"type\":\"Patient\",\"baseDefinition\":\"x\",\"derivation\":\"constraint\","
                + "\"differential\":{\"element\":[{\"id\":\"Patient.x\",\"path\":\"Patient.x\","
                + "\"min\":\"one\"}]}}"), "--profile", "http://x.example/bad"], "http://x.example/bad, element Patient.x"),
        })
        {
            var (exit, output, error) = Pmr(["validate", .. arguments, patient]);
            Assert.Equal((1, ""), (exit, output));
            Assert.Contains(reason, error);
        }
    }

    [Fact]
    public void Values_are_selected_and_indexed_one_json_line_each()
    {
        var patient = File("p.json", "{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"Doe\"}],\"multipleBirthInteger\":2}");
        Assert.Equal("{\"type\":\"string\",\"value\":\"Doe\"}\n{\"type\":\"integer\","
            + "\"value\":2}\n", Pmr("fhirpath", "name.family | multipleBirth", patient).Out);
        Assert.Equal("{\"type\":\"string\",\"value\":\"Doe\"}\n", Pmr("fhirpath", "--engine", "firely", "name.family", patient).Out);
        Assert.Contains("{\"param\":\"family\",\"type\":\"string\",\"value\":\"Doe\"}", Pmr("index", patient).Out);
        var (exit, output, error) = Pmr("fhirpath", "name.(", patient);
        Assert.Equal((1, "", 1), (exit, output, error.TrimEnd().Split('\n').Length));
        var xml = File("p.xml", Pmr("convert", "--to", "xml", patient).Out);
        Assert.Equal("{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"Doe\"}],"
            + "\"multipleBirthInteger\":2}\n", Pmr("convert", "--to", "json", xml).Out);
    }

    [Fact]
    public void The_second_engine_has_an_opinion_of_its_own()
    {
        var file = File("reference.json", """{"resourceType":"Patient","managingOrganization":{"reference":"Practitioner/1"}}""");
        var (native, firely) = (Pmr("validate", file), Pmr("validate", "--engine", "firely", file));
        Assert.Contains("\"valid\":false", native.Out);
        // Firely does not take the type from the reference's text.
        Assert.Equal(0, firely.Exit);
        Assert.Contains("\"valid\":true", firely.Out);
    }
}
