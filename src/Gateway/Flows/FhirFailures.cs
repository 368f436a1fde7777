using PmrGateway.Ipfs;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Flows;

/// <summary>What is answered where a request ends in an exception: the sender gets no word of it, the operator's log all.</summary>
internal sealed partial class FhirFailures(ILogger<FhirFailures> log)
{
    /// <summary>The answer, after the log has it.</summary>
    public FhirResponse Answer(Exception exception, string method, string path)
    {
        switch (exception)
        {
            case SealBrokenException or BlockCorruptException:
                LogCorrupt(exception);
                return Failed(
                    OutcomeCategory.Unavailable, "a stored record is not what was stored: it is not given out; the operator is told");
            case RowBrokenException:
                // Which row it is was logged when it was found; a line a request would hide what else happens.
                return Failed(
                    OutcomeCategory.Unavailable, "a stored row is not what was stored: nothing is given out; the operator is told");
            case DecisionDiffersException:
                LogDisagreement(exception);
                return Failed(
                    OutcomeCategory.Unavailable, "the consents could not be decided: nothing is given out; the operator is told");
            case StoreUnavailableException:
                LogUnavailable(exception);
                return Failed(OutcomeCategory.Unavailable, "the database cannot be written: nothing is given out unaudited");
            case BlockStoreUnavailableException:
                LogNoBlocks(exception);
                return Failed(OutcomeCategory.Unavailable, "the stores cannot be written: nothing was kept");
            case BadHttpRequestException broken:
                return FhirResponse.From(BrokenRequest.Of(broken));
            default:
                LogBug(exception, method, path);
                return Failed(OutcomeCategory.Fault, "an error of the gateway; the operator's log tells more");
        }
    }

    private static FhirResponse Failed(OutcomeCategory category, string text) => FhirResponse.From(Outcome.Of(category, text));

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private partial void LogBug(Exception e, string method, string path);

    [LoggerMessage(Level = LogLevel.Critical, Message = "A stored record is not what was stored")]
    private partial void LogCorrupt(Exception e);

    [LoggerMessage(Level = LogLevel.Error, Message = "The query and the decision differ")]
    private partial void LogDisagreement(Exception e);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The block store cannot be reached")]
    private partial void LogNoBlocks(Exception e);

    [LoggerMessage(Level = LogLevel.Error, Message = "The database cannot be written")]
    private partial void LogUnavailable(Exception e);
}
