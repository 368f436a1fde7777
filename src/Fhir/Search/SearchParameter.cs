namespace PmrGateway.Fhir;

/// <summary>A search parameter as one resource type has it. https://hl7.org/fhir/R4/searchparameter.html</summary>
/// <param name="Code">Its name in a URL.</param>
/// <param name="Type">token, reference, date, string, uri, number, quantity or composite.</param>
public sealed record SearchParameter(string Code, string Type)
{
    /// <summary>
    /// Whether its values name somebody (an identifier, a name, an address, a telephone number, a date of birth) or are words in a
    /// patient's record. Who keeps an index of it keeps no value in clear.
    /// </summary>
    public bool IsPersonal { get; init; }

    /// <summary>Of a reference: the types that it may name; none: any.</summary>
    public IReadOnlyList<string> Targets { get; init; } = [];

    /// <summary>Codes of the parameters of the same type whose values are its own, taken together: it has no index entries. None: it has.
    /// </summary>
    public IReadOnlyList<string> AnyOf { get; init; } = [];

    /// <summary>
    /// Of a composite: its components. Where <see cref="IsWhole"/>, they are parameters of the resource itself; else
    /// <see cref="IndexEntry.Part"/> says which entries belong together.
    /// </summary>
    public IReadOnlyList<SearchParameter> Components { get; init; } = [];

    /// <summary>Of a composite: whether the element that has its components is the resource, so that it is they, all of them.</summary>
    public bool IsWhole { get; init; }
}
