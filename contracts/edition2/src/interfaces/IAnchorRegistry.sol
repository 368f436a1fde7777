// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The commit record: one Merkle root for each batch of record versions, or for each stretch of the audit log
/// @notice Each custodian's batches are a hash chain, and its head is all that is stored:
///     batch = keccak256(kind || root || keccak256(sealedCid))        kind: one byte
///     head' = keccak256(head || batch)                               the first head: zero
/// Who anchors names the head that it goes on from, so a batch is anchored exactly once and none is missing. ANCHOR_ROLE anchors for any
/// custodian: who shares a ledger shares that trust, and no other, since a batch that is not one's own shows in the chain. Trees are
/// those of RFC 9162, section 2.1, with keccak256; docs/formats/anchor.md has the bytes.
interface IAnchorRegistry {
    /// @notice What a root is over
    enum Kind {
        // versions of records, in a segment
        Records,
        // heads of the audit log alone
        Audit,
        // one version: the root is its leaf, and the sealed CID is the record's own
        Record
    }

    /// @notice One batch of anchorMany
    struct Batch {
        // what the root is over
        Kind kind;
        // Merkle root over the leaves
        bytes32 root;
        // the CID of what was anchored, encrypted for the custodian's gateway
        bytes sealedCid;
    }

    /// @notice Thrown when a custodian's head is not the one that the caller goes on from
    error HeadMoved(bytes32 custodian, bytes32 head);

    /// @notice Thrown when a custodian or root that must not be zero is zero
    error ZeroValue();

    /// @notice A batch was anchored
    /// @param sealedCid the CID of what was anchored, encrypted for the custodian's gateway
    /// @param head the custodian's head with this batch
    event BatchAnchored(bytes32 indexed custodian, Kind kind, bytes32 root, bytes sealedCid, bytes32 head);

    /// @notice Anchors the custodian's next batch; needs ANCHOR_ROLE
    /// @param expectedHead the head that it goes on from (headOf)
    function anchor(bytes32 custodian, bytes32 expectedHead, Kind kind, bytes32 root, bytes calldata sealedCid) external;

    /// @notice Anchors the custodian's next batches in order, all or none; needs ANCHOR_ROLE
    function anchorMany(bytes32 custodian, bytes32 expectedHead, Batch[] calldata batches) external;

    /// @notice The custodian's head; zero: nothing is anchored
    function headOf(bytes32 custodian) external view returns (bytes32);

    /// @notice Whether a batch is in the custodian's chain
    /// @param headBefore the head that it was anchored on
    /// @param sealedCidHash keccak256 of its sealed CID
    /// @param laterBatches hashes of all batches anchored after it, in order (batchOf)
    function verify(
        bytes32 custodian,
        bytes32 headBefore,
        Kind kind,
        bytes32 root,
        bytes32 sealedCidHash,
        bytes32[] calldata laterBatches
    ) external view returns (bool);

    /// @notice The hash of a batch
    function batchOf(Kind kind, bytes32 root, bytes32 sealedCidHash) external pure returns (bytes32);

    /// @notice Whether a leaf is under a root
    /// @dev The count is not on the chain: who shows a proof names it. A leaf cannot be taken for a node (0x00, 0x01), so a proof
    /// of another count shows at worst another place of a leaf that is there.
    /// @param leaf the leaf hash (docs/formats/anchor.md)
    /// @param index the leaf's position, from 0
    /// @param count number of leaves
    /// @param proof the sibling hashes from the leaf up
    function verifyLeaf(bytes32 root, bytes32 leaf, uint32 index, uint32 count, bytes32[] calldata proof)
        external
        pure
        returns (bool);

    /// @notice The leaf hash of a record version
    /// @param cidDigest SHA-256 multihash digest of the sealed bytes' CID
    /// @param keyCommitment commitment to the data key
    /// @param contentCommitment keccak256(salt || SHA-256 of the plaintext)
    function leafOf(bytes32 cidDigest, bytes32 keyCommitment, bytes32 contentCommitment) external pure returns (bytes32);
}
