using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Operation Consent/$ledger-status: where a Consent's grant stands (<see cref="LedgerStatus"/>), with its transaction and block.
/// https://hl7.org/fhir/R4/operations.html
/// </summary>
internal sealed class ConsentLedgerStatus(RecordStore records, Database database, ReadFlow flow)
{
    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation) => flow.RunAsync(
        call.Caller,
        call.AsRead(),
        access => records.Read(access, call.Type, call.Id, null) is { } found ? new Found([found]) : new Found([], Outcome.NotFound),
        opened => new FhirResponse(200, Status(call.Id)) { Decision = ReadFlow.Receipt(opened) },
        cancellation);

    private byte[] Status(string id)
    {
        using var connection = database.OpenReader();
        if (ConsentStore.Latest(connection, id) is not { } consent) return LedgerStatus.ToJson(LedgerStatus.Recorded);
        var granting = SqliteLedgerJournal.Find(connection, "grant " + consent.Commitment);
        var entry = consent.Revoked != 0 ? SqliteLedgerJournal.Find(connection, "revoke " + consent.Commitment) : granting;
        if (consent.Revoked != 0)
        {
            var isUnsigned = entry is null && granting is not null;
            return LedgerStatus.ToJson(isUnsigned ? LedgerStatus.RevokedUnsigned : LedgerStatus.Revoked, entry?.Hash, entry?.Block);
        }
        var status = entry?.Status switch
        {
            IntentStatus.Failed => LedgerStatus.Failed,
            IntentStatus.Confirmed => LedgerStatus.Confirmed,
            _ when consent.GrantedBlock is not null => LedgerStatus.Granted,
            null => LedgerStatus.Recorded,
            _ => LedgerStatus.Submitted,
        };
        return LedgerStatus.ToJson(status, entry?.Hash, entry?.Block);
    }
}
