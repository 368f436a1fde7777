using PmrGateway.Gateway.Flows;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Hosting;

/// <summary>
/// Revocations that were acknowledged and that the database does not have, since it was restored from an older backup: they are made again
/// before the first request, here and, where the hospital signs for the patient, on the chain.
/// </summary>
internal sealed partial class ForgottenRevocations(RecordDatabase database, ConsentWrites consents, ILogger<ForgottenRevocations> log)
{
    /// <summary>Makes them again.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        var forgotten = await database.ForgottenRevocationsAsync(cancellation);
        foreach (var consent in forgotten)
        {
            try
            {
                var plan = await consents.RevokeAsync(consent, null, cancellation);
                if (await database.CommitAsync(plan, cancellation) is not CommitResult.Committed)
                    throw new StoreStartException($"the revocation of Consent/{consent}, which the database lost, cannot be made again");
            }
            catch (RowBrokenException)
            {
                // What rests on a broken row is not given out, and it is told by table and key.
            }
        }
        if (forgotten.Count > 0) LogForgotten(forgotten.Count);
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Count} revocations that were acknowledged were not in the database: it is older than they are. They hold again")]
    private partial void LogForgotten(int count);
}
