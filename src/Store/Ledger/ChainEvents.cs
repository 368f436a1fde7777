using PmrGateway.LedgerAdapter;

namespace PmrGateway.Store;

/// <summary>What an event of the chain means to the tables.</summary>
internal sealed class ChainEvents(ConsentTable consents, DirectoryTable directory)
{
    // The contract keeps grants by patient and commitment, and commitments are public: one patient's event must not touch another's
    // consent.
    private const string OfPatient = "k.patient_id IN (SELECT id FROM patients WHERE patient_key = $1)";

    public ValueTask<int> ApplyAsync(Change change, ChainEvent chainEvent) => chainEvent switch
    {
        ActorRegisteredEvent e => directory.SetActiveAsync(change, true, e.Actor),
        ActorStatusEvent e => directory.SetActiveAsync(change, e.IsActive, e.Actor),
        ClientBindingEvent e => directory.BindAsync(change, e.Client, e.Actor),
        PatientRegisteredEvent e => directory.SetControllerAsync(change, e.Controller, e.Patient),
        ControllerChangedEvent e => HandOverAsync(change, e),
        ConsentGrantedEvent e => consents.GrantAsync(change, e.Block, $"k.commitment = $2 AND {OfPatient}", e.Patient, e.Commitment),
        ConsentRevokedEvent e => consents.RevokeAsync(change, $"k.commitment = $2 AND {OfPatient}", e.Patient, e.Commitment),
        AllConsentsRevokedEvent e => consents.RevokeAsync(
            change, $"k.granted_block IS NOT NULL AND k.granted_block <= $2 AND {OfPatient}", e.Patient, e.Block),
        BatchAnchoredEvent e => change.ExecuteAsync(
            """
            UPDATE batches SET block = $1, tx = $2
            WHERE sequence = $3 AND root = $4 AND custodian IN (SELECT reference FROM actors WHERE actor_id = $5)
            """,
            e.Block, e.Transaction, e.Sequence, e.Root, e.Custodian),
        _ => new ValueTask<int>(0),
    };

    // What the hospital filed while it signed for the patient permits nothing from then on, as if the chain did not have it; what it denies
    // stays denied until the patient says otherwise. What the patient gave stays.
    private async ValueTask<int> HandOverAsync(Change change, ControllerChangedEvent e)
    {
        await consents.GrantAsync(change, null, $"k.giver <> 'Patient/' || k.patient_id AND {OfPatient}", e.Patient);
        return await directory.SetControllerAsync(change, e.Controller, e.Patient);
    }
}
