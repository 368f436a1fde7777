using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

public class SearchTests
{
    private static readonly SearchIndexer Indexer = new(FhirSchema.R4);
    private static readonly CompartmentResolver Compartments = new(FhirSchema.R4);

    [Fact]
    public void A_DocumentReference_is_indexed_by_type_date_status_and_patient()
    {
        var entries = Indexer.Index(Documents.Parse(
            "{\"resourceType\":\"DocumentReference\",\"status\":\"current\",\"type\":{\"coding\":[{\"system\":\"http://loinc.org\","
                + "\"code\":\"34133-9\"}]}," +
            "\"subject\":{\"reference\":\"Patient/p1\"},\"date\":\"2026-01-02T03:04:05Z\",\"content\":[{\"attachment\":{}}]}"));
        Assert.Contains(entries, e => e is { Parameter: "type", System: "http://loinc.org", Value: "34133-9" });
        Assert.Contains(entries, e => e is { Parameter: "status", System: null, Value: "current" });
        Assert.Contains(entries, e => e is { Parameter: "patient", System: "Patient", Value: "p1" });
        Assert.Contains(entries, e => e is { Parameter: "subject", System: "Patient", Value: "p1" });
        Assert.Contains(entries, e => e.Parameter == "date" && e.To - e.From == TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void A_subject_that_is_no_patient_is_not_indexed_as_patient()
    {
        var entries = Indexer.Index(Documents.Parse("{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"},"
            + "\"subject\":{\"reference\":\"Group/g\"}}"));
        Assert.DoesNotContain(entries, e => e.Parameter == "patient");
        Assert.Contains(entries, e => e is { Parameter: "subject", System: "Group", Value: "g" });
    }

    [Theory]
    [InlineData("{\"resourceType\":\"Patient\",\"id\":\"p1\"}", "p1")]
    [InlineData(
        "{\"resourceType\":\"Observation\",\"subject\":{\"reference\":\"Patient/p1\"},\"performer\":[{\"reference\":\"Patient/p2\"}]}",
        "p1,p2")]
    [InlineData("{\"resourceType\":\"Consent\",\"patient\":{\"reference\":\"Patient/p1\"}}", "p1")]
    [InlineData("{\"resourceType\":\"Appointment\",\"participant\":[{\"actor\":{\"reference\":\"Patient/p3\"}}]}", "p3")]
    [InlineData("{\"resourceType\":\"Organization\",\"name\":\"x\"}", "")]
    public void The_compartment_holds_every_patient_that_a_resource_names(string json, string patients) =>
        Assert.Equal(patients, string.Join(',', Compartments.PatientsOf(Documents.Parse(json))));

    [Theory]
    [InlineData("Patient/1", true)]
    [InlineData("Patient/1/_history/2", true)]
    [InlineData("http://x/Patient/1", false)]
    [InlineData("#p", false)]
    [InlineData("Foo/1", false)]
    [InlineData("Patient/../1", false)]
    [InlineData("Patient?identifier=x", false)]
    public void Only_a_relative_literal_reference_is_local(string text, bool local) =>
        Assert.Equal(local, FhirReference.TryParse(text, out _));

    [Theory]
    [InlineData("2026", "2026-01-01", "2027-01-01")]
    [InlineData("2026-12", "2026-12-01", "2027-01-01")]
    [InlineData("2026-02-28", "2026-02-28", "2026-03-01")]
    public void A_partial_date_covers_its_whole_span(string text, string from, string to)
    {
        var range = FhirDate.Range(text)!.Value;
        Assert.Equal((from, to), (range.From.ToString("yyyy-MM-dd"), range.To.ToString("yyyy-MM-dd")));
    }
}
