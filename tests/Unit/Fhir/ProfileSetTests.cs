using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

public class ProfileSetTests
{
    private const string Url = "http://x.example/StructureDefinition/p";

    private static string Definition(string elements, string url = Url, string type = "Patient", string? above = null) => $$$"""
        {"resourceType":"StructureDefinition","url":"{{{url}}}","name":"P","status":"draft","kind":"resource","abstract":false,
        "type":"{{{type}}}",
        "baseDefinition":"{{{above ?? "http://hl7.org/fhir/StructureDefinition/" + type}}}","derivation":"constraint",
        "differential":{"element":[{"id":"{{{type}}}","path":"{{{type}}}"}{{{elements}}}]}}
        """;

    private static ProfileSet Set(params string[] resources) =>
        ProfileSet.Core(FhirSchema.R4).With(resources.Select(r => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(r)));

    private static string[] Errors(ProfileSet set, string resource, string url = Url) =>
        [.. new Validator(FhirSchema.R4, set).Validate(Documents.Parse(resource), url).Errors.Select(e => $"{e.Expression}: {e.Text}")];

    [Theory]
    [InlineData(
        """,{"id":"Patient.gender","path":"Patient.gender","min":1}""",
        """ "active":true """,
        """ "gender":"male" """,
        "Patient.gender")]
    [InlineData(
        """,{"id":"Patient.name","path":"Patient.name","max":"1"}""",
        """ "name":[{"family":"a"},{"family":"b"}] """,
        """ "name":[{"family":"a"}] """,
        "Patient.name")]
    [InlineData(
        """,{"id":"Patient.gender","path":"Patient.gender","fixedCode":"female"}""",
        """ "gender":"male" """,
        """ "gender":"female" """,
        "Patient.gender")]
    [InlineData(
        """,{"id":"Patient.maritalStatus","path":"Patient.maritalStatus","patternCodeableConcept":{"coding":[{"code":"M"}]}}""",
        """ "maritalStatus":{"coding":[{"code":"S"}]} """,
        """ "maritalStatus":{"coding":[{"system":"u:x","code":"M"}]} """,
        "Patient.maritalStatus")]
    [InlineData(
        """,{"id":"Patient.multipleBirth[x]","path":"Patient.multipleBirth[x]","type":[{"code":"integer"}]}""",
        """ "multipleBirthBoolean":true """,
        """ "multipleBirthInteger":2 """,
        "Patient.multipleBirth")]
    [InlineData(
        """,{"id":"Patient.name.family","path":"Patient.name.family","maxLength":3}""",
        """ "name":[{"family":"abcd"}] """,
        """ "name":[{"family":"abc"}] """,
        "Patient.name[0].family")]
    [InlineData(
        """,{"id":"Patient.birthDate","path":"Patient.birthDate","minValueDate":"1900-01-01"}""",
        """ "birthDate":"1899-12-31" """,
        """ "birthDate":"1900-01-01" """,
        "Patient.birthDate")]
    [InlineData(
        """,{"id":"Patient.gender","path":"Patient.gender","constraint":["""
            + """{"key":"x-1","severity":"error","expression":"$this != 'other'"}]}""",
        """ "gender":"other" """,
        """ "gender":"male" """,
        "Patient.gender")]
    [InlineData(
        """,{"id":"Patient.managingOrganization","path":"Patient.managingOrganization","type":[{"code":"Reference","targetProfile":"""
            + """["http://hl7.org/fhir/StructureDefinition/Practitioner"]}]}""",
        """ "managingOrganization":{"reference":"Organization/1"} """,
        """ "active":true """,
        "Patient.managingOrganization")]
    public void Each_kind_of_rule_refuses_what_it_says_and_lets_the_rest_through(string rule, string wrong, string right, string expression)
    {
        var set = Set(Definition(rule));
        Assert.Contains(
            Errors(set, $"{{\"resourceType\":\"Patient\",{wrong}}}"), e => e.StartsWith(expression + ":", StringComparison.Ordinal));
        Assert.Empty(Errors(set, $"{{\"resourceType\":\"Patient\",{right}}}"));
    }

    private const string Resliced = """
        "max":"*","slicing":{"discriminator":[{"type":"value","path":"use"}],"rules":"open"}
        """;

