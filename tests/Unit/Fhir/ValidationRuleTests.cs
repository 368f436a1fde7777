using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

/// <summary>Rules that look at more than one element, each with what it refuses and what it lets through.</summary>
public class ValidationRuleTests
{
    private const string Core = "http://hl7.org/fhir/StructureDefinition/";

    private static string Observation(string more) =>
        $$"""{"resourceType":"Observation","status":"final","code":{"text":"x"},{{more}}}""";

    private static string Extended(string type, string name, string value, string more = "", string place = "extension") =>
        $$"""{"resourceType":"{{type}}",{{more}}"{{place}}":[{"url":"{{Core}}{{name}}",{{value}}}]}""";

    private static void Refuses(string json, string text) =>
        Assert.Contains(Documents.Validate(json), issue => issue.Text.Contains(text, StringComparison.Ordinal));

    private static void Accepts(string json) => Assert.Empty(Documents.Validate(json));

    [Theory]
    [InlineData("\"linkId\":\"2\",\"type\":\"display\",\"required\":true", "que-6")]
    [InlineData("\"linkId\":\"2\",\"type\":\"group\"", "que-1")]
    [InlineData("\"linkId\":\"2\",\"type\":\"display\",\"code\":[{\"code\":\"a\"}]", "que-3")]
    public void The_rules_of_an_item_hold_for_the_items_in_it(string inner, string key) => Refuses(
        $$$"""{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[{{{{inner}}}}]}]}""", key);

    [Fact]
    public void The_rules_of_a_parameter_hold_for_the_parts_in_it()
    {
        Refuses("""{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"b"}]}]}""", "inv-1");
        Accepts("""{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"b","valueCode":"c"}]}]}""");
    }

    [Fact]
    public void The_rules_of_an_answered_item_hold_for_the_items_in_it() => Refuses(
        """
        {"resourceType":"QuestionnaireResponse","status":"completed","item":[{"linkId":"1","item":[
        {"linkId":"2","answer":[{"valueString":"a"}],"item":[{"linkId":"3"}]}]}]}
        """,
        "qrs-1");

    [Theory]
    [InlineData("Vital Signs", false)]
    [InlineData("  vital   signs", false)]
    [InlineData("Something else", true)]
    public void A_display_that_is_none_of_its_system_is_a_warning_and_an_error_where_that_is_asked_for(string display, bool isWrong)
    {
        const string System = "http://terminology.hl7.org/CodeSystem/observation-category";
        var document = Documents.Parse(Observation(
            $$"""
            "category":[{"coding":[{"system":"{{System}}","code":"vital-signs","display":"{{display}}"}]}]
            """));
        var report = new Validator(FhirSchema.R4).Validate(document);
        Assert.True(report.IsValid);
        Assert.Equal(isWrong, report.Issues.Any(i => i.Expression.EndsWith(".display", StringComparison.Ordinal)));
        var strict = new Validator(FhirSchema.R4, options: new ValidationOptions { RefusesWrongDisplays = true });
        Assert.Equal(!isWrong, strict.Validate(document).IsValid);
    }

    [Fact]
    public void A_display_in_another_language_than_English_is_not_refused()
    {
        var strict = new Validator(FhirSchema.R4, options: new ValidationOptions { RefusesWrongDisplays = true });
        var report = strict.Validate(Documents.Parse(
            """
            {"resourceType":"Patient","language":"de-AT","maritalStatus":{"coding":[
            {"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M","display":"verheiratet"}]}}
            """));
        Assert.True(report.IsValid);
    }

    [Fact]
    public void A_value_set_of_a_package_may_call_a_code_by_a_name_of_its_own()
    {
        const string Set = """
            {"resourceType":"ValueSet","url":"http://x.example/vs","status":"draft","compose":{"include":[
            {"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","concept":[{"code":"M","display":"Wed"}]}]}}
            """;
        var profiles = ProfileSet.Core(FhirSchema.R4).With([System.Text.Encoding.UTF8.GetBytes(Set)]);
        var validator = new Validator(FhirSchema.R4, profiles, new ValidationOptions { RefusesWrongDisplays = true });
        string Married(string display) => $$"""
            {"resourceType":"Patient","maritalStatus":{"coding":[
            {"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M","display":"{{display}}"}]} }
            """;
        Assert.True(validator.Validate(Documents.Parse(Married("Wed"))).IsValid);
        Assert.True(validator.Validate(Documents.Parse(Married("Married"))).IsValid);
        Assert.False(validator.Validate(Documents.Parse(Married("Single"))).IsValid);
    }

