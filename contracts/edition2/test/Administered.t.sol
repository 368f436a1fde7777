// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControlDefaultAdminRules} from
    "@openzeppelin/contracts/access/extensions/IAccessControlDefaultAdminRules.sol";
import {Test} from "forge-std/Test.sol";
import {Administered} from "../src/Administered.sol";
import {AnchorRegistry} from "../src/AnchorRegistry.sol";

contract AdministeredTest is Test {
    address private admin = makeAddr("admin");
    address private next = makeAddr("next");
    AnchorRegistry private anchors = new AnchorRegistry(1 days, admin, address(this));

    function test_theAdmin_changesInTwoStepsWithADelay() public {
        vm.prank(admin);
        anchors.beginDefaultAdminTransfer(next);
        vm.prank(next);
        vm.expectRevert();
        anchors.acceptDefaultAdminTransfer();
        vm.warp(block.timestamp + 1 days + 1);
        vm.prank(makeAddr("stranger"));
        vm.expectRevert();
        anchors.acceptDefaultAdminTransfer();
        vm.prank(next);
        anchors.acceptDefaultAdminTransfer();
        assertEq(anchors.defaultAdmin(), next);
        assertFalse(anchors.hasRole(0, admin));
    }

    function test_theLastAdmin_cannotVanish() public {
        vm.startPrank(admin);
        vm.expectRevert(Administered.AdminRequired.selector);
        anchors.beginDefaultAdminTransfer(address(0));
        vm.expectRevert();
        anchors.renounceRole(0, admin);
        anchors.beginDefaultAdminTransfer(next);
        vm.warp(block.timestamp + 2 days);
        vm.expectRevert();
        anchors.renounceRole(0, admin);
        anchors.cancelDefaultAdminTransfer();
        vm.expectRevert();
        anchors.renounceRole(0, admin);
        vm.expectRevert(IAccessControlDefaultAdminRules.AccessControlEnforcedDefaultAdminRules.selector);
        anchors.revokeRole(0, admin);
        assertEq(anchors.defaultAdmin(), admin);
    }

    function test_aStolenRole_isTakenBackByTheAdmin() public {
        bytes32 role = anchors.ANCHOR_ROLE();
        vm.startPrank(admin);
        anchors.revokeRole(role, address(this));
        anchors.grantRole(role, next);
        vm.stopPrank();
        assertFalse(anchors.hasRole(role, address(this)));
        assertTrue(anchors.hasRole(role, next));
        assertFalse(anchors.hasRole(role, admin));
    }
}
