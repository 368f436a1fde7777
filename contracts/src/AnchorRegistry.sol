// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IAnchorRegistry} from "./interfaces/IAnchorRegistry.sol";
import {MerkleTree} from "./MerkleTree.sol";

/// @title See IAnchorRegistry: the interface is the manual
contract AnchorRegistry is IAnchorRegistry, AccessControl {
    /// @notice May anchor batches
    bytes32 public constant ANCHOR_ROLE = keccak256("ANCHOR_ROLE");

    mapping(bytes32 custodian => uint64) private _nextSequence;
    mapping(bytes32 custodian => mapping(uint64 sequence => Batch)) private _batches;

    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(ANCHOR_ROLE, admin);
    }

    /// @inheritdoc IAnchorRegistry
    function anchor(bytes32 custodian, uint64 sequence, bytes32 root, uint32 leafCount, bytes calldata sealedCid)
        external
        onlyRole(ANCHOR_ROLE)
    {
        uint64 expected = _nextSequence[custodian];
        if (sequence != expected) revert SequenceGap(custodian, expected, sequence);
        if (leafCount == 0) revert BatchEmpty();
        _nextSequence[custodian] = expected + 1;
        _batches[custodian][sequence] = Batch(root, leafCount, uint64(block.number));
        emit BatchAnchored(custodian, sequence, root, leafCount, sealedCid);
    }

    /// @inheritdoc IAnchorRegistry
    function nextSequence(bytes32 custodian) external view returns (uint64) {
        return _nextSequence[custodian];
    }

    /// @inheritdoc IAnchorRegistry
    function batchOf(bytes32 custodian, uint64 sequence) external view returns (Batch memory) {
        return _batches[custodian][sequence];
    }

    /// @inheritdoc IAnchorRegistry
    function verify(bytes32 custodian, uint64 sequence, bytes32 leaf, uint32 index, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        Batch storage batch = _batches[custodian][sequence];
        return MerkleTree.verify(batch.root, batch.leafCount, leaf, index, proof);
    }

    /// @inheritdoc IAnchorRegistry
    function leafOf(bytes32 cidDigest, bytes32 keyCommitment, bytes32 contentCommitment) external pure returns (bytes32) {
        return MerkleTree.leaf(cidDigest, keyCommitment, contentCommitment);
    }
}
