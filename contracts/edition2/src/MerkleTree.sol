// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title RFC 9162 Merkle tree hashes and inclusion proofs, with keccak256
library MerkleTree {
    /// @notice Hash of a leaf's three commitments. The 0x00 prefix keeps a leaf from being read as a node.
    function leaf(bytes32 cidDigest, bytes32 keyCommitment, bytes32 contentCommitment) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), cidDigest, keyCommitment, contentCommitment));
    }

    /// @notice Hash of an inner node
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// @notice RFC 9162, section 2.1.3.2: whether `hash` is leaf `index` of the tree with `count` leaves under `root`
    function verify(bytes32 root, uint256 count, bytes32 hash, uint256 index, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        if (index >= count) return false;
        uint256 fn = index;
        uint256 sn = count - 1;
        for (uint256 i = 0; i < proof.length; i++) {
            if (sn == 0) return false;
            if (fn & 1 == 1 || fn == sn) {
                hash = node(proof[i], hash);
                while (fn & 1 == 0 && fn != 0) {
                    fn >>= 1;
                    sn >>= 1;
                }
            } else {
                hash = node(hash, proof[i]);
            }
            fn >>= 1;
            sn >>= 1;
        }
        return sn == 0 && hash == root;
    }
}
