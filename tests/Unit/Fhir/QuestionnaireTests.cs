using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

/// <summary>Answers against the questionnaire that they name; what it says may be malformed itself.</summary>
public class QuestionnaireTests
{
    private static string Response(string question, string items, string status = "completed", string title = "")
    {
        const string Meta = """ "resourceType":"Questionnaire","id":"q","status":"active" """;
        return $$"""
            {"resourceType":"QuestionnaireResponse","status":"{{status}}","questionnaire":"#q",
            "contained":[{{{Meta}}{{title}},"item":[{{{question}}}]}],"item":[{{items}}]}
            """;
    }

    private static string Answers(params string[] answers) =>
        $$"""{"linkId":"1","answer":[{{string.Join(',', answers.Select(a => $"{{{a}}}"))}}]}""";

    private static string Extended(string type, string name, string value) => $$"""
        "linkId":"1","type":"{{type}}","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/{{name}}",{{value}}}]
        """;

    public static TheoryData<string, string> Malformed => new()
    {
        { Extended("string", "questionnaire-maxOccurs", "\"valueInteger\":99999999999"), "\"valueString\":\"a\"" },
        { Extended("string", "questionnaire-minOccurs", "\"valueInteger\":\"x\""), "\"valueString\":\"a\"" },
        { Extended("string", "questionnaire-minOccurs", "\"valueInteger\":{}"), "\"valueString\":\"a\"" },
        { """ "linkId":"1","type":"string","maxLength":1e3 """, "\"valueString\":\"a\"" },
        { """ "linkId":"1","type":"string","maxLength":"a" """, "\"valueString\":\"a\"" },
        { Extended("string", "minLength", "\"valueInteger\":1.5"), "\"valueString\":\"a\"" },
        { Extended("string", "regex", "\"valueString\":[]"), "\"valueString\":\"a\"" },
        { Extended("string", "regex", "\"valueString\":\"(\""), "\"valueString\":\"a\"" },
        { Extended("decimal", "maxDecimalPlaces", "\"valueInteger\":true"), "\"valueDecimal\":1.55" },
        { Extended("decimal", "minValue", "\"valueQuantity\":{\"value\":1}"), "\"valueDecimal\":1.55" },
        { Extended("quantity", "minValue", "\"valueDecimal\":1"), "\"valueQuantity\":{\"value\":1}" },
        { Extended("boolean", "minValue", "\"valueInteger\":1"), "\"valueBoolean\":true" },
        { Extended("boolean", "minValue", "\"valueBoolean\":true"), "\"valueBoolean\":true" },
        { Extended("attachment", "maxSize", "\"valueDecimal\":1e400"), "\"valueAttachment\":{\"size\":{}}" },
        { Extended("choice", "questionnaire-optionExclusive", "\"valueBoolean\":1"), "\"valueCoding\":{\"code\":[]}" },
        { Extended("quantity", "questionnaire-unitValueSet", "\"valueCanonical\":{}"), "\"valueQuantity\":{\"code\":{}}" },
        {
            """ "linkId":"1","type":"boolean","enableWhen":[{"question":"1","operator":">","answerBoolean":true}] """,
            "\"valueBoolean\":true"
        },
        { """ "linkId":"1","type":"string","enableWhen":[{"question":[],"operator":{},"answerQuantity":[]}] """, "\"valueString\":{}" },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void What_a_malformed_questionnaire_asks_is_a_finding_and_no_failure(string question, string answer)
    {
        var report = new Validator(FhirSchema.R4).Validate(Documents.Parse(Response(question, Answers(answer))));
        Assert.All(report.Issues, issue => Assert.NotEmpty(issue.Text));
    }

    private const string Two = """ "linkId":"1","type":"string","text":"Name?"},{"linkId":"2","type":"string" """;

    public static TheoryData<string, string, string> Refused => new()
    {
        { Two, """{"linkId":"2","answer":[{"valueString":"b"}]},{"linkId":"1","answer":[{"valueString":"a"}]}""", "in the order" },
        { Two, """{"linkId":"1","text":"Age?","answer":[{"valueString":"b"}]}""", "the text of the item" },
        { Two, """{"linkId":"3","answer":[{"valueString":"b"}]}""", "has no item '3'" },
        { Two, """{"linkId":"1","answer":[{"valueInteger":1}]}""", "is not a integer" },
        { Extended("decimal", "maxDecimalPlaces", "\"valueInteger\":1"), Answers("\"valueDecimal\":1.55"), "at most 1 decimal" },
        {
            Extended("quantity", "minValue", "\"valueQuantity\":{\"value\":1}"),
            Answers("\"valueQuantity\":{\"value\":2}"),
            "cannot be compared"
        },
        { Extended("date", "minValue", "\"valueDate\":\"2020-01-01\""), Answers("\"valueDate\":\"2019-01-01\""), "below the least" },
        { Extended("date", "maxValue", "\"valueDate\":\"2020-01-01\""), Answers("\"valueDate\":\"2021-01-01\""), "above the greatest" },
        { """ "linkId":"1","type":"string","maxLength":2 """, Answers("\"valueString\":\"abc\""), "at most 2 characters" },
        { Extended("string", "minLength", "\"valueInteger\":2"), Answers("\"valueString\":\"a\""), "at least 2 characters" },
        { Extended("string", "regex", "\"valueString\":\"^[a-c]+$\""), Answers("\"valueString\":\"d\""), "not of the form" },
        {
            """ "linkId":"1","type":"choice","answerOption":[{"valueCoding":{"code":"a"}}] """,
            Answers("\"valueCoding\":{\"code\":\"b\"}"),
            "none of the options"
        },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void An_answer_that_the_questionnaire_does_not_allow_is_refused(string question, string items, string text) =>
        Assert.Contains(Documents.Validate(Response(question, items)), issue => issue.Text.Contains(text, StringComparison.Ordinal));

    public static TheoryData<string, string> Accepted => new()
    {
        { Two, """{"linkId":"1","text":"Name?","answer":[{"valueString":"a"}]},{"linkId":"2","answer":[{"valueString":"b"}]}""" },
        { Two, """{"linkId":"1"},{"linkId":"2"}""" },
        {
            """
            "linkId":"1","type":"string","required":true,"enableWhen":[{"question":"2","operator":"exists","answerBoolean":true}]},
            {"linkId":"2","type":"string"
            """,
            """{"linkId":"1"}"""
        },
        {
            """
            "linkId":"1","type":"string","text":"Name?","_text":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/translation",
            "extension":[{"url":"lang","valueCode":"de"},{"url":"content","valueString":"Wie?"}]}]}
            """,
            """{"linkId":"1","text":"Wie?","answer":[{"valueString":"a"}]}"""
        },
        {
            """ "linkId":"1","type":"choice","answerOption":[{"valueCoding":{"code":"a"}}] """,
            Answers("\"valueCoding\":{\"system\":\"u:x\",\"code\":\"a\"}")
        },
        { Extended("decimal", "maxDecimalPlaces", "\"valueInteger\":1"), Answers("\"valueDecimal\":1.5e10") },
    };

    [Theory]
    [MemberData(nameof(Accepted))]
    public void An_answer_that_the_questionnaire_allows_is_accepted(string question, string items) =>
        Assert.Empty(Documents.Validate(Response(question, items)));

    [Theory]
    [InlineData("a", true)]
    [InlineData("b", false)]
    public void A_value_set_inside_the_questionnaire_says_what_may_be_chosen(string code, bool isValid)
    {
        const string Set = """
            {"resourceType":"ValueSet","url":"http://x.example/vs","status":"draft","id":"vs",
            "compose":{"include":[{"system":"http://x.example/cs","concept":[{"code":"a"}]}]}}
            """;
        var questionnaire = $$"""
            {"resourceType":"Questionnaire","url":"http://x.example/q","status":"draft","contained":[{{Set}}],
            "item":[{"linkId":"1","type":"choice","answerValueSet":"#vs"}]}
            """;
        var profiles = ProfileSet.Core(FhirSchema.R4).With([System.Text.Encoding.UTF8.GetBytes(questionnaire)]);
        var response = Documents.Parse($$"""
            {"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"http://x.example/q",
            "item":[{"linkId":"1","answer":[{"valueCoding":{"system":"http://x.example/cs","code":"{{code}}"} }]}]}
            """);
        Assert.Equal(isValid, new Validator(FhirSchema.R4, profiles).Validate(response).IsValid);
    }

    [Fact]
    public void A_questionnaire_that_is_not_known_is_a_warning()
    {
        var report = new Validator(FhirSchema.R4).Validate(Documents.Parse(
            """{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"http://x.example/q"}"""));
        Assert.True(report.IsValid);
        Assert.Contains(report.Issues, issue => issue.Text.Contains("http://x.example/q", StringComparison.Ordinal));
    }
}
