using PmrGateway.Fhir;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Options;

/// <summary>Section <c>Retention</c>: how long records must be kept.</summary>
public sealed class RetentionOptions
{
    private const int MaxYears = 200;

    /// <summary>Years from the end of what a record is about. Default 3; 0 to 200.</summary>
    public int DefaultYears { get; set; } = 3;

    /// <summary>Other numbers of years, by resource type: <c>Retention:Years:ImagingStudy</c>. Default none.</summary>
    public Dictionary<string, int> Years { get; set; } = [];

    /// <summary>Age until which a patient is a minor, in years. Default 18; 0 to 30.</summary>
    public int AgeOfMajority { get; set; } = 18;

    internal RetentionTable Table => new(DefaultYears, AgeOfMajority, Years);

    internal string? Validate()
    {
        foreach (var (type, years) in Years)
        {
            if (!FhirSchema.R4.IsResourceType(type))
                return $"Retention:Years:{type} is {years}: Retention:Years is by resource types of R4, e.g. Retention:Years:ImagingStudy";
            if (Allowed.Between($"Retention:Years:{type}", years, 0, MaxYears) is { } wrong) return wrong;
        }
        return Allowed.Between("Retention:DefaultYears", DefaultYears, 0, MaxYears)
            ?? Allowed.Between("Retention:AgeOfMajority", AgeOfMajority, 0, 30);
    }
}
