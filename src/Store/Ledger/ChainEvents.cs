using PmrGateway.LedgerAdapter;

namespace PmrGateway.Store;

/// <summary>What an event of the chain means to the tables.</summary>
internal static class ChainEvents
{
    // The contract keeps grants by patient and commitment, and commitments are public: one patient's event must not touch another's
    // consent.
    private const string OfPatient = "patient_id IN (SELECT id FROM patients WHERE patient_key = $1)";

    public static ValueTask<int> ApplyAsync(Change change, ChainEvent chainEvent) => chainEvent switch
    {
        ActorRegisteredEvent e => change.ExecuteAsync("UPDATE actors SET chain_active = 1 WHERE actor_id = $1", e.Actor),
        ActorStatusEvent e => change.ExecuteAsync("UPDATE actors SET chain_active = $1 WHERE actor_id = $2", e.IsActive ? 1L : 0L, e.Actor),
        ClientBindingEvent { Actor: null } e => change.ExecuteAsync("DELETE FROM bindings WHERE client = $1", e.Client),
        ClientBindingEvent e => change.ExecuteAsync(
            "INSERT INTO bindings (client, actor_id) VALUES ($1, $2) ON CONFLICT (client) DO UPDATE SET actor_id = $2", e.Client, e.Actor),
        PatientRegisteredEvent e =>
            change.ExecuteAsync("UPDATE patients SET controller = $1 WHERE patient_key = $2", e.Controller, e.Patient),
        ControllerChangedEvent e => HandOverAsync(change, e),
        ConsentGrantedEvent e => change.ExecuteAsync(
            $"UPDATE consents SET granted_block = $2 WHERE commitment = $3 AND {OfPatient}", e.Patient, e.Block, e.Commitment),
        ConsentRevokedEvent e =>
            change.ExecuteAsync($"UPDATE consents SET revoked = 1 WHERE commitment = $2 AND {OfPatient}", e.Patient, e.Commitment),
        AllConsentsRevokedEvent e => change.ExecuteAsync(
            $"UPDATE consents SET revoked = 1 WHERE granted_block IS NOT NULL AND granted_block <= $2 AND {OfPatient}", e.Patient, e.Block),
        BatchAnchoredEvent e => change.ExecuteAsync(
            """
            UPDATE batches SET block = $1, tx = $2
            WHERE sequence = $3 AND root = $4 AND custodian IN (SELECT reference FROM actors WHERE actor_id = $5)
            """,
            e.Block, e.Transaction, e.Sequence, e.Root, e.Custodian),
        _ => new ValueTask<int>(0),
    };

    // What the hospital filed while it signed for the patient ends with that; what the patient gave stays.
    private static async ValueTask<int> HandOverAsync(Change change, ControllerChangedEvent e)
    {
        await change.ExecuteAsync($"UPDATE consents SET revoked = 1 WHERE giver <> 'Patient/' || patient_id AND {OfPatient}", e.Patient);
        return await change.ExecuteAsync("UPDATE patients SET controller = $1 WHERE patient_key = $2", e.Controller, e.Patient);
    }
}