    private const string Slices = """
        ,{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],
        "rules":"RULES"}},
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
        var errors = Errors(
            Set(Definition(Slices.Replace("RULES", rules, StringComparison.Ordinal))),
            $"{{\"resourceType\":\"Patient\",\"identifier\":{identifiers}}}");
        if (expression.Length == 0) Assert.Empty(errors);
        else Assert.StartsWith(expression + ":", Assert.Single(errors));
    }

    [Fact]
    public void A_differential_says_what_it_derives_from_as_well()
    {
        var set = Set(
            Definition(""",{"id":"Patient.gender","path":"Patient.gender","min":1}"""),
            Definition(
                """,{"id":"Patient.birthDate","path":"Patient.birthDate","min":1}""",
                "http://x.example/StructureDefinition/q",
                above: Url));
        Assert.Equal(2, Errors(set, """{"resourceType":"Patient"}""", "http://x.example/StructureDefinition/q").Length);
    }

    [Theory]
    [InlineData("http://x.example/StructureDefinition/q", "derives from itself")]
    [InlineData(
        "http://x.example/StructureDefinition/missing",
        "derives from http://x.example/StructureDefinition/missing, which is not known")]
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

    [Theory]
    [InlineData(""",{"id":"Patient.nosuch","path":"Patient.nosuch","min":1}""", "element Patient.nosuch: Patient has no such element")]
    [InlineData(""",{"id":"Patient.name","path":"Patient.name","min":5,"max":"2"}""", "min 5 and max 2 cannot both hold")]
    [InlineData(""",{"id":"Patient.name","path":"Patient.name","max":"x"}""", "max is a number or *")]
    [InlineData(""",{"id":"Patient.name","path":"Patient.name","type":[{"code":"Foo"}]}""", "there is no type Foo")]
    [InlineData(""",{"id":"Patient.active","path":"Patient.active","fixedBoolean":true,"patternBoolean":true}""", "two values are fixed")]
    [InlineData(""",{"id":"Patient.active","path":"Patient.active","fixedFoo":true}""", "there is no type Foo for fixedFoo")]
    [InlineData(
        """,{"id":"Patient.gender","path":"Patient.gender","binding":{"strength":"zz","valueSet":"http://x.example/vs"}}""",
        "there is no binding strength zz")]
    [InlineData(
        """,{"id":"Patient.name","path":"Patient.name","constraint":[{"key":"x-1","severity":"error","expression":"given."}]}""",
        "the constraint x-1 is no FHIRPath")]
    [InlineData(
        """,{"id":"Patient.name","path":"Patient.name","constraint":[{"key":"x-1","severity":"error","expression":"nosuch()"}]}""",
        "there is no function nosuch()")]
    [InlineData(
        """,{"id":"Patient.name","path":"Patient.name","constraint":[{"severity":"error","expression":"true"}]}""",
        "a constraint has no key")]
    [InlineData(
        """,{"id":"Patient.name","path":"Patient.name","slicing":{"discriminator":[{"type":"foo","path":"use"}],"rules":"open"}}""",
        "no discriminator of type foo")]
    [InlineData(
        """,{"id":"Patient.name","path":"Patient.name","slicing":{"discriminator":[{"type":"value","path":"use."}],"rules":"open"}}""",
        "element Patient.name: the expression ends too early")]
    [InlineData(
        """,{"id":"Patient.name","path":"Patient.name","slicing":{"discriminator":[{"type":"value","path":"use"}],"rules":"zzz"}}""",
        "slicing is open, closed or openAtEnd")]
    [InlineData(""",{"id":"Patient.name.family","path":"Patient.name.family","maxLength":-5}""", "maxLength is a number from 1")]
    public void A_profile_that_contradicts_itself_is_refused_by_its_canonical_and_place(string rule, string problem)
    {
        var set = Set(Definition(rule));
        Assert.StartsWith(Url, set.Explain(Url));
        Assert.Contains(problem, set.Explain(Url));
        // Also where a resource claims it: an error that names the profile, no exception.
        Assert.Contains(
            Errors(
                set,
                $$$"""{"resourceType":"Patient","meta":{"profile":["{{{Url}}}"]}}""",
                "http://hl7.org/fhir/StructureDefinition/Patient"),
            e => e.Contains(problem, StringComparison.Ordinal));
    }

    [Fact]
    public void A_slice_may_be_sliced_again()
    {
        var open = Slices.Replace("RULES", "open", StringComparison.Ordinal).Replace("\"max\":\"1\"", Resliced, StringComparison.Ordinal);
        var set = Set(Definition(open + """
            ,{"id":"Patient.identifier:mrn/old","path":"Patient.identifier","sliceName":"mrn/old","min":1,"max":"1"},
            {"id":"Patient.identifier:mrn/old.use","path":"Patient.identifier.use","min":1,"fixedCode":"old"}
            """));
        Assert.Empty(Errors(set, """{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"1","use":"old"},"""
            + """{"system":"urn:mrn","value":"2","use":"usual"}]}"""));
        Assert.Contains("identifier:mrn/old", Assert.Single(Errors(set, """{"resourceType":"Patient","identifier":["""
            + """{"system":"urn:mrn","value":"2","use":"usual"},{"system":"urn:x","use":"old"}]}""")));
    }

    [Fact]
    public void A_slice_of_a_choice_is_told_by_its_type()
    {
        var set = Set(Definition("""
            ,{"id":"Communication.payload","path":"Communication.payload","slicing":{"discriminator":[{"type":"type","path":"content"}],
            "rules":"closed"}},
            {"id":"Communication.payload:text","path":"Communication.payload","sliceName":"text","max":"1"},
            {"id":"Communication.payload:text.contentString","path":"Communication.payload.contentString","min":1,
            "type":[{"code":"string"}]}
            """, type: "Communication"));
        Assert.Empty(Errors(set, """{"resourceType":"Communication","status":"completed","payload":[{"contentString":"a"}]}"""));
        Assert.StartsWith(
            "Communication.payload[1]:",
            Assert.Single(Errors(set, """{"resourceType":"Communication","status":"completed","payload":[{"contentString":"a"},"""
                + """{"contentAttachment":{"title":"b"}}]}""")));
    }

    [Fact]
    public void An_element_may_conform_to_a_part_of_another_profile()
    {
        var library = Definition("""
            ,{"id":"Patient.contact","path":"Patient.contact","slicing":{"discriminator":[{"type":"value","path":"gender"}],
            "rules":"open"}},
            {"id":"Patient.contact:mother","path":"Patient.contact","sliceName":"mother"},
            {"id":"Patient.contact:mother.name","path":"Patient.contact.name","min":1},
            {"id":"Patient.contact:mother.gender","path":"Patient.contact.gender","min":1,"fixedCode":"female"}
            """, "http://x.example/StructureDefinition/library");
        var set = Set(library, Definition(""",{"id":"Patient.contact","path":"Patient.contact","type":["""
            + """{"code":"BackboneElement","profile":["http://x.example/StructureDefinition/library"],"_profile":[{"extension":["""
            + """{"url":"http://hl7.org/fhir/StructureDefinition/elementdefinition-profile-element","""
            + """ "valueString":"Patient.contact:mother"}]}]}]}"""));
        Assert.Empty(Errors(set, """{"resourceType":"Patient","contact":[{"name":{"family":"a"},"gender":"female"}]}"""));
        Assert.Contains(Errors(set, """{"resourceType":"Patient","contact":[{"name":{"family":"a"},"gender":"male"}"""
            + """]}"""), e => e.StartsWith("Patient.contact[0].gender:", StringComparison.Ordinal));
    }

    [Fact]
    public void A_rule_inside_a_contained_resource_has_that_as_its_resource()
    {
        var set = Set(Definition("""
            ,{"id":"Patient.contained","path":"Patient.contained","type":[{"code":"Practitioner"}],"constraint":[{"key":"x-1",
            "severity":"error","expression":"%resource is Patient and %context is Practitioner"}]},
            {"id":"Patient.contained.name","path":"Patient.contained.name","constraint":[{"key":"x-2","severity":"error",
            "expression":"%resource is Practitioner and %rootResource is Patient"}]}
            """));
        Assert.Empty(Errors(set, """{"resourceType":"Patient","contained":[{"resourceType":"Practitioner","id":"p","name":["""
            + """{"text":"a"}]}],"generalPractitioner":[{"reference":"#p"}]}"""));
    }

    [Fact]
    public void A_rule_with_a_function_of_Firely_alone_is_evaluated_by_Firely_and_noted_once()
    {
        var set = Set(Definition(""",{"id":"Patient.name","path":"Patient.name","constraint":["""
            + """{"key":"x-1","severity":"error","expression":"coalesce(family, text).exists()"}]}"""));
        var notes = new List<string>();
        var validator = new Validator(FhirSchema.R4, set, new ValidationOptions { Note = notes.Add });
        Assert.Empty(validator.Validate(Documents.Parse("""{"resourceType":"Patient","name":[{"text":"a"},"""
            + """{"family":"b"}]}"""), Url).Errors);
        Assert.Equal("Patient.name[1]", Assert.Single(validator.Validate(Documents.Parse("""{"resourceType":"Patient","name":["""
            + """{"text":"a"},{"given":["b"]}]}"""), Url).Errors).Expression);
        Assert.Contains(Url, Assert.Single(notes));
    }

    [Fact]
    public void A_profile_is_wished_for_of_its_own_type_alone()
    {
        Assert.Contains(
            "is one of Observation",
            Assert.Single(Errors(
                ProfileSet.Core(FhirSchema.R4), """{"resourceType":"Patient"}""", "http://hl7.org/fhir/StructureDefinition/Observation")));
        Assert.Contains(
            "is one of Observation",
            Assert.Single(Errors(
                ProfileSet.Core(FhirSchema.R4), """{"resourceType":"Patient"}""", "http://hl7.org/fhir/StructureDefinition/bmi")));
    }

    [Theory]
    [InlineData("""{"resourceType":"ValueSet","url":"http://x.example/vs","status":"active","compose":"x"}""")]
    [InlineData("""{"resourceType":"ValueSet","url":"http://x.example/vs","status":"active","compose":{"include":[null]}}""")]
    public void A_value_set_that_cannot_be_read_is_named_in_a_warning(string valueSet)
    {
        var set = Set(valueSet, Definition(""",{"id":"Patient.gender","path":"Patient.gender","binding":"""
            + """{"strength":"required","valueSet":"http://x.example/vs"}}"""));
        var report = new Validator(FhirSchema.R4, set).Validate(Documents.Parse("""{"resourceType":"Patient","gender":"male"}"""), Url);
        Assert.Contains(
            report.Issues, i => i.Severity == IssueSeverity.Warning && i.Text.Contains("http://x.example/vs", StringComparison.Ordinal));
    }

    [Fact]
    public void Value_sets_that_include_each_other_without_end_do_end()
    {
        static string Including(int n, string next) =>
            $$$"""{"resourceType":"ValueSet","url":"http://x.example/vs{{{n}}}","status":"active","compose":{"include":[{{{next}}}]}}""";
        string[] doubling = [.. Enumerable.Range(0, 60)
            .Select(n => Including(
                n,
                n == 59
                    ? """{"system":"urn:s","concept":[{"code":"male"}]}"""
                    : string.Join(',', Enumerable.Repeat($$$"""{"valueSet":["http://x.example/vs{{{n + 1}}}"]}""", 2))))];
        Assert.True(Set(doubling).Terminology.Contains("http://x.example/vs0", "urn:s", "male"));
        string[] deep = [.. Enumerable.Range(0, 20_000)
            .Select(n => Including(n, $$$"""{"valueSet":["http://x.example/vs{{{n + 1}}}"]}"""))];
        Assert.Null(Set(deep).Terminology.Contains("http://x.example/vs0", "urn:s", "male"));
    }

    [Fact]
    public void A_claim_of_a_profile_that_is_not_known_is_a_warning_and_a_wish_for_one_an_error()
    {
        var validator = new Validator(FhirSchema.R4);
        var claiming = Documents.Parse("""{"resourceType":"Patient","meta":{"profile":["http://x.example/unknown"]}}""");
        var report = validator.Validate(claiming);
        Assert.True(report.IsValid);
        Assert.Equal(
            IssueSeverity.Warning,
            Assert.Single(report.Issues, i => i.Expression.EndsWith("meta.profile", StringComparison.Ordinal)).Severity);
        Assert.False(validator.Validate(claiming, "http://x.example/unknown").IsValid);
    }

    [Fact]
    public void A_package_is_read_from_its_archive_and_a_broken_one_is_refused()
    {
        using var archive = new MemoryStream();
        using (var gzip = new GZipStream(archive, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(gzip))
        {
            foreach (var (name, text) in new[]
            {
                ("package/p.json", Definition(""",{"id":"Patient.gender","path":"Patient.gender","min":1}""")),
                ("package/package.json", "{}"),
                ("package/example/x.json", "no JSON")
            })
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name)
                {
                    DataStream = new MemoryStream(Encoding.UTF8
                    .GetBytes(text))
                });
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
        var pressure = """{"resourceType":"Observation","meta":{"profile":["http://hl7.org/fhir/StructureDefinition/bp"]"""
            + """},"status":"final","code":{"text":"x"}}""";
        Assert.NotEmpty(Documents.Validate(pressure));
        Assert.Contains(Documents.Validate("""{"resourceType":"Patient","extension":["""
            + """{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueString":"x"}"""
            + """]}"""), i => i.Expression.StartsWith("Patient.extension[0]", StringComparison.Ordinal));
    }
}
