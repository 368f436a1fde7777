using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

public class FhirPathTests
{
    private static readonly ResourceDocument Patient = Documents.Parse(
        """
        {"resourceType":"Patient","id":"p","active":true,
        "identifier":[{"system":"urn:a","value":"1"},{"system":"urn:b","value":"2"}],
        "name":[{"use":"official","family":"Doe","given":["Ann","Bea"],"_given":[null,{"extension":[{"url":"http://x.example/e",
        "valueCode":"c"}]}]},{"use":"old","family":"Roe"}],
        "birthDate":"1980-05-06","_birthDate":{"extension":[{"url":"http://x.example/time","valueDateTime":"1980-05-06T07:08:09Z"}]},
        "multipleBirthInteger":2,"maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
        "code":"M"}]},
        "contact":[{"name":{"family":"Poe"},"period":{"start":"2020-01"}}],
        "contained":[{"resourceType":"Organization","id":"o","name":"Org"}],"managingOrganization":{"reference":"#o"}}
        """);

    [Theory]
    [InlineData("name.given", "Ann Bea")]
    [InlineData("Patient.name[0].family", "Doe")]
    [InlineData("name.where(use = 'old').family", "Roe")]
    [InlineData("name.select(family & '!')", "Doe! Roe!")]
    [InlineData("name.given.extension('http://x.example/e').value", "c")]
    [InlineData("birthDate.extension.value", "1980-05-06T07:08:09Z")]
    [InlineData("multipleBirth", "2")]
    [InlineData("multipleBirth.ofType(integer) + 1", "3")]
    [InlineData("identifier.count()", "2")]
    [InlineData("identifier.where($index = 1).value", "2")]
    [InlineData("identifier.exists(system = 'urn:b')", "true")]
    [InlineData("identifier.all(value.exists())", "true")]
    [InlineData("name.family.first() in ('Doe' | 'x')", "true")]
    [InlineData("name.family contains 'Roe'", "true")]
    [InlineData("name.given.empty()", "false")]
    [InlineData("photo.empty() and active", "true")]
    [InlineData("photo.exists() or active", "true")]
    [InlineData("photo.title = 'x' or active", "true")]
    [InlineData("active implies photo.exists()", "false")]
    [InlineData("birthDate < @1990", "true")]
    [InlineData("birthDate = @1980-05", "")]
    [InlineData("birthDate + 1 month", "1980-06-06")]
    [InlineData("contact.period.start <= @2020-01-15", "")]
    [InlineData("managingOrganization.resolve().name", "Org")]
    [InlineData("maritalStatus.memberOf('http://hl7.org/fhir/ValueSet/marital-status')", "true")]
    [InlineData("children().count() > 5", "true")]
    [InlineData("descendants().where($this is HumanName).count()", "3")]
    [InlineData("repeat(contact | name).count()", "4")]
    [InlineData("name.given.join('-')", "Ann-Bea")]
    [InlineData("'a,b'.split(',').count()", "2")]
    [InlineData("'abc'.matches('^b')", "false")]
    [InlineData("'abc'.replaceMatches('(b)', '<$1>')", "a<b>c")]
    [InlineData("'abc'.substring(1, 1).upper()", "B")]
    [InlineData("(1 | 2 | 2 | 3).count()", "3")]
    [InlineData("(1 | 2 | 3).aggregate($this + $total, 0)", "6")]
    [InlineData("iif(active, 'yes', 'no')", "yes")]
    [InlineData("7 div 2 + 7 mod 2", "4")]
    [InlineData("1 / 0", "")]
    [InlineData("1.5.round()", "2")]
    [InlineData("'1.50'.toDecimal()", "1.50")]
    [InlineData("7 days = 1 week", "true")]
    [InlineData("1 'g' = 1 'mg'", "false")]
    [InlineData("4 'g' = 4000.0 'mg'", "true")]
    [InlineData("4 'g' ~ 4040 'mg'", "true")]
    [InlineData("1 'kg/m2' > 1 'g/m2'", "true")]
    [InlineData("1 'g' = 1 's'", "")]
    [InlineData("37 'Cel' = 310.15 'K'", "")]
    [InlineData("3 'm' + 3 'cm'", "303 'cm'")]
    [InlineData("{}.iif(empty(), 'none', 'some')", "none")]
    [InlineData("(-2147483647 - 1).abs()", "")]
    [InlineData("%resource.id", "p")]
    [InlineData("active is System.Boolean", "false")]
    [InlineData("active is boolean", "true")]
    [InlineData("gender.hasValue()", "false")]
    [InlineData("birthDate.hasValue()", "true")]
    [InlineData("name.first().type().name", "HumanName")]
    [InlineData("2147483647 + 1", "2147483648")]
    public void An_expression_gives_what_the_specification_says(string expression, string expected) =>
        Assert.Equal(expected, string.Join(' ', FhirPathExpression.Compile(expression).Evaluate(Patient).Select(r => r.Text ?? r.Type)));

