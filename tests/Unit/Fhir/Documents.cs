using System.Text;
using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

/// <summary>JSON text as documents.</summary>
internal static class Documents
{
    public static ResourceDocument Parse(string json)
    {
        Assert.True(ResourceDocument.TryParse(Encoding.UTF8.GetBytes(json), out var document, out var issue), issue?.Text);
        return document!;
    }

    public static IReadOnlyList<ValidationIssue> Validate(string json) => new Validator(FhirSchema.R4).Validate(Parse(json)).Errors;
}
