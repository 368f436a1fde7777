namespace PmrGateway.Mapping;

/// <summary>Who asks, as the token and the chain say: never as a request header says.</summary>
/// <param name="Subject">For the audit: the actor's or patient's reference, <c>Type/id</c>; <c>Operator</c> for the operator.</param>
/// <param name="Organization">The hospital or insurer asking or employing who asks, <c>Organization/id</c>, or null.</param>
/// <param name="Practitioner">The practitioner asking, <c>Practitioner/id</c>, or null.</param>
/// <param name="Patient">The id of the patient asking, or null.</param>
/// <param name="IsActive">Whether the actor stands active on the chain; of a patient, true.</param>
/// <param name="Purposes">Purpose-of-use codes of the token.</param>
public sealed record Requester(string Subject, string? Organization, string? Practitioner, string? Patient, bool IsActive,
    IReadOnlyList<string> Purposes)
{
    private const string OfOffices = "office ";

    /// <summary>
    /// As whom it writes: what it wrote it may read back, and nobody else by that alone. A practitioner's or patient's reference; of a
    /// system the client itself, since two systems of one hospital are no more one author than its doctors are. "": nobody.
    /// </summary>
    public string Author { get; init; } = "";

    /// <summary>
    /// The office of the hospital whose system it is, to which the gateway itself writes what the hospital must deal with: as whom that is
    /// written, and so who reads it. "": none.
    /// </summary>
    public string Office { get; init; } = "";

    /// <summary>Whose records it reads back: its own, and its office's.</summary>
    public IEnumerable<string> Authors
    {
        get
        {
            if (Author.Length > 0) yield return Author;
            if (Office.Length > 0) yield return Office;
        }
    }

    /// <summary>As whom the gateway writes to a hospital.</summary>
    /// <param name="hospital">Reference of the hospital.</param>
    public static string OfficeOf(string hospital) => OfOffices + hospital;

    /// <summary>Whether an author is an office.</summary>
    public static bool IsOffice(string author) => author.StartsWith(OfOffices, StringComparison.Ordinal);

    /// <summary>The references under which a consent can name the requester.</summary>
    public IEnumerable<string> ActorReferences
    {
        get
        {
            if (Practitioner is not null) yield return Practitioner;
            if (Organization is not null) yield return Organization;
        }
    }
}
