using Hl7.Fhir.Specification.Source;
using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

/// <summary>Firely's validator behind the words of the native one.</summary>
public class SecondValidatorTests
{
    private const string Profile = """
        {"resourceType":"StructureDefinition","url":"http://x.example/p","name":"P","status":"draft","kind":"resource","abstract":false,
        "type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint",
        "differential":{"element":[{"id":"Patient.gender","path":"Patient.gender","min":1}]}}
        """;

    [Fact]
    public void Nothing_of_the_specification_is_read_before_it_is_asked()
    {
        var isRead = false;
        _ = new SecondValidator(ProfileSet.Core(FhirSchema.R4), () =>
        {
            isRead = true;
            return ZipSource.CreateValidationSource();
        });
        Assert.False(isRead);
    }

    [Fact]
    public void It_says_what_the_core_and_a_profile_of_others_forbid_from_many_threads()
    {
        var profiles = ProfileSet.Core(FhirSchema.R4).With([System.Text.Encoding.UTF8.GetBytes(Profile)]);
        var validator = new SecondValidator(profiles, ZipSource.CreateValidationSource);
        Parallel.For(0, 8, _ =>
        {
            var whole = validator.Validate(Documents.Parse("""{"resourceType":"Patient","gender":"male"}"""), "http://x.example/p");
            Assert.True(whole.IsValid);
            var missing = validator.Validate(Documents.Parse("""{"resourceType":"Patient","active":true}"""), "http://x.example/p");
            Assert.False(missing.IsValid);
            Assert.False(validator.Validate(Documents.Parse("""{"resourceType":"Patient","nmae":[]}""")).IsValid);
        });
    }
}
