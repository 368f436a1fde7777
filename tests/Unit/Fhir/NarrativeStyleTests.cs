using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

public class NarrativeStyleTests
{
    [Theory]
    [InlineData("width: expression(alert(1))")]
    [InlineData("width: EXPRESSION (alert(1))")]
    [InlineData("background: url(javascript:alert(1))")]
    [InlineData("background: url(java\\73 cript:alert(1))")]
    [InlineData("width: exp/* */ression(alert(1))")]
    [InlineData("behavior: url(x.htc)")]
    [InlineData("-moz-binding: url(x.xml#x)")]
    public void A_style_that_acts_is_refused(string style) => Assert.False(IsValid(style));

    [Theory]
    [InlineData("color: red; width: 10px")]
    [InlineData("background-image: url(tbl_bck1.png)")]
    public void A_style_that_only_looks_is_taken(string style) => Assert.True(IsValid(style));

    private static bool IsValid(string style)
    {
        var div = JsonSerializer.Serialize($"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p style=\"{style}\">x</p></div>");
        var json = $$$"""{"resourceType":"Patient","text":{"status":"generated","div":{{{div}}}}}""";
        Assert.True(ResourceDocument.TryParse(Encoding.UTF8.GetBytes(json), out var document, out _));
        return new Validator(FhirSchema.R4).Validate(document!).IsValid;
    }
}
