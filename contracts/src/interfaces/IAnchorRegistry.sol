// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The commit record: one Merkle root for each batch of record versions
/// @notice Each custodian's batches are numbered from 0 without a gap, so a missing batch cannot go unseen. The tree is that
/// of RFC 9162, section 2.1, with keccak256; docs/formats/anchor.md has the bytes.
interface IAnchorRegistry {
    /// @notice One anchored batch
    struct Batch {
        // Merkle root over the leaves
        bytes32 root;
        // number of leaves, at least 1
        uint32 leafCount;
        // block in which it was anchored
        uint64 blockNumber;
    }

    /// @notice Thrown when a batch is not the custodian's next
    error SequenceGap(bytes32 custodian, uint64 expected, uint64 given);

    /// @notice Thrown when a batch has no leaf
    error BatchEmpty();

    /// @notice A batch was anchored
    /// @param sealedCid the CID of the batch's segment in IPFS, encrypted for the custodian's gateway
    event BatchAnchored(
        bytes32 indexed custodian, uint64 indexed sequence, bytes32 root, uint32 leafCount, bytes sealedCid
    );

    /// @notice Anchors the custodian's next batch; needs ANCHOR_ROLE
    function anchor(bytes32 custodian, uint64 sequence, bytes32 root, uint32 leafCount, bytes calldata sealedCid) external;

    /// @notice The sequence number that the custodian's next batch must carry
    function nextSequence(bytes32 custodian) external view returns (uint64);

    /// @notice An anchored batch; leafCount 0 when there is none
    function batchOf(bytes32 custodian, uint64 sequence) external view returns (Batch memory);

    /// @notice Whether a leaf is in an anchored batch
    /// @param leaf the leaf hash (docs/formats/anchor.md)
    /// @param index the leaf's position, from 0
    /// @param proof the sibling hashes from the leaf up
    function verify(bytes32 custodian, uint64 sequence, bytes32 leaf, uint32 index, bytes32[] calldata proof)
        external
        view
        returns (bool);

    /// @notice The leaf hash of a record version
    /// @param cidDigest SHA-256 multihash digest of the sealed bytes' CID
    /// @param keyCommitment commitment to the data key
    /// @param contentCommitment keccak256(salt || SHA-256 of the plaintext)
    function leafOf(bytes32 cidDigest, bytes32 keyCommitment, bytes32 contentCommitment) external pure returns (bytes32);
}
