using PmrGateway.Fhir;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Hosting;

/// <summary>The R4 engine: definitions, validation, mapping, search values.</summary>
internal static class FhirEngineServices
{
    /// <exception cref="InvalidProfileException">A package of Fhir:Packages is broken: a gateway that does not start.</exception>
    public static IServiceCollection AddFhirEngine(this IServiceCollection services, FhirOptions options, LimitOptions limits)
    {
        // Read before anything starts.
        var profiles = FhirPackages.Load(options.Packages);
        return services
            .AddSingleton(FhirSchema.R4)
            .AddSingleton(new ResourceLimits(limits.MaxDepth, limits.MaxValues, limits.MaxBodyBytes))
            .AddSingleton(s => new Validator(FhirSchema.R4, profiles, FhirPackages.Noting(s.GetRequiredService<ILogger<Validator>>())))
            .AddSingleton<ResourceMapper>()
            .AddSingleton(s => s.GetRequiredService<ResourceMapper>().Indexer);
    }
}
