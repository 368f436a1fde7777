using System.Text;
using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

public class PatchCostTests
{
    private static readonly ResourceLimits Small = new(MaxBytes: 10_000);

    private static PatchResult Patch(string document, string patch, ResourceLimits? limits = null, PatchBudget? budget = null) =>
        ResourcePatch.Apply(
            Documents.Parse(document),
            patch[0] == '[' ? PatchFormat.JsonPatch : PatchFormat.FhirPathPatch,
            Encoding.UTF8.GetBytes(patch),
            limits,
            budget);

    private static string Operations(string operation, int count) => $"[{string.Join(',', Enumerable.Repeat(operation, count))}]";

    private static string Replace(int count, params string[] paths) =>
        $$"""{"resourceType":"Parameters","parameter":[{{string.Join(',', Enumerable.Range(0, count).Select(i => $$$"""
            {"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"{{{paths[i % paths.Length]}}}"},
            {"name":"value","valueString":"x"}]}
            """))}}]}""";

    private static string Notes(int count, int length = 20) =>
        $$"""{"resourceType":"Observation","note":[{{string.Join(',', Enumerable.Range(0, count).Select(i =>
            $$"""{"text":"{{i.ToString().PadLeft(length, 'n')}}"}"""))}}]}""";

    [Fact]
    public void What_a_patch_makes_is_no_larger_than_a_resource_may_be()
    {
        var text = new string('x', 3000);
        var document = $$"""{"resourceType":"Patient","name":[{"text":"{{text}}"}]}""";
        var copy = """{"op":"copy","from":"/name/0","path":"/name/-"}""";
        var copies = Assert.Single(Patch(document, Operations(copy, 4), Small).Issues);
        Assert.Equal((IssueCode.TooLong, "operation 4: more than 10000 bytes are copied"), (copies.Code, copies.Text));
        var copied = Assert.Single(Patch(document, Operations(copy, 3), Small).Issues);
        Assert.Equal((IssueCode.TooLong, "what comes out is larger than 10000 bytes"), (copied.Code, copied.Text));
        Assert.NotNull(Patch(document, Operations(copy, 2), Small).Document);
        var added = Patch(document, Operations($$$"""{"op":"add","path":"/name/-","value":{"text":"{{{text}}}"}}""", 3), Small);
        Assert.Equal(IssueCode.TooLong, Assert.Single(added.Issues).Code);
        var byPath = Patch(document, Replace(3, "Patient.name[0].text").Replace("\"x\"", $"\"{text}{text}{text}{text}\""), Small);
        Assert.Equal(IssueCode.TooLong, Assert.Single(byPath.Issues).Code);
        Assert.StartsWith("operation 1: ", Assert.Single(byPath.Issues).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_patches_of_one_request_take_from_one_budget()
    {
        var document = $$"""{"resourceType":"Patient","name":[{"text":"{{new string('x', 3000)}}"}]}""";
        var (copy, budget) = ("""[{"op":"copy","from":"/name/0","path":"/name/-"}]""", new PatchBudget());
        for (var i = 0; i < 3; i++) Assert.NotNull(Patch(document, copy, Small, budget).Document);
        Assert.Equal(IssueCode.TooLong, Assert.Single(Patch(document, copy, Small, budget).Issues).Code);
        var notes = Notes(1000);
        var refused = 0;
        for (var i = 0; i < 10; i++)
            refused += Patch(notes, Replace(50, "Observation.note[1].text"), null, budget).Document is null ? 1 : 0;
        Assert.InRange(refused, 1, 9);
    }

    [Fact]
    public void Moves_take_as_long_as_what_is_moved_is_told_apart_once()
    {
        var document = $$$"""{"resourceType":"Patient","a":{"x":[{{{string.Join(',', Enumerable.Repeat("{\"b\":1}", 200_000))}}}]}}""";
        var there = """{"op":"move","from":"/a","path":"/b"},{"op":"move","from":"/b","path":"/a"}""";
        TimeSpan Take(int count)
        {
            var began = OnProcessor();
            Assert.NotNull(Patch(document, Operations(there, count)).Document);
            return OnProcessor() - began;
        }
        Take(1);
        var (one, many) = (Take(1), Take(500));
        Assert.True(many < one * 5 + TimeSpan.FromMilliseconds(500), $"2 moves {one}, 1000 moves {many}");
    }

    [Fact]
    public void What_moves_nest_too_deep_is_refused()
    {
        string Nested(string name, int depth) => string.Concat(Enumerable.Repeat($"{{\"{name}\":", depth)) + "1" + new string('}', depth);
        var document = $$"""{"resourceType":"Patient","a":{{Nested("n", 60)}},"b":{{Nested("n", 60)}},"c":{{Nested("n", 60)}}}""";
        var bottom = string.Concat(Enumerable.Repeat("/n", 59));
        var patch = $$"""[{"op":"move","from":"/b","path":"/a{{bottom}}/m"},{"op":"move","from":"/a","path":"/c{{bottom}}/m"}]""";
        Assert.Contains("nested too deep", Assert.Single(Patch(document, patch).Issues).Text);
    }

    // Each takes seconds where nothing ends it.
    [Theory]
    [InlineData(4, "Observation.note.where((%resource.note.text|%resource.note.text).first() = text).first().text")]
    [InlineData(4, "Observation.note.where((note.text|%resource.note.text).count() = 0)[0].text")]
    [InlineData(4, "Observation.note.where(iif(true, %resource).note.text.first() = text).text")]
    [InlineData(1000, "%resource.note.where(text = %resource.note.text.first()).text")]
    [InlineData(1000, "Observation.note.text[0]")]
    [InlineData(4, "%resource.note.select(%resource.descendants()).where($this is Period)")]
    [InlineData(4, "%resource.note.text.join('').matches('^(?=([n0-9]|nn)+x)')")]
    [InlineData(4, "%resource.note.where(%resource.note.supersetOf(note | $this)).text")]
    [InlineData(4, "%resource.note.where(%resource.note.sort(-text).exists())[0].text")]
    [InlineData(4, "%resource.note.where(iif(true, %resource).note.exclude($this).sort(text).exists())[0].text")]
    public void A_patch_whose_expressions_cost_too_much_is_refused_in_under_a_second_of_the_processor(int count, string path)
    {
        var notes = Notes(3000);
        var began = OnProcessor();
        var issue = Assert.Single(Patch(notes, Replace(count, path)).Issues);
        Assert.Equal(IssueCode.TooCostly, issue.Code);
        Assert.InRange(OnProcessor() - began, TimeSpan.Zero, TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void Copies_that_cost_too_much_are_refused_in_under_a_second_of_the_processor()
    {
        var document = """{"resourceType":"Patient","x":[[[[[[[[[[1]]]]]]]]]]}""";
        var began = OnProcessor();
        var issue = Assert.Single(Patch(document, Operations("""{"op":"copy","from":"/x","path":"/x/-"}""", 1000)).Issues);
        Assert.Equal(IssueCode.TooCostly, issue.Code);
        Assert.InRange(OnProcessor() - began, TimeSpan.Zero, TimeSpan.FromSeconds(1));
    }

    // Of this thread alone: others run beside it.
    private static TimeSpan OnProcessor() =>
        TimeSpan.FromMicroseconds(long.Parse(File.ReadAllText("/proc/thread-self/schedstat").Split(' ')[0]) / 1000);

    [Fact]
    public void A_patch_ends_when_its_request_does()
    {
        var left = new CancellationToken(canceled: true);
        foreach (var (format, patch) in ((PatchFormat, string)[])
            [
                (PatchFormat.JsonPatch, """[{"op":"add","path":"/active","value":true}]"""),
                (PatchFormat.FhirPathPatch, Replace(1, "Patient.id")),
            ])
        {
            Assert.Throws<OperationCanceledException>(() => ResourcePatch.Apply(
                Documents.Parse("""{"resourceType":"Patient","id":"a"}"""), format, Encoding.UTF8.GetBytes(patch), cancellation: left));
        }
    }

    [Fact]
    public void An_ordinary_patch_of_a_thousand_operations_is_within_its_budget()
    {
        var result = Patch(Notes(50), Replace(
            1000, "Observation.note[7].text", "Observation.note.where(text.startsWith('nn') or text = 'x').last().text"));
        Assert.Empty(result.Issues);
    }
}
