// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Test} from "forge-std/Test.sol";
import {AnchorRegistry} from "../src/AnchorRegistry.sol";
import {MerkleTree} from "../src/MerkleTree.sol";
import {IAnchorRegistry} from "../src/interfaces/IAnchorRegistry.sol";

contract AnchorRegistryTest is Test {
    AnchorRegistry private anchors = new AnchorRegistry(address(this));
    bytes32 private constant HOSPITAL = "hospital";

    function test_anchor_storesAndEmits() public {
        vm.expectEmit(address(anchors));
        emit IAnchorRegistry.BatchAnchored(HOSPITAL, 0, "root", 3, hex"0102");
        anchors.anchor(HOSPITAL, 0, "root", 3, hex"0102");
        assertEq(anchors.batchOf(HOSPITAL, 0).root, "root");
        assertEq(anchors.nextSequence(HOSPITAL), 1);
        assertEq(anchors.nextSequence("other"), 0);
    }

    function test_fuzz_anchor_revertsWithSequenceGap(uint64 sequence) public {
        vm.assume(sequence != 0);
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.SequenceGap.selector, HOSPITAL, uint64(0), sequence));
        anchors.anchor(HOSPITAL, sequence, "root", 1, "");
    }

    function test_anchor_revertsWithBatchEmpty() public {
        vm.expectRevert(IAnchorRegistry.BatchEmpty.selector);
        anchors.anchor(HOSPITAL, 0, "root", 0, "");
    }

    function test_fuzz_anchor_needsTheRole(address caller) public {
        vm.assume(caller != address(this));
        bytes32 role = anchors.ANCHOR_ROLE();
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role));
        anchors.anchor(HOSPITAL, 0, "root", 1, "");
    }

    function test_fuzz_everyLeafOfATreeVerifies_andNoOther(uint256 count, uint256 index, bytes32 seed) public {
        count = bound(count, 1, 40);
        index = bound(index, 0, count - 1);
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
        anchors.anchor(HOSPITAL, 0, _root(leaves, 0, count), uint32(count), "");
        bytes32[] memory proof = _path(leaves, index);
        assertTrue(anchors.verify(HOSPITAL, 0, leaves[index], uint32(index), proof));
        assertFalse(anchors.verify(HOSPITAL, 0, seed, uint32(index), proof));
        assertFalse(anchors.verify(HOSPITAL, 0, leaves[index], uint32(count), proof));
        if (count > 1) {
            assertFalse(anchors.verify(HOSPITAL, 0, leaves[index], uint32((index + 1) % count), proof));
            proof[0] ^= bytes32(uint256(1));
            assertFalse(anchors.verify(HOSPITAL, 0, leaves[index], uint32(index), proof));
        }
    }

    function test_sharedVectors() public {
        string memory json = vm.readFile("../tests/vectors/merkle.json");
        uint256 total = vm.parseJsonUint(json, ".total");
        assertGt(total, 0);
        for (uint256 i = 0; i < total; i++) {
            string memory at = string.concat(".proofs[", vm.toString(i), "]");
            bytes32 custodian = bytes32(i + 1);
            uint256 count = vm.parseJsonUint(json, string.concat(at, ".count"));
            anchors.anchor(custodian, 0, vm.parseJsonBytes32(json, string.concat(at, ".root")), uint32(count), "");
            bool ok = anchors.verify(
                custodian,
                0,
                vm.parseJsonBytes32(json, string.concat(at, ".leaf")),
                uint32(vm.parseJsonUint(json, string.concat(at, ".index"))),
                vm.parseJsonBytes32Array(json, string.concat(at, ".path"))
            );
            assertEq(ok, vm.parseJsonBool(json, string.concat(at, ".valid")), at);
        }
        assertEq(
            anchors.leafOf(
                vm.parseJsonBytes32(json, ".leaf.cidDigest"),
                vm.parseJsonBytes32(json, ".leaf.keyCommitment"),
                vm.parseJsonBytes32(json, ".leaf.contentCommitment")
            ),
            vm.parseJsonBytes32(json, ".leaf.hash")
        );
    }

    /// RFC 9162, section 2.1.1, written recursively: the split is the largest power of two below the count.
    function _root(bytes32[] memory leaves, uint256 from, uint256 to) private pure returns (bytes32) {
        if (to - from == 1) return leaves[from];
        uint256 split = _split(to - from);
        return MerkleTree.node(_root(leaves, from, from + split), _root(leaves, from + split, to));
    }

    function _path(bytes32[] memory leaves, uint256 index) private pure returns (bytes32[] memory) {
        bytes32[] memory reversed = new bytes32[](64);
        uint256 length = 0;
        uint256 from = 0;
        uint256 to = leaves.length;
        while (to - from > 1) {
            uint256 middle = from + _split(to - from);
            if (index < middle) {
                reversed[length++] = _root(leaves, middle, to);
                to = middle;
            } else {
                reversed[length++] = _root(leaves, from, middle);
                from = middle;
            }
        }
        bytes32[] memory path = new bytes32[](length);
        for (uint256 i = 0; i < length; i++) {
            path[i] = reversed[length - 1 - i];
        }
        return path;
    }

    function _split(uint256 count) private pure returns (uint256 split) {
        split = 1;
        while (split * 2 < count) {
            split *= 2;
        }
    }
}