    [Theory]
    [InlineData("""{"system":"http://hl7.org/fhir/ValueSet/administrative-gender","code":"male"}""", "not a value set")]
    [InlineData("""{"system":"http://hl7.org/fhir/administrative-gender","code":"neither"}""", "is no code of")]
    [InlineData("""{"system":"gender","code":"male"}""", "an absolute URI")]
    public void A_coding_is_of_a_code_system_that_has_its_code(string coding, string text) =>
        Refuses(Observation($$"""
            "valueCodeableConcept":{"coding":[{{coding}}]}
            """), text);

    [Theory]
    [InlineData("""{"system":"http://x.example/ValueSet/of-codes","code":"a"}""")]
    [InlineData("""{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"of-a-later-version"}""")]
    [InlineData("""{"system":"http://hl7.org/fhir/administrative-gender","version":"5.0.0","code":"later"}""")]
    public void What_a_later_version_of_a_system_may_have_is_not_refused(string coding) =>
        Accepts(Observation($$"""
            "valueCodeableConcept":{"coding":[{{coding}}]}
            """));

    [Fact]
    public void The_system_of_an_identifier_is_absolute()
    {
        Refuses("""{"resourceType":"Patient","identifier":[{"system":"mrn","value":"1"}]}""", "the system of an Identifier");
        Accepts("""{"resourceType":"Patient","identifier":[{"system":"urn:x:mrn","value":"1"}]}""");
    }

    [Theory]
    [InlineData("1")]
    [InlineData("Practi/1")]
    [InlineData("patient/1")]
    [InlineData("/Patient/1")]
    [InlineData("Patient/a b")]
    [InlineData("Patient/1/_history")]
    public void A_relative_reference_is_a_type_and_an_id(string reference) =>
        Refuses(Observation($"\"subject\":{{\"reference\":\"{reference}\"}}"), "of the form Type/id");

    [Theory]
    [InlineData("Patient/1")]
    [InlineData("Patient/1/_history/2")]
    [InlineData("http://x.example/fhir/Patient/1")]
    [InlineData("urn:uuid:c757873d-ec9a-4326-a141-556f43239520")]
    [InlineData("Patient?identifier=a")]
    public void Other_references_are_let_through(string reference) =>
        Accepts(Observation($"\"subject\":{{\"reference\":\"{reference}\"}}"));

    [Fact]
    public void An_extension_that_is_no_modifier_does_not_stand_among_them()
    {
        Refuses(Extended("Patient", "originalText", "\"valueString\":\"a\"", place: "modifierExtension"), "is no modifier");
        Refuses(
            """{"resourceType":"ServiceRequest","status":"draft","intent":"plan","subject":{"display":"a"},"extension":["""
                + """{"url":"http://hl7.org/fhir/StructureDefinition/request-doNotPerform","valueBoolean":true}]}""",
            "is a modifier");
    }

    [Theory]
    [InlineData("Patient", "observation-bodyPosition", "\"valueCodeableConcept\":{\"text\":\"a\"}")]
    [InlineData("Patient", "regex", "\"valueString\":\"a\"")]
    [InlineData("Patient", "structuredefinition-explicit-type-name", "\"valueString\":\"a\"")]
    public void An_extension_stands_where_its_definition_says(string type, string name, string value) =>
        Refuses(Extended(type, name, value), "does not belong here");

    private static ProfileSet WithExtension(string context, string more = "") =>
        ProfileSet.Core(FhirSchema.R4).With([System.Text.Encoding.UTF8.GetBytes(
        $$"""
        {"resourceType":"StructureDefinition","url":"http://x.example/e","name":"E","status":"draft","kind":"complex-type","abstract":false,
        "type":"Extension","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Extension","derivation":"constraint",
        "context":[{"type":"element","expression":"{{context}}"}],{{more}}
        "differential":{"element":[{"id":"Extension","path":"Extension"},
        {"id":"Extension.url","path":"Extension.url","fixedUri":"http://x.example/e"}]} }
        """)]);

    [Theory]
    [InlineData("Patient.name.family", true)]
    [InlineData("Patient.contact.name.family", false)]
    [InlineData("HumanName.family", true)]
    [InlineData("string", true)]
    [InlineData("Practitioner.name.family", false)]
    public void The_context_of_an_extension_may_lead_through_datatypes(string context, bool isValid)
    {
        var patient = Documents.Parse(
            """
            {"resourceType":"Patient","name":[{"family":"A","_family":{"extension":[{"url":"http://x.example/e","valueString":"a"}]}}]}
            """);
        Assert.Equal(isValid, new Validator(FhirSchema.R4, WithExtension(context)).Validate(patient).IsValid);
    }

