// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Administered} from "./Administered.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {IAnchorRegistry} from "./interfaces/IAnchorRegistry.sol";

/// @title See IAnchorRegistry: the interface is the manual
contract AnchorRegistry is IAnchorRegistry, Administered {
    /// @notice May anchor batches
    bytes32 public constant ANCHOR_ROLE = keccak256("ANCHOR_ROLE");

    /// @inheritdoc IAnchorRegistry
    mapping(bytes32 custodian => bytes32 head) public headOf;

    constructor(uint48 adminDelay, address admin, address anchorer) Administered(adminDelay, admin) {
        if (anchorer == address(0)) revert ZeroValue();
        _grantRole(ANCHOR_ROLE, anchorer);
    }

    /// @inheritdoc IAnchorRegistry
    function anchor(bytes32 custodian, bytes32 expectedHead, Kind kind, bytes32 root, bytes calldata sealedCid)
        external
        onlyRole(ANCHOR_ROLE)
    {
        _requireHead(custodian, expectedHead);
        headOf[custodian] = _append(custodian, expectedHead, kind, root, sealedCid);
    }

    /// @inheritdoc IAnchorRegistry
    function anchorMany(bytes32 custodian, bytes32 expectedHead, Batch[] calldata batches) external onlyRole(ANCHOR_ROLE) {
        _requireHead(custodian, expectedHead);
        bytes32 head = expectedHead;
        for (uint256 i = 0; i < batches.length; i++) {
            Batch calldata batch = batches[i];
            head = _append(custodian, head, batch.kind, batch.root, batch.sealedCid);
        }
        headOf[custodian] = head;
    }

    /// @inheritdoc IAnchorRegistry
    function verify(
        bytes32 custodian,
        bytes32 headBefore,
        Kind kind,
        bytes32 root,
        bytes32 sealedCidHash,
        bytes32[] calldata laterBatches
    ) external view returns (bool) {
        bytes32 head = _next(headBefore, batchOf(kind, root, sealedCidHash));
        for (uint256 i = 0; i < laterBatches.length; i++) {
            head = _next(head, laterBatches[i]);
        }
        return head == headOf[custodian];
    }

    /// @inheritdoc IAnchorRegistry
    function batchOf(Kind kind, bytes32 root, bytes32 sealedCidHash) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(kind, root, sealedCidHash));
    }

    /// @inheritdoc IAnchorRegistry
    function verifyLeaf(bytes32 root, bytes32 leaf, uint32 index, uint32 count, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return MerkleTree.verify(root, count, leaf, index, proof);
    }

    /// @inheritdoc IAnchorRegistry
    function leafOf(bytes32 cidDigest, bytes32 keyCommitment, bytes32 contentCommitment) external pure returns (bytes32) {
        return MerkleTree.leaf(cidDigest, keyCommitment, contentCommitment);
    }

    function _requireHead(bytes32 custodian, bytes32 expectedHead) private view {
        if (custodian == 0) revert ZeroValue();
        if (headOf[custodian] != expectedHead) revert HeadMoved(custodian, headOf[custodian]);
    }

    function _append(bytes32 custodian, bytes32 head, Kind kind, bytes32 root, bytes calldata sealedCid)
        private
        returns (bytes32 next)
    {
        if (root == 0) revert ZeroValue();
        next = _next(head, batchOf(kind, root, keccak256(sealedCid)));
        emit BatchAnchored(custodian, kind, root, sealedCid, next);
    }

    function _next(bytes32 head, bytes32 batch) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(head, batch));
    }
}
