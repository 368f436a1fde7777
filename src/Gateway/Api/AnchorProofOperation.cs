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
    RecordStore records, ReadFlow flow, DirectoryStore directory, ContractSet contracts, LedgerOptions ledger)
{
    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation) => flow.RunAsync(
        call.Caller,
        call.AsRead(),
        access => records.Read(access, call.Type, call.Id, null) is { IsDeleted: false } found
            ? new Found([found])
            : new Found([], Outcome.NotFound),
        opened => new FhirResponse(200, Proof(opened[0].Version)?.ToJson() ?? LedgerStatus.ToJson(LedgerStatus.Pending))
        {
            Decision = ReadFlow.Receipt(opened),
        },
        cancellation);

    private AnchorProof? Proof(StoredVersion version)
    {
        if (records.Anchor(version.Facts.Type, version.Facts.Id, version.Version) is not { } place) return null;
        Ipfs.Cid.TryParse(version.Cid, out var cid);
        return new AnchorProof(
            $"{version.Facts.Type}/{version.Facts.Id}/_history/{version.Version}",
            new AnchorLeaf(cid!.Digest.ToArray(), version.KeyCommitment, version.Salt, version.Digest),
            (uint)place.LeafIndex,
            (uint)place.Leaves.Count,
            MerkleTree.Path(place.Leaves, place.LeafIndex),
            Hex.Bytes(place.Root),
            Hex.Bytes(directory.Actor(place.Custodian)!.ActorId),
            place.Sequence,
            ledger.ChainId,
            contracts.Addresses[ContractSet.Anchors],
            place.Transaction,
            place.Block);
    }
}
