// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {AnchorRegistry} from "../src/AnchorRegistry.sol";
import {IAnchorRegistry} from "../src/interfaces/IAnchorRegistry.sol";

/// @title Two gateways and a stranger anchor for two custodians, from heads that they know or remember
contract AnchorHandler is Test {
    AnchorRegistry public immutable ANCHORS;
    address[3] private _callers;
    mapping(uint8 custodian => bytes32[]) private _heads;
    mapping(uint8 custodian => IAnchorRegistry.Batch[]) private _batches;

    constructor(AnchorRegistry anchors, address[3] memory callers) {
        (ANCHORS, _callers) = (anchors, callers);
        _heads[0].push(0);
        _heads[1].push(0);
    }

    function anchor(uint8 caller, uint8 custodian, uint256 from, uint8 kind, bytes32 root, bytes calldata sealedCid) external {
        (caller, custodian, kind) = (caller % 3, custodian % 2, kind % 3);
        bytes32[] storage heads = _heads[custodian];
        bytes32 head = from % 3 == 0 ? heads[from % heads.length] : heads[heads.length - 1];
        bool allowed = caller != 2 && head == heads[heads.length - 1] && root != 0;
        vm.prank(_callers[caller]);
        (bool ok,) = address(ANCHORS).call(
            abi.encodeCall(IAnchorRegistry.anchor, (id(custodian), head, IAnchorRegistry.Kind(kind), root, sealedCid))
        );
        assertEq(ok, allowed);
        if (!ok) return;
        bytes32 batch = keccak256(abi.encodePacked(kind, root, keccak256(sealedCid)));
        heads.push(keccak256(abi.encodePacked(head, batch)));
        _batches[custodian].push(IAnchorRegistry.Batch(IAnchorRegistry.Kind(kind), root, sealedCid));
    }

    function headsOf(uint8 custodian) external view returns (bytes32[] memory) {
        return _heads[custodian];
    }

    function batchesOf(uint8 custodian) external view returns (IAnchorRegistry.Batch[] memory) {
        return _batches[custodian];
    }

    function id(uint8 custodian) public pure returns (bytes32) {
        return bytes32(uint256(custodian) + 1);
    }
}

/// @dev The handler asserts that only who has the role, and goes on from the head, anchors.
contract AnchorInvariantsTest is Test {
    AnchorHandler private handler;

    function setUp() public {
        address[3] memory callers = [makeAddr("gateway"), makeAddr("another gateway"), makeAddr("stranger")];
        address admin = makeAddr("admin");
        AnchorRegistry anchors = new AnchorRegistry(1 days, admin, callers[0]);
        bytes32 role = anchors.ANCHOR_ROLE();
        vm.prank(admin);
        anchors.grantRole(role, callers[1]);
        handler = new AnchorHandler(anchors, callers);
        targetContract(address(handler));
    }

    function invariant_aHeadNeverGoesBack_andEveryBatchStaysInTheChain() public view {
        for (uint8 custodian = 0; custodian < 2; custodian++) {
            bytes32[] memory heads = handler.headsOf(custodian);
            assertEq(handler.ANCHORS().headOf(handler.id(custodian)), heads[heads.length - 1]);
            IAnchorRegistry.Batch[] memory batches = handler.batchesOf(custodian);
            if (batches.length == 0) continue;
            bytes32[] memory later = new bytes32[](batches.length - 1);
            for (uint256 i = 1; i < batches.length; i++) {
                later[i - 1] = handler.ANCHORS().batchOf(batches[i].kind, batches[i].root, keccak256(batches[i].sealedCid));
            }
            bytes32 cid = keccak256(batches[0].sealedCid);
            assertTrue(handler.ANCHORS().verify(handler.id(custodian), 0, batches[0].kind, batches[0].root, cid, later));
        }
    }
}
