using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Ledger;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Operation $anchor-proof: the inclusion proof of a resource's current version; before its batch is closed, status pending. The proof is
/// docs/formats/anchor.md. https://hl7.org/fhir/R4/operations.html
/// </summary>
internal sealed class AnchorProofOperation(
    AnchorPlaces places, ReadFlow flow, DirectoryStore directory, ContractSet contracts, LedgerOptions ledger)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        OpenedRecord? released = null;
        var answer = await flow.RunAsync(
            call.Caller,
            call.AsRead(),
            async snapshot => await snapshot.ReadAsync(call.Type, call.Id, null, cancellation) is { Version.IsDeleted: false } found
                ? new Found([found])
                : new Found([], Outcome.NotFound),
            opened =>
            {
                released = opened[0];
                return FhirResponse.NoContent;
            },
            cancellation);
        if (released is null) return answer;
        var proof = await ProofAsync(released.Version, cancellation);
        return new FhirResponse(200, proof?.ToJson() ?? LedgerStatus.ToJson(LedgerStatus.Pending)) { Decision = answer.Decision };
    }

    private async Task<AnchorProof?> ProofAsync(StoredVersion version, CancellationToken cancellation)
    {
        if (await places.OfAsync(version.Facts.Type, version.Facts.Id, version.Version, cancellation) is not { } place) return null;
        var custodian = (await directory.ActorAsync(place.Custodian, cancellation))!;
        Ipfs.Cid.TryParse(version.Cid, out var cid);
        return new AnchorProof(
            $"{version.Facts.Type}/{version.Facts.Id}/_history/{version.Version}",
            new AnchorLeaf(cid!.Digest.ToArray(), version.KeyCommitment, version.Salt, version.Digest),
            (uint)place.LeafIndex,
            (uint)place.Leaves.Count,
            MerkleTree.Path(place.Leaves, place.LeafIndex),
            Convert.FromHexString(place.Root),
            Convert.FromHexString(custodian.ActorId),
            place.Sequence,
            ledger.ChainId,
            contracts.Addresses[ContractSet.Anchors],
            place.Transaction,
            place.Block);
    }
}
