using Hl7.Fhir.Model;
using Task = Hl7.Fhir.Model.Task;

namespace PmrGateway.Gateway.Flows;

/// <summary>One break of the glass.</summary>
/// <param name="Patient">Id of the patient.</param>
/// <param name="Practitioner">Reference of who breaks it.</param>
/// <param name="Custodian">Reference of the hospital that keeps the record.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">When.</param>
internal sealed record BrokenGlass(string Patient, string Practitioner, string Custodian, string Reason, DateTimeOffset At)
{
    /// <summary>When, to the second: the chain knows no less.</summary>
    public DateTimeOffset From { get; } = DateTimeOffset.FromUnixTimeSeconds(At.ToUnixTimeSeconds());

    /// <summary>When it is over, where it was no consent of the patient's that opened.</summary>
    public DateTimeOffset To => From + GlassFlow.Open;
}

/// <summary>What is written of broken glass: the Consent that opens, the notice to the patient, the review for the hospital.</summary>
internal static class GlassRecords
{
    private const string Participation = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    private const string Reasons = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

    /// <summary>The Consent of an emergency: the practitioner alone, for BTG alone, for its time alone.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="glass">The break.</param>
    /// <param name="policy">Where the hospital's policy is published.</param>
    public static Consent Consent(string id, BrokenGlass glass, string policy)
    {
        var consent = OfficeConsent.New(id, glass.Patient, glass.Custodian, policy, glass.From, ["BTG"]);
        consent.Performer = [new ResourceReference(glass.Practitioner)];
        consent.Provision!.Period = new Period(new FhirDateTime(glass.From), new FhirDateTime(glass.To.AddSeconds(-1)));
        consent.Provision.Actor =
        [
            new Consent.provisionActorComponent
            {
                Role = new CodeableConcept(Participation, "IRCP"),
                Reference = new ResourceReference(glass.Practitioner),
            },
        ];
        return consent;
    }

    /// <summary>What the patient is told.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="consent">Id of the Consent of the emergency; null: the patient's own consents opened.</param>
    /// <param name="glass">The break.</param>
    public static Communication Notice(string id, string? consent, BrokenGlass glass) => new()
    {
        Id = id,
        Status = EventStatus.Completed,
        Category = [new CodeableConcept(OfficeTasks.CommunicationCategory, "notification")],
        Priority = RequestPriority.Urgent,
        Subject = new ResourceReference($"Patient/{glass.Patient}"),
        About = consent is null ? [] : [new ResourceReference($"Consent/{consent}")],
        SentElement = new FhirDateTime(glass.From),
        Recipient = [new ResourceReference($"Patient/{glass.Patient}")],
        Sender = new ResourceReference(glass.Practitioner),
        ReasonCode = [new CodeableConcept(Reasons, "BTG") { Text = glass.Reason }],
        Payload =
        [
            new Communication.PayloadComponent
            {
                Content = new FhirString(consent is null
                    ? $"In an emergency {glass.Practitioner} read of your record what your consents permit for that; "
                        + $"{glass.Custodian} reviews it."
                    : $"In an emergency {glass.Practitioner} opened your record without your consent, until {glass.To:u}. "
                        + $"You can end that at any time; {glass.Custodian} reviews it."),
            },
        ],
    };

    /// <summary>What the hospital has to review.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="consent">Id of the Consent of the emergency; null: the patient's own consents opened.</param>
    /// <param name="glass">The break.</param>
    public static Task Review(string id, string? consent, BrokenGlass glass)
    {
        var review = OfficeTasks.New(OfficeTasks.Review, id, glass.Patient, glass.Custodian, glass.Practitioner, glass.From);
        review.Focus = new ResourceReference(consent is null ? $"Patient/{glass.Patient}" : $"Consent/{consent}");
        review.ReasonCode = new CodeableConcept(Reasons, "BTG") { Text = glass.Reason };
        return review;
    }
}
