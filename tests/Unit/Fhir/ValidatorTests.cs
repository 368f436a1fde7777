namespace PmrGateway.Tests.Unit.Fhir;

public class ValidatorTests
{
    [Theory]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"A\",\"given\":[\"B\"]}],\"birthDate\":\"1980-02\","
            + "\"multipleBirthInteger\":2}")]
    [InlineData("{\"resourceType\":\"Patient\",\"name\":[{\"given\":[null,\"B\"],\"_given\":[{\"id\":\"x\"},null]}]}")]
    [InlineData("{\"resourceType\":\"Patient\",\"_birthDate\":{\"extension\":[{\"url\":\"http://x\",\"valueString\":\"unknown\"}]}}")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"contained\":[{\"resourceType\":\"Organization\",\"id\":\"o\",\"name\":\"x\"}],"
            + "\"managingOrganization\":{\"reference\":\"#o\"}}")]
    [InlineData("{\"resourceType\":\"Binary\",\"contentType\":\"text/plain\",\"data\":\"aGk=\"}")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"text\":{\"status\":\"generated\","
            + "\"div\":\"<div xmlns=\\\"http://www.w3.org/1999/xhtml\\\"><kbd>a</kbd><bdo "
            + "dir=\\\"rtl\\\">b</bdo><address>c</address></div>\"}}")]
    [InlineData(
        "{\"resourceType\":\"CareTeam\",\"participant\":[{\"member\":{\"reference\":\"Practitioner/1\"},"
            + "\"onBehalfOf\":{\"reference\":\"Organization/1\"}}]}")]
    public void A_valid_resource_has_no_issue(string json) => Assert.Empty(Documents.Validate(json));

    [Theory]
    [InlineData("{\"resourceType\":\"Patient\",\"nmae\":[]}", "Patient", "'nmae' is not an element of Patient")]
    [InlineData("{\"resourceType\":\"Patint\"}", "", "not a resource type")]
    [InlineData("{\"id\":\"x\"}", "", "resourceType is missing")]
    [InlineData("{\"resourceType\":\"Patient\",\"id\":\"a_b\"}", "Patient.id", "an id has")]
    [InlineData("{\"resourceType\":\"Patient\",\"active\":\"true\"}", "Patient.active", "without quotes")]
    [InlineData("{\"resourceType\":\"Patient\",\"name\":{\"family\":\"x\"}}", "Patient.name", "an array")]
    [InlineData("{\"resourceType\":\"Patient\",\"name\":[{\"family\":[\"x\"]}]}", "Patient.name[0].family", "not an array")]
    [InlineData("{\"resourceType\":\"Patient\",\"name\":[]}", "Patient.name", "not empty")]
    [InlineData("{\"resourceType\":\"Patient\",\"name\":[{}]}", "Patient.name[0]", "not empty")]
    [InlineData("{\"resourceType\":\"Patient\",\"name\":[null]}", "Patient.name[0]", "a HumanName is an object")]
    [InlineData("{\"resourceType\":\"Patient\",\"name\":[{\"given\":[null]}]}", "Patient.name[0].given[0]", "null needs an extension")]
    [InlineData("{\"resourceType\":\"Patient\",\"gender\":\"mail\"}", "Patient.gender", "not in the required value set")]
    [InlineData("{\"resourceType\":\"Patient\",\"birthDate\":\"1980-02-30\"}", "Patient.birthDate", "a date is")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"deceasedBoolean\":true,\"deceasedDateTime\":\"2020\"}",
        "Patient.deceased",
        "one type only")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"managingOrganization\":{\"reference\":\"Practitioner/x\"}}",
        "Patient.managingOrganization",
        "a reference to Practitioner is not allowed")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"communication\":[{\"preferred\":true}]}",
        "Patient.communication[0].language",
        "at least 1")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"text\":{\"status\":\"generated\","
            + "\"div\":\"<div xmlns=\\\"http://www.w3.org/1999/xhtml\\\"><script>x</script></div>\"}}",
        "Patient.text.div",
        "txt-1")]
    [InlineData("{\"resourceType\":\"Binary\",\"contentType\":\"text/plain\",\"data\":\"a*b=\"}", "Binary.data", "base64")]
    [InlineData("{\"resourceType\":\"DocumentReference\",\"status\":\"current\"}", "DocumentReference.content", "at least 1")]
    [InlineData(
        "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"},\"valueQuantity\":{\"value\":\"1\"}}",
        "Observation.value.value",
        "a decimal is a number")]
    [InlineData("{\"resourceType\":\"Patient\",\"maritalStatus\":{\"id\":\"a\"}}", "Patient.maritalStatus", "ele-1")]
    [InlineData("{\"resourceType\":\"Patient\",\"name\":[{\"id\":\"a b\",\"family\":\"x\"}]}", "Patient.name[0].id", "no spaces")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"identifier\":[{\"system\":\"urn:a\\u0000\"}]}",
        "Patient.identifier[0].system",
        "no control character")]
    [InlineData("{\"resourceType\":\"Patient\",\"language\":\"!!\"}", "Patient.language", "BCP 47")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"extension\":[{\"url\":\"http://x\",\"_url\":{\"id\":\"a\"},\"valueString\":\"a\"}]}",
        "Patient.extension[0].url",
        "no extensions")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"extension\":[{\"url\":\"http://x\","
            + "\"valueUuid\":\"urn:uuid:C757873D-EC9A-4326-A141-556F43239520\"}]}",
        "Patient.extension[0].value",
        "lower case")]
    [InlineData(
        "{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"},\"subject\":{\"type\":\"Medication\","
            + "\"display\":\"x\"}}",
        "Observation.subject.type",
        "a reference to Medication is not allowed")]
    [InlineData(
        "{\"resourceType\":\"ChargeItem\",\"status\":\"billable\",\"code\":{\"text\":\"x\"},\"subject\":{\"display\":\"x\"},"
            + "\"priceOverride\":{\"value\":1,\"currency\":\"XYZ1\"}}",
        "ChargeItem.priceOverride.currency",
        "required value set")]
    [InlineData(
        "{\"resourceType\":\"Questionnaire\",\"status\":\"draft\",\"item\":[{\"linkId\":\"1\",\"type\":\"choice\","
            + "\"initial\":[{\"valueString\":\"a\"},{\"valueString\":\"b\"}]}]}",
        "Questionnaire.item[0]",
        "que-13")]
    [InlineData(
        "{\"resourceType\":\"Questionnaire\",\"status\":\"draft\",\"item\":[{\"linkId\":\"1\",\"type\":\"group\","
            + "\"enableWhen\":[{\"question\":\"2\",\"operator\":\"exists\",\"answerBoolean\":true}],\"item\":[{\"linkId\":\"2\","
            + "\"type\":\"string\"}]}]}",
        "Questionnaire.item[0].enableWhen[0].question",
        "its own answer or by one inside it")]
    [InlineData(
        "{\"resourceType\":\"QuestionnaireResponse\",\"status\":\"completed\","
            + "\"questionnaire\":\"http://hl7.org/fhir/ValueSet/administrative-gender\"}",
        "QuestionnaireResponse.questionnaire",
        "is a ValueSet")]
    public void An_issue_names_the_element(string json, string expression, string text)
    {
        var issue = Assert.Single(Documents.Validate(json));
        Assert.Equal(expression, issue.Expression);
        Assert.Contains(text, issue.Text);
    }

    [Fact]
    public void A_string_is_measured_in_characters()
    {
        Assert.Empty(Documents.Validate($$$"""{"resourceType":"Patient","name":[{"text":"{{{new string('é', 1 << 20)}}}"}]}"""));
        Assert.Contains(
            "at most 1048576 characters",
            Assert.Single(Documents
                .Validate($$$"""{"resourceType":"Patient","name":[{"text":"{{{new string('é', (1 << 20) + 1)}}}"}]}""")).Text);
    }

    [Fact]
    public void A_code_system_that_is_not_here_is_a_warning_once()
    {
        var report = new PmrGateway.Fhir.Validator(PmrGateway.Fhir.FhirSchema.R4)
            .Validate(Documents.Parse("""{"resourceType":"Observation","status":"final","code":{"coding":["""
                + """{"system":"http://loinc.org","code":"1-8"},{"system":"http://loinc.org","code":"2-6"}]}}"""));
        Assert.True(report.IsValid);
        Assert.Single(report.Issues, i => i.Text.Contains("http://loinc.org", StringComparison.Ordinal));
    }

    [Fact]
    public void Base64_of_a_hostile_shape_is_refused_in_linear_time()
    {
        var issue = Assert.Single(Documents.Validate("{\"resourceType\":\"Binary\",\"contentType\":\"x/y\","
            + "\"data\":\"" + new string(' ', 500_000) + "!\"}"));
        Assert.Equal("Binary.data", issue.Expression);
    }
}
