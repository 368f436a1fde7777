namespace PmrGateway.Gateway.Options;

/// <summary>Section <c>Consent</c>: what holds of patients who have said nothing.</summary>
public sealed class ConsentOptions
{
    /// <summary>Value of <see cref="ImplicitPolicy"/>: nothing is permitted.</summary>
    public const string Deny = "deny";

    /// <summary>Value of <see cref="ImplicitPolicy"/>: reading for treatment is permitted to every registered actor.</summary>
    public const string PermitTreatment = "permit-treatment";

    /// <summary>Value of <see cref="ImplicitPolicy"/>: the same for treatment, payment and operations.</summary>
    public const string PermitAll = "permit-all";

    /// <summary>
    /// The overarching policy for a patient who is registered from now on and has no Consent on file. Default deny. The implicit option of
    /// IHE PCF: https://profiles.ihe.net/ITI/PCF/volume-1.html
    /// </summary>
    public string ImplicitPolicy { get; set; } = Deny;

    /// <summary>The purposes of use for which it permits; none: it denies.</summary>
    internal IReadOnlyList<string> ImplicitPurposes => ImplicitPolicy switch
    {
        PermitTreatment => ["TREAT"],
        PermitAll => ["TREAT", "HPAYMT", "HOPERAT"],
        _ => [],
    };

    internal string? Validate() => ImplicitPolicy is Deny or PermitTreatment or PermitAll
        ? null
        : $"Consent:ImplicitPolicy is '{ImplicitPolicy}': {Deny}, {PermitTreatment} or {PermitAll}";
}
