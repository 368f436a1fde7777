using PmrGateway.Gateway.Flows;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Operation Consent/$ledger-status: where a Consent's grant stands (<see cref="LedgerStatus"/>), with its transaction and block.
/// https://hl7.org/fhir/R4/operations.html
/// </summary>
internal sealed class ConsentLedgerStatus(
    DirectoryStore directory, ILedgerJournal journal, ConsentView view, LedgerOptions ledger, ReadFlow flow)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var answer = await flow.RunAsync(
            call.Caller,
            call.AsRead(),
            async snapshot => await snapshot.ReadAsync(call.Type, call.Id, null, cancellation) is { } found
                ? new Found([found])
                : new Found([], Outcome.NotFound),
            _ => FhirResponse.NoContent,
            cancellation);
        return answer.Failure is null
            ? new FhirResponse(200, await StatusAsync(call.Id, cancellation)) { Decision = answer.Decision }
            : answer;
    }

    private async Task<byte[]> StatusAsync(string id, CancellationToken cancellation)
    {
        if (await directory.LatestConsentAsync(id, cancellation) is not { } consent) return LedgerStatus.ToJson(LedgerStatus.Recorded);
        var granting = await journal.FindAsync(ChainCommands.GrantKey(consent.Commitment), cancellation);
        if (consent.IsRevoked)
        {
            var revoking = await journal.FindAsync(ChainCommands.RevokeKey(consent.Commitment), cancellation);
            var isUnsigned = revoking is null && granting is not null;
            return LedgerStatus.ToJson(isUnsigned ? LedgerStatus.RevokedUnsigned : LedgerStatus.Revoked, revoking?.Hash, revoking?.Block);
        }
        var status = granting?.Status switch
        {
            OutboxStatus.Failed or OutboxStatus.Void => LedgerStatus.Failed,
            // By the view, not by the outbox: "confirmed" says that the next read finds it, and the two loops are not in step.
            _ when consent.GrantedBlock is { } granted =>
                granted <= view.Block - ledger.Confirmations ? LedgerStatus.Confirmed : LedgerStatus.Granted,
            null => LedgerStatus.Recorded,
            _ => LedgerStatus.Submitted,
        };
        return LedgerStatus.ToJson(status, granting?.Hash, granting?.Block);
    }
}