    [Theory]
    [InlineData("name.", FhirPathFault.Syntax)]
    [InlineData("name.nothing()", FhirPathFault.UnknownFunction)]
    [InlineData("'open", FhirPathFault.Syntax)]
    [InlineData("name.where()", FhirPathFault.Syntax)]
    [InlineData("active is Nonsense", FhirPathFault.Semantic)]
    [InlineData("name.single()", FhirPathFault.Execution)]
    [InlineData("name.family + 1", FhirPathFault.Execution)]
    [InlineData("%nobody", FhirPathFault.Execution)]
    [InlineData("name.family.startsWith('D')", FhirPathFault.Execution)]
    public void A_fault_has_its_kind(string expression, FhirPathFault fault) =>
        Assert.Equal(fault, Assert.Throws<FhirPathException>(() => FhirPathExpression.Compile(expression).Evaluate(Patient)).Fault);

    [Fact]
    public void A_name_that_the_type_does_not_have_is_an_error_in_strict_mode_alone()
    {
        var expression = FhirPathExpression.Compile("name.nickname");
        Assert.Empty(expression.Evaluate(Patient));
        Assert.Throws<FhirPathException>(() => expression.Evaluate(Patient, isStrict: true));
    }

    [Theory]
    [InlineData("", "name", ".where(true)", 9000)]
    [InlineData("", "1", " + 1", 9000)]
    [InlineData("-", "1", "", 90000)]
    [InlineData("(", "1", ")", 10000)]
    [InlineData("iif(true, ", "1", ")", 5000)]
    public void An_expression_too_deep_for_a_stack_is_refused_by_both_engines(string before, string middle, string after, int times)
    {
        var expression = string.Concat(Enumerable.Repeat(before, times)) + middle + string.Concat(Enumerable.Repeat(after, times));
        Assert.Equal(FhirPathFault.Syntax, Assert.Throws<FhirPathException>(() => FhirPathExpression.Compile(expression)).Fault);
        Assert.Throws<FhirPathException>(() => FirelyFhirPath.Evaluate(Patient, expression));
    }

    [Theory]
    [InlineData("'aaaaaaaaaa'", ".replace('a', 'aaaaaaaaaa')", 9)]
    [InlineData("'aaaaaaaaaa'", ".replace('', 'aaaaaaaaaa')", 9)]
    [InlineData("'aaaaaaaaaa'", ".replaceMatches('a', 'aaaaaaaaaa')", 9)]
    [InlineData("'aaaaaaaa'", ".encode('hex')", 28)]
    [InlineData("'a'.repeat($this & $this)", "", 0)]
    [InlineData("'a'.repeat($this & 'a')", "", 0)]
    [InlineData("(1 | 2 | 3 | 4)", ".select($this.combine($this))", 30)]
    public void An_expression_that_grows_without_end_is_stopped(string start, string step, int times) =>
        Assert.Equal(
            FhirPathFault.TooCostly,
            Assert.Throws<FhirPathException>(() => FhirPathExpression.Compile(start + string.Concat(Enumerable.Repeat(step, times)))
                .Evaluate(Patient)).Fault);

