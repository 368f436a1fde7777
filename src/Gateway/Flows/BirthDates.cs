using PmrGateway.Fhir;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// Dates of birth, for how long records are kept. They stand in Patients alone, which are sealed: one is opened as the patient whose it is,
/// by the decision that everything is opened by. Nothing of it leaves the gateway but the date until which something is kept.
/// </summary>
public sealed class BirthDates(RecordDatabase database, RecordOpener opener, TimeProvider time)
{
    /// <summary>The last day on which a patient can have been born; null: it is not known.</summary>
    /// <param name="patient">Id of the patient.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<DateOnly?> OfAsync(string patient, CancellationToken cancellation)
    {
        var self = new Requester("retention", null, null, patient, true, []);
        try
        {
            await using var eyes = await database.SnapshotAsync(
                Viewers.WithoutGrants(self, time.GetUtcNow()), searches: false, cancellation);
            var permitted = await eyes.ReadAsync("Patient", patient, null, cancellation);
            // Who was deleted was born all the same.
            if (permitted is { Version: { IsDeleted: true, Version: var deletion } })
                permitted = await eyes.ReadAsync("Patient", patient, deletion - 1, cancellation);
            return permitted is { Version.IsDeleted: false } && await opener.BodyAsync(permitted, cancellation) is { } body
                ? Of(body)
                : null;
        }
        catch (RowBrokenException)
        {
            // What is not what was sealed is told by its own watch, and says nothing of a birth.
            return null;
        }
    }

    /// <summary>The same of a Patient that was opened.</summary>
    /// <param name="json">The Patient.</param>
    public static DateOnly? Of(byte[] json) =>
        ResourceDocument.TryParse(json, out var document, out _) && document!.Root.StringAt("birthDate") is { } text
            && FhirDate.Range(text) is { To: var behind } ? DateOnly.FromDateTime(behind.UtcDateTime.AddTicks(-1)) : null;
}
