using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

public class ProfileSetTests
{
    private const string Url = "http://x.example/StructureDefinition/p";

    private static string Definition(string elements, string url = Url, string type = "Patient", string? above = null) => $$$"""
        {"resourceType":"StructureDefinition","url":"{{{url}}}","name":"P","status":"draft","kind":"resource","abstract":false,"type":"{{{type}}}",
        "baseDefinition":"{{{above ?? "http://hl7.org/fhir/StructureDefinition/" + type}}}","derivation":"constraint","differential":{"element":[{"id":"{{{type}}}","path":"{{{type}}}"}{{{elements}}}]}}
        """;

    private static ProfileSet Set(params string[] resources) => ProfileSet.Core(FhirSchema.R4).With(resources.Select(r => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(r)));

    private static string[] Errors(ProfileSet set, string resource, string url = Url) =>
        [.. new Validator(FhirSchema.R4, set).Validate(Documents.Parse(resource), url).Errors.Select(e => $"{e.Expression}: {e.Text}")];

    [Theory]
    [InlineData(""",{"id":"Patient.gender","path":"Patient.gender","min":1}""", """ "active":true """, """ "gender":"male" """, "Patient.gender")]
    [InlineData(""",{"id":"Patient.name","path":"Patient.name","max":"1"}""", """ "name":[{"family":"a"},{"family":"b"}] """, """ "name":[{"family":"a"}] """, "Patient.name")]
    [InlineData(""",{"id":"Patient.gender","path":"Patient.gender","fixedCode":"female"}""", """ "gender":"male" """, """ "gender":"female" """, "Patient.gender")]
    [InlineData(""",{"id":"Patient.maritalStatus","path":"Patient.maritalStatus","patternCodeableConcept":{"coding":[{"code":"M"}]}}""", """ "maritalStatus":{"coding":[{"code":"S"}]} """, """ "maritalStatus":{"coding":[{"system":"u:x","code":"M"}]} """, "Patient.maritalStatus")]
    [InlineData(""",{"id":"Patient.multipleBirth[x]","path":"Patient.multipleBirth[x]","type":[{"code":"integer"}]}""", """ "multipleBirthBoolean":true """, """ "multipleBirthInteger":2 """, "Patient.multipleBirth")]
    [InlineData(""",{"id":"Patient.name.family","path":"Patient.name.family","maxLength":3}""", """ "name":[{"family":"abcd"}] """, """ "name":[{"family":"abc"}] """, "Patient.name[0].family")]
    [InlineData(""",{"id":"Patient.birthDate","path":"Patient.birthDate","minValueDate":"1900-01-01"}""", """ "birthDate":"1899-12-31" """, """ "birthDate":"1900-01-01" """, "Patient.birthDate")]
    [InlineData(""",{"id":"Patient.gender","path":"Patient.gender","constraint":[{"key":"x-1","severity":"error","expression":"$this != 'other'"}]}""", """ "gender":"other" """, """ "gender":"male" """, "Patient.gender")]
    [InlineData(""",{"id":"Patient.managingOrganization","path":"Patient.managingOrganization","type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Practitioner"]}]}""", """ "managingOrganization":{"reference":"Organization/1"} """, """ "active":true """, "Patient.managingOrganization")]
    public void Each_kind_of_rule_refuses_what_it_says_and_lets_the_rest_through(string rule, string wrong, string right, string expression)
    {
        var set = Set(Definition(rule));
        Assert.Contains(Errors(set, $"{{\"resourceType\":\"Patient\",{wrong}}}"), e => e.StartsWith(expression + ":", StringComparison.Ordinal));
        Assert.Empty(Errors(set, $"{{\"resourceType\":\"Patient\",{right}}}"));
    }

    private const string Slices = """
        ,{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"RULES"}},
        {"id":"Patient.identifier:mrn","path":"Patient.identifier","sliceName":"mrn","min":1,"max":"1"},
        {"id":"Patient.identifier:mrn.system","path":"Patient.identifier.system","min":1,"fixedUri":"urn:mrn"},
        {"id":"Patient.identifier:mrn.value","path":"Patient.identifier.value","min":1}
        """;

