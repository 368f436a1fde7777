using Microsoft.Extensions.Logging;
using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Ipfs;
using PmrGateway.Tests.Unit.LedgerAdapter;
using PmrGateway.Vault;

namespace PmrGateway.Tests.Unit.Gateway;

public class WriteFlowTests
{
    [Fact]
    public async Task A_store_that_fails_at_the_commit_is_answered_and_told_to_the_operator_in_one_warning()
    {
        using var folder = new TemporaryFolder();
        var vault = new RecordVault(Keyring.Create(folder["keyring.json"]));
        var upload = new ContentUpload(new FullDisk(), vault);
        await upload.SealAsync(new byte[10], new SealContext("Binary", "b", 1), default);
        using var log = new LogLines();
        // It does not come as far as the parts that are not there.
        var silent = new ImplicitConsents(null!, null!, null!, new GatewayOptions(), TimeProvider.System);
        var flow = new WriteFlow(
            null!, null!, vault, null!, null!, null!, null!, silent, null!, null!, null!, null!, null!, TimeProvider.System,
            new Logger<WriteFlow>(new LoggerFactory([log])));
        var answer = await flow.CommitAsync(flow.Begin(Caller.Nobody, new StreamedBody([], upload)), [], default);
        Assert.Equal(OutcomeCategory.Unavailable, answer.Failure!.Category);
        Assert.Equal(["Warning: The stores cannot be written: nothing of the request was kept"], log.Lines);
    }

    private sealed class FullDisk : IBlockBatch
    {
        public ValueTask PutAsync(Block block, CancellationToken cancellation) => default;

        public Task CommitAsync(IReadOnlyList<Cid> roots, CancellationToken cancellation) =>
            throw new BlockStoreUnavailableException("the disk is full");
    }
}
