using PmrGateway.Fhir;
using PmrGateway.Gateway.Hosting;

namespace PmrGateway.Tests.Unit.Gateway;

public class ProfileTests
{
    private static readonly string Examples = Path.Combine(Vectors.Root, "fhir-profiles", "examples");

    public static TheoryData<string> Valid() =>
        [.. new[] { "valid", "bundles", "documents" }.SelectMany(f => Directory.GetFiles(Path.Combine(Examples, f), "*.json"))
            .Select(f => Path.GetRelativePath(Examples, f))];

    public static TheoryData<string, string> Invalid()
    {
        var data = new TheoryData<string, string>();
        foreach (var line in File.ReadLines(Path.Combine(Examples, "invalid", "expected.tsv")).Skip(1))
            data.Add(line.Split('\t')[0], line.Split('\t')[1]);
        return data;
    }

    [Fact]
    public void Every_invalid_example_is_listed() =>
        Assert.Equal(
            Directory.GetFiles(Path.Combine(Examples, "invalid"), "*.json").Select(f => Path.GetFileName(f)).Order(),
            Invalid().Select(d => (string)d[0]).Order());

    [Theory]
    [MemberData(nameof(Valid))]
    public void A_valid_example_is_valid(string file) => Assert.Empty(Validate(file));

    [Theory]
    [MemberData(nameof(Invalid))]
    public void An_invalid_example_is_refused_at_the_element_that_it_breaks(string file, string expression) =>
        Assert.Contains(expression, Validate(Path.Combine("invalid", file)).Select(i => i.Expression));

    private static IReadOnlyList<ValidationIssue> Validate(string file)
    {
        Assert.True(ResourceDocument.TryParse(File.ReadAllBytes(Path.Combine(Examples, file)), out var document, out _));
        return new Validator(FhirSchema.R4, Profiles.Own).Validate(document!).Errors;
    }
}