    [Theory]
    [InlineData("open", "[{\"system\":\"urn:mrn\",\"value\":\"1\"},{\"system\":\"urn:x\"}]", "")]
    [InlineData("closed", "[{\"system\":\"urn:mrn\",\"value\":\"1\"},{\"system\":\"urn:x\"}]", "Patient.identifier[1]")]
    [InlineData("openAtEnd", "[{\"system\":\"urn:x\"},{\"system\":\"urn:mrn\",\"value\":\"1\"}]", "Patient.identifier[1]")]
    [InlineData("open", "[{\"system\":\"urn:x\"}]", "Patient.identifier")]
    [InlineData("open", "[{\"system\":\"urn:mrn\",\"value\":\"1\"},{\"system\":\"urn:mrn\",\"value\":\"2\"}]", "Patient.identifier")]
    [InlineData("open", "[{\"system\":\"urn:mrn\"}]", "Patient.identifier[0].value")]
    public void A_slice_counts_and_constrains_what_its_discriminator_tells(string rules, string identifiers, string expression)
    {
        var errors = Errors(Set(Definition(Slices.Replace("RULES", rules, StringComparison.Ordinal))), $"{{\"resourceType\":\"Patient\",\"identifier\":{identifiers}}}");
        if (expression.Length == 0) Assert.Empty(errors);
        else Assert.StartsWith(expression + ":", Assert.Single(errors));
    }

    [Fact]
    public void A_differential_says_what_it_derives_from_as_well()
    {
        var set = Set(
            Definition(""",{"id":"Patient.gender","path":"Patient.gender","min":1}"""),
            Definition(""",{"id":"Patient.birthDate","path":"Patient.birthDate","min":1}""", "http://x.example/StructureDefinition/q", above: Url));
        Assert.Equal(2, Errors(set, """{"resourceType":"Patient"}""", "http://x.example/StructureDefinition/q").Length);
    }

    [Theory]
    [InlineData("http://x.example/StructureDefinition/q", "derives from itself")]
    [InlineData("http://x.example/StructureDefinition/missing", "derives from http://x.example/StructureDefinition/missing, which is not known")]
    public void A_differential_without_an_end_of_what_it_derives_from_is_refused_by_name(string above, string problem)
    {
        var set = Set(Definition("", above: above), Definition("", "http://x.example/StructureDefinition/q", above: Url));
        Assert.Contains(Url + " " + problem, set.Explain(Url));
    }

    [Theory]
    [InlineData(""",{"id":"Patient.gender","path":"Patient.gender","min":"one"}""", "element Patient.gender")]
    [InlineData(""",{"id":"Patient.name","path":"Patient.name","slicing":{"discriminator":[{"type":"value"}]}}""", "element Patient.name")]
    public void A_bad_profile_names_its_canonical_and_the_element(string rule, string place)
    {
        var set = Set(Definition(rule));
        var problem = set.Explain(Url)!;
        Assert.Contains(Url, problem);
        Assert.Contains(place, problem);
        Assert.Equal([problem], set.Problems());
    }

    [Fact]
    public void A_claim_of_a_profile_that_is_not_known_is_a_warning_and_a_wish_for_one_an_error()
    {
        var validator = new Validator(FhirSchema.R4);
        var claiming = Documents.Parse("""{"resourceType":"Patient","meta":{"profile":["http://x.example/unknown"]}}""");
        var report = validator.Validate(claiming);
        Assert.True(report.IsValid);
        Assert.Equal(IssueSeverity.Warning, Assert.Single(report.Issues, i => i.Expression.EndsWith("meta.profile", StringComparison.Ordinal)).Severity);
        Assert.False(validator.Validate(claiming, "http://x.example/unknown").IsValid);
    }

    [Fact]
    public void A_package_is_read_from_its_archive_and_a_broken_one_is_refused()
    {
        using var archive = new MemoryStream();
        using (var gzip = new GZipStream(archive, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(gzip))
        {
            foreach (var (name, text) in new[] { ("package/p.json", Definition(""",{"id":"Patient.gender","path":"Patient.gender","min":1}""")), ("package/package.json", "{}"), ("package/example/x.json", "no JSON") })
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)) });
        }
        archive.Position = 0;
        var set = ProfileSet.Core(FhirSchema.R4).With(FhirPackage.Read(archive));
        Assert.Single(Errors(set, """{"resourceType":"Patient"}"""));
        Assert.Throws<InvalidProfileException>(() => FhirPackage.Read(new MemoryStream([1, 2, 3])));
        Assert.Throws<InvalidProfileException>(() => FhirPackage.Read(new MemoryStream(archive.ToArray()[..50])));
    }

    [Fact]
    public void The_profiles_and_extensions_of_the_core_compile_and_are_enforced()
    {
        var core = ProfileSet.Core(FhirSchema.R4);
        Assert.True(core.Urls.Count() > 400);
        Assert.Empty(core.Problems());
        var pressure = """{"resourceType":"Observation","meta":{"profile":["http://hl7.org/fhir/StructureDefinition/bp"]},"status":"final","code":{"text":"x"}}""";
        Assert.NotEmpty(Documents.Validate(pressure));
        Assert.Contains(Documents.Validate("""{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueString":"x"}]}"""), i => i.Expression.StartsWith("Patient.extension[0]", StringComparison.Ordinal));
    }
}