    [Fact]
    public void An_extension_may_say_by_a_rule_what_it_stands_on()
    {
        var set = WithExtension("Patient", """ "contextInvariant":["active = true"], """);
        string Patient(bool active) => $$"""
            {"resourceType":"Patient","active":{{(active ? "true" : "false")}},"extension":[{"url":"http://x.example/e","valueString":"a"}]}
            """;
        Assert.True(new Validator(FhirSchema.R4, set).Validate(Documents.Parse(Patient(true))).IsValid);
        Assert.False(new Validator(FhirSchema.R4, set).Validate(Documents.Parse(Patient(false))).IsValid);
    }

    [Fact]
    public void A_canonical_that_is_a_fragment_names_what_is_contained_and_of_its_kind()
    {
        static string Plan(string fragment) => $$$"""
            {"resourceType":"PlanDefinition","status":"draft","contained":[{"resourceType":"Library","id":"l","status":"draft",
            "type":{"text":"x"}},{"resourceType":"Group","id":"g","type":"person","actual":true,"name":"n"}],
            "library":["{{{fragment}}}"],"subjectReference":{"reference":"#g"},"relatedArtifact":[{"type":"depends-on","resource":"#l"}]}
            """;
        Accepts(Plan("#l"));
        Refuses(Plan("#g"), "a reference to Group is not allowed here");
        var report = new Validator(FhirSchema.R4).Validate(Documents.Parse(Plan("#x")));
        Assert.Contains(report.Issues, i => i.Text.Contains("nothing is contained", StringComparison.Ordinal));
    }

    private static string Document(string entries) => $$$"""
        {"resourceType":"Bundle","type":"document","identifier":{"system":"urn:a","value":"b"},"timestamp":"2024-01-01T00:00:00Z","entry":[
        {"fullUrl":"http://x.example/Composition/c","resource":{"resourceType":"Composition","id":"c","status":"final","type":{"text":"x"},
        "date":"2024","author":[{"reference":"Organization/o"}],"title":"t"}},
        {"fullUrl":"http://x.example/Organization/o","resource":{"resourceType":"Organization","id":"o","name":"n"}}{{{entries}}}]}
        """;

    [Theory]
    [InlineData("""{"fullUrl":"http://x.example/Patient/p","resource":{"resourceType":"Patient","id":"p"}}""", false)]
    [InlineData(
        """{"fullUrl":"http://x.example/Patient/p","resource":{"resourceType":"Patient","id":"p","managingOrganization":"""
            + """{"reference":"Organization/o"}}}""",
        true)]
    [InlineData("""{"fullUrl":"http://x.example/Binary/b","resource":{"resourceType":"Binary","id":"b","contentType":"text/css"}}""", true)]
    [InlineData(
        """{"fullUrl":"http://x.example/Binary/b","resource":{"resourceType":"Binary","id":"b","contentType":"text/plain"}}""",
        false)]
    public void A_document_holds_only_what_its_composition_leads_to(string entry, bool isValid)
    {
        Accepts(Document(""));
        if (isValid) Accepts(Document("," + entry));
        else Refuses(Document("," + entry), "leads to");
    }

    [Theory]
    [InlineData("collection", "", false)]
    [InlineData("searchset", ""","search":{"mode":"match"}""", false)]
    [InlineData("searchset", ""","search":{"mode":"outcome"}""", true)]
    [InlineData("transaction", ""","request":{"method":"POST","url":"Patient"}""", true)]
    public void An_entry_has_a_full_url_save_where_there_is_none_yet(string type, string more, bool isValid)
    {
        var bundle = $$"""{"resourceType":"Bundle","type":"{{type}}","entry":[{"resource":{"resourceType":"Patient"}{{more}} }]}""";
        if (isValid) Accepts(bundle);
        else Refuses(bundle, "has a fullUrl");
    }

    [Theory]
    [InlineData("a <b>bold</b> word", false)]
    [InlineData("<script>x</script>", false)]
    [InlineData("x <y and y< z", true)]
    [InlineData("1 < 2 > 0", true)]
    public void A_text_with_a_tag_is_refused_where_that_is_asked_for(string text, bool isValid)
    {
        var validator = new Validator(FhirSchema.R4, options: new ValidationOptions { RefusesTagsInTexts = true });
        string Value(string type) =>
            $$"""{"resourceType":"Basic","code":{"text":"x"},"extension":[{"url":"http://x.example/e","value{{type}}":"{{text}}"}]}""";
        Assert.Equal(isValid, validator.Validate(Documents.Parse(Value("String"))).IsValid);
        Assert.Equal(isValid, validator.Validate(Documents.Parse(Value("Markdown"))).IsValid);
    }
}