    [Fact]
    public void An_expression_that_would_not_end_does()
    {
        Assert.Throws<FhirPathException>(() => FhirPathExpression.Compile("(1|2|3|4|5|6|7|8).repeat($this + 1)").Evaluate(Patient));
        Assert.Throws<FhirPathException>(() => FhirPathExpression
            .Compile("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(?=(a+)+$)(a+)+$') or %none").Evaluate(Patient));
    }

    [Fact]
    public void Every_expression_of_the_core_compiles_natively()
    {
        var schema = FhirSchema.R4;
        var invariants = schema.Types.SelectMany(t => t.Invariants.Concat(t.Elements.SelectMany(e => e.Invariants)))
            .Select(i => i.Expression).Distinct().ToList();
        Assert.True(invariants.Count > 190, $"{invariants.Count}");
        foreach (var expression in invariants.Concat(schema.SearchParameters.Select(p => p.Expression).Where(e => e.Length > 0)))
            FhirPathExpression.Compile(expression);
    }

    [Fact]
    public void A_variable_of_one_evaluation_is_not_there_in_the_next()
    {
        // One validator, one thread: its context is used again from resource to resource.
        const string Rule = """{"key":"x-1","severity":"error","expression":"defineVariable('v', $this).select(%v = true)"}""";
        var set = ProfileSet.Core(FhirSchema.R4).With([System.Text.Encoding.UTF8.GetBytes(
            $$"""
            {"resourceType":"StructureDefinition","url":"http://x.example/p","name":"P","status":"draft","kind":"resource","abstract":false,
            "type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint","differential":
            {"element":[{"id":"Patient","path":"Patient"},{"id":"Patient.active","path":"Patient.active","constraint":[{{Rule}}]}] } }
            """)]);
        var validator = new Validator(FhirSchema.R4, set);
        var right = Documents.Parse("""{"resourceType":"Patient","active":true}""");
        var wrong = Documents.Parse("""{"resourceType":"Patient","active":false}""");
        for (var i = 0; i < 3; i++)
        {
            Assert.DoesNotContain(
                validator.Validate(right, "http://x.example/p").Issues, issue => issue.Text.Contains("x-1", StringComparison.Ordinal));
            Assert.Contains(
                validator.Validate(wrong, "http://x.example/p").Errors, issue => issue.Text.Contains("x-1", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("name.select(defineVariable('v', family).select(%v))", "Doe Roe")]
    [InlineData("name.where(defineVariable('v', family).exists(%v = 'Roe')).family", "Roe")]
    [InlineData("name.all(defineVariable('v', family).exists(%v.exists()))", "true")]
    [InlineData("name.exists(defineVariable('v', family).exists(%v = 'Roe'))", "true")]
    [InlineData("name.sort(defineVariable('v', family).select(%v)).family", "Doe Roe")]
    [InlineData("name.aggregate(defineVariable('v', family).select($total & %v), '')", "DoeRoe")]
    public void A_variable_lives_as_long_as_the_item_that_it_was_defined_for(string expression, string expected) =>
        Assert.Equal(expected, string.Join(' ', FhirPathExpression.Compile(expression).Evaluate(Patient).Select(r => r.Text)));

    [Fact]
    public void An_evaluation_that_fails_leaves_no_index_to_the_next()
    {
        var context = new FhirPathContext(FhirSchema.R4, FhirSchema.R4.Terminology);
        var root = Item.OfNode(Patient.Root);
        context.Begin(root, root, root);
        Assert.Throws<FhirPathException>(() => FhirPathExpression.Compile("identifier.where($index = 1 and (1|2) + 1 = 2)").Body
            .Eval(context, root));
        context.Begin(root, root, root);
        FhirPathExpression.Compile("$index").Body.Eval(context, root);
        Assert.Equal(0, context[0].Value);
    }
}
