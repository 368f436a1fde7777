using System.Text;
using PmrGateway.Fhir;
using PmrGateway.Mapping;

namespace PmrGateway.Tests.Unit.Mapping;

/// <summary>What of a Consent is kept, and with which path the rest is refused (I8).</summary>
public class ConsentReaderTests
{
    [Theory]
    [InlineData("\"implicitRules\":\"http://x\",", "", "Consent.implicitRules")]
    [InlineData("\"modifierExtension\":[{\"url\":\"http://x\"}],", "", "Consent.modifierExtension")]
    [InlineData("\"verification\":[{\"verified\":false}],", "", "Consent.verification.verified")]
    [InlineData("\"policyRule\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ActCode\",\"code\":\"OPTOUT\"}]},", "",
        "Consent.policyRule")]
    [InlineData("", "\"actor\":[{\"role\":{\"coding\":[{\"code\":\"CST\"}]},\"reference\":{\"reference\":\"Organization/a\"}}]",
        "Consent.provision.actor[0].role")]
    [InlineData("", "\"actor\":[{\"role\":{\"text\":\"x\"},\"reference\":{\"reference\":\"RelatedPerson/a\"}}]",
        "Consent.provision.actor[0].reference")]
    [InlineData("", "\"action\":[{\"coding\":[{\"code\":\"disclose\"}]}]", "Consent.provision.action")]
    [InlineData("", "\"dataPeriod\":{}", "Consent.provision.dataPeriod")]
    [InlineData("", "\"dataPeriod\":{\"start\":\"2023\",\"end\":\"2022\"}", "Consent.provision.dataPeriod")]
    [InlineData("", "\"data\":[{\"meaning\":\"instance\",\"reference\":{\"reference\":\"http://elsewhere/Patient/1\"}}]",
        "Consent.provision.data[0].reference")]
    [InlineData("", "\"data\":[{\"reference\":{\"reference\":\"Patient/1\"}}]", "Consent.provision.data[0].meaning")]
    [InlineData("", "\"purpose\":[{\"system\":\"urn:mine\",\"code\":\"X\"}]", "Consent.provision.purpose")]
    [InlineData("", "\"purpose\":[{\"code\":\"TREAT\"}]", "Consent.provision.purpose")]
    [InlineData("", "\"purpose\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ActReason\",\"code\":\"PurposeOfUse\"}]",
        "Consent.provision.purpose")]
    [InlineData("", "\"class\":[{\"system\":\"http://hl7.org/fhir/resource-types\",\"code\":\"DomainResource\"}]",
        "Consent.provision.class")]
    [InlineData("", "\"class\":[{\"system\":\"http://hl7.org/fhir/resource-types\",\"code\":\"Observations\"}]", "Consent.provision.class")]
    [InlineData("", "\"securityLabel\":[{\"system\":\"urn:oid:2.16.840.1.113883.5.25\",\"code\":\"R\"}]",
        "Consent.provision.securityLabel")]
    [InlineData("", "\"securityLabel\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-Confidentiality\",\"code\":\"HIGH\"}]",
        "Consent.provision.securityLabel")]
    [InlineData("", "\"actor\":[{\"role\":{\"text\":\"x\"},\"reference\":{\"reference\":\"Organization/a\"}}]",
        "Consent.provision.actor[0].role")]
    [InlineData("\"policyRule\":{\"text\":\"as they do it here\"},", "", "Consent.policyRule")]
    [InlineData("", "\"period\":{\"end\":\"2026\"},\"provision\":[{\"type\":\"deny\",\"period\":{\"start\":\"2027\"}}]",
        "Consent.provision.provision[0].period")]
    public void What_cannot_be_enforced_is_refused_with_its_path(string outer, string inner, string path)
    {
        Assert.Null(Read(outer, inner, out var issues));
        Assert.Contains(path, issues.Select(i => i.Expression));
    }

    [Fact]
    public void Time_data_and_actions_are_read()
    {
        var root = Read("", """
            "dataPeriod":{"start":"2022","end":"2022-12-31"},
            "action":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentaction","code":"use"}]}],
            "data":[{"meaning":"authoredby","reference":{"reference":"Organization/h"}},
            {"meaning":"related","reference":{"reference":"Encounter/e"}}]
            """, out var issues)!.Root;
        Assert.Empty(issues);
        Assert.Equal(new DataPeriod(new(2022, 1, 1, 0, 0, 0, TimeSpan.Zero), new(2023, 1, 1, 0, 0, 0, TimeSpan.Zero)), root.DataPeriod);
        Assert.Equal([DataAction.Read], root.Actions);
        Assert.Equal([new(DataMeaning.AuthoredBy, "Organization/h"), new(DataMeaning.Related, "Encounter/e")], root.Data);
    }

    [Fact]
    public void Terms_of_the_first_edition_keep_their_bytes_and_each_new_element_changes_them()
    {
        var plain = Read(
            "", "\"purpose\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ActReason\",\"code\":\"TREAT\"}]", out _)!;
        Assert.StartsWith("pmr/1 terms", Encoding.UTF8.GetString(plain.Encode().AsSpan(8)));
        var root = plain.Root;
        var encodings = new[]
        {
            plain,
            plain with { Root = root with { Actions = [DataAction.Read] } },
            plain with { Root = root with { Actions = [DataAction.Write] } },
            plain with { Root = root with { Data = [new(DataMeaning.Instance, "A/1")] } },
            plain with { Root = root with { Data = [new(DataMeaning.Related, "A/1")] } },
            plain with { Root = root with { DataPeriod = new(root.From, root.From.AddSeconds(1)) } },
            plain with { Root = root with { DataPeriod = new(root.From, root.From.AddSeconds(2)) } },
        }.Select(t => Convert.ToHexString(t.Encode())).ToList();
        Assert.Equal(encodings.Count, encodings.Distinct().Count());
    }

    private static ConsentTerms? Read(string outer, string inner, out List<ValidationIssue> issues)
    {
        var json = $$"""
            {"resourceType":"Consent",{{outer}}"status":"active",
            "scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
            "patient":{"reference":"Patient/p"},"policy":[{"uri":"urn:x"}],
            "provision":{"type":"permit"{{(inner == "" ? "" : ",")}}{{inner}} } }
            """;
        Assert.True(ResourceDocument.TryParse(Encoding.UTF8.GetBytes(json), out var document, out _));
        return ConsentReader.Read(document!, out issues);
    }
}
