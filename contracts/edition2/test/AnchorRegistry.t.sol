// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Test} from "forge-std/Test.sol";
import {AnchorRegistry} from "../src/AnchorRegistry.sol";
import {MerkleTree} from "../src/MerkleTree.sol";
import {IAnchorRegistry} from "../src/interfaces/IAnchorRegistry.sol";

contract AnchorRegistryTest is Test {
    address private anchorer = makeAddr("anchorer");
    AnchorRegistry private anchors = new AnchorRegistry(1 days, makeAddr("admin"), anchorer);
    bytes32 private constant HOSPITAL = "hospital";

    function test_anchor_movesTheHeadAndTellsIt() public {
        bytes32 head = chained(0, IAnchorRegistry.Kind.Records, "root", hex"0102");
        vm.expectEmit(address(anchors));
        emit IAnchorRegistry.BatchAnchored(HOSPITAL, IAnchorRegistry.Kind.Records, "root", hex"0102", head);
        vm.prank(anchorer);
        anchors.anchor(HOSPITAL, 0, IAnchorRegistry.Kind.Records, "root", hex"0102");
        assertEq(anchors.headOf(HOSPITAL), head);
        assertEq(anchors.headOf("other"), 0);
    }

    function test_aBatch_isAnchoredExactlyOnce() public {
        vm.startPrank(anchorer);
        anchors.anchor(HOSPITAL, 0, IAnchorRegistry.Kind.Records, "root", "cid");
        bytes memory refusal =
            abi.encodeWithSelector(IAnchorRegistry.HeadMoved.selector, HOSPITAL, anchors.headOf(HOSPITAL));
        vm.expectRevert(refusal);
        anchors.anchor(HOSPITAL, 0, IAnchorRegistry.Kind.Records, "root", "cid");
        vm.expectRevert(refusal);
        anchors.anchorMany(HOSPITAL, 0, some(2));
    }

    function test_fuzz_anchor_revertsWithHeadMoved(bytes32 head) public {
        vm.assume(head != 0);
        vm.prank(anchorer);
        vm.expectRevert(abi.encodeWithSelector(IAnchorRegistry.HeadMoved.selector, HOSPITAL, bytes32(0)));
        anchors.anchor(HOSPITAL, head, IAnchorRegistry.Kind.Audit, "root", "cid");
    }

    function test_anchor_revertsWithZeroValue() public {
        vm.startPrank(anchorer);
        vm.expectRevert(IAnchorRegistry.ZeroValue.selector);
        anchors.anchor(HOSPITAL, 0, IAnchorRegistry.Kind.Records, 0, "cid");
        vm.expectRevert(IAnchorRegistry.ZeroValue.selector);
        anchors.anchor(0, 0, IAnchorRegistry.Kind.Records, "root", "cid");
    }

    function test_fuzz_anchorMany_isAnchorOneByOne(uint8 count) public {
        IAnchorRegistry.Batch[] memory batches = some(count % 20);
        vm.startPrank(anchorer);
        anchors.anchorMany(HOSPITAL, 0, batches);
        for (uint256 i = 0; i < batches.length; i++) {
            anchors.anchor("other", anchors.headOf("other"), batches[i].kind, batches[i].root, batches[i].sealedCid);
        }
        assertEq(anchors.headOf(HOSPITAL), anchors.headOf("other"));
    }

    function test_fuzz_verify_knowsEveryBatchInItsPlaceAndNoOther(uint256 count, uint256 at, bytes32 other) public {
        count = bound(count, 1, 12);
        at = bound(at, 0, count - 1);
        IAnchorRegistry.Batch[] memory batches = some(count);
        vm.prank(anchorer);
        anchors.anchorMany(HOSPITAL, 0, batches);
        bytes32 before = 0;
        for (uint256 i = 0; i < at; i++) {
            before = chained(before, batches[i].kind, batches[i].root, batches[i].sealedCid);
        }
        bytes32[] memory later = new bytes32[](count - at - 1);
        for (uint256 i = 0; i < later.length; i++) {
            IAnchorRegistry.Batch memory b = batches[at + 1 + i];
            later[i] = anchors.batchOf(b.kind, b.root, keccak256(b.sealedCid));
        }
        knowsOnly(before, batches[at], later, other);
    }

    function knowsOnly(bytes32 before, IAnchorRegistry.Batch memory b, bytes32[] memory later, bytes32 other) private view {
        bytes32 cid = keccak256(b.sealedCid);
        assertTrue(anchors.verify(HOSPITAL, before, b.kind, b.root, cid, later));
        assertFalse(anchors.verify("other", before, b.kind, b.root, cid, later));
        assertFalse(anchors.verify(HOSPITAL, other, b.kind, b.root, cid, later));
        assertFalse(anchors.verify(HOSPITAL, before, b.kind, other, cid, later));
        assertFalse(anchors.verify(HOSPITAL, before, b.kind, b.root, other, later));
        assertFalse(anchors.verify(HOSPITAL, before, IAnchorRegistry.Kind((uint8(b.kind) + 1) % 3), b.root, cid, later));
        assertFalse(anchors.verify(HOSPITAL, before, b.kind, b.root, cid, new bytes32[](later.length + 1)));
    }

    function test_fuzz_anchor_needsTheRole(address caller) public {
        vm.assume(caller != anchorer);
        bytes memory refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, caller, anchors.ANCHOR_ROLE()
        );
        vm.startPrank(caller);
        vm.expectRevert(refusal);
        anchors.anchor(HOSPITAL, 0, IAnchorRegistry.Kind.Records, "root", "");
        vm.expectRevert(refusal);
        anchors.anchorMany(HOSPITAL, 0, some(1));
    }

    function test_fuzz_everyLeafOfATreeVerifies_andNoOther(uint256 count, uint256 index, bytes32 seed) public view {
        count = bound(count, 1, 40);
        index = bound(index, 0, count - 1);
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; i++) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
        bytes32 root = _root(leaves, 0, count);
        (uint32 c, uint32 at) = (uint32(count), uint32(index));
        bytes32[] memory proof = _path(leaves, index);
        assertTrue(anchors.verifyLeaf(root, leaves[index], at, c, proof));
        assertFalse(anchors.verifyLeaf(root, seed, at, c, proof));
        assertFalse(anchors.verifyLeaf(root, leaves[index], c, c, proof));
        assertFalse(anchors.verifyLeaf(root, leaves[index], 0, 0, proof));
        if (count > 1) {
            assertFalse(anchors.verifyLeaf(root, leaves[index], (at + 1) % c, c, proof));
            proof[0] ^= bytes32(uint256(1));
            assertFalse(anchors.verifyLeaf(root, leaves[index], at, c, proof));
        }
    }

    function test_anyCountInAProof_showsOnlyLeavesThatAreThere() public view {
        bytes32[] memory leaves = new bytes32[](4);
        for (uint256 i = 0; i < 4; i++) {
            leaves[i] = MerkleTree.leaf("cid", "key", bytes32(i));
        }
        bytes32 root = _root(leaves, 0, 4);
        bytes32 inner = MerkleTree.node(leaves[0], leaves[1]);
        // With a count of two the root's children verify; each is a node, and no opening makes a leaf of it.
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = MerkleTree.node(leaves[2], leaves[3]);
        assertTrue(anchors.verifyLeaf(root, inner, 0, 2, proof));
        assertNotEq(inner, anchors.leafOf("cid", "key", 0));
    }

    function test_sharedVectors() public view {
        string memory json = vm.readFile("../../tests/vectors/merkle.json");
        uint256 total = vm.parseJsonUint(json, ".total");
        assertGt(total, 0);
        for (uint256 i = 0; i < total; i++) {
            string memory at = string.concat(".proofs[", vm.toString(i), "]");
            bool ok = anchors.verifyLeaf(
                vm.parseJsonBytes32(json, string.concat(at, ".root")),
                vm.parseJsonBytes32(json, string.concat(at, ".leaf")),
                uint32(vm.parseJsonUint(json, string.concat(at, ".index"))),
                uint32(vm.parseJsonUint(json, string.concat(at, ".count"))),
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

    function chained(bytes32 head, IAnchorRegistry.Kind kind, bytes32 root, bytes memory sealedCid)
        private
        pure
        returns (bytes32)
    {
        bytes32 batch = keccak256(abi.encodePacked(uint8(kind), root, keccak256(sealedCid)));
        return keccak256(abi.encodePacked(head, batch));
    }

    function some(uint256 count) private pure returns (IAnchorRegistry.Batch[] memory batches) {
        batches = new IAnchorRegistry.Batch[](count);
        for (uint256 i = 0; i < count; i++) {
            batches[i] = IAnchorRegistry.Batch(IAnchorRegistry.Kind(i % 3), keccak256(abi.encode(i)), abi.encode("cid", i));
        }
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
