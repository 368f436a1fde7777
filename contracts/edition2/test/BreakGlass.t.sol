// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {IActorRegistry} from "../src/interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {ConsentFixture} from "./support/ConsentFixture.sol";

contract BreakGlassTest is ConsentFixture {
    bytes32 private constant C = "commitment";

    function test_brokenGlass_closesAfterFourHours() public {
        breakGlass(C, DOCTOR);
        assertEq(consents.grantOf(PATIENT, C).until, block.timestamp + 4 hours);
        vm.warp(block.timestamp + 4 hours);
        assertTrue(isPermitted(PATIENT, C));
        vm.warp(block.timestamp + 1);
        assertStanding(PATIENT, C, IConsentRegistry.Standing.Shut);
    }

    function test_brokenGlass_isRevokedByTheControllerAndEndsWithTheEpoch() public {
        breakGlass(C, DOCTOR);
        vm.prank(registrar);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotController.selector, registrar));
        consents.revoke(PATIENT, C);
        vm.prank(wallet);
        consents.revoke(PATIENT, C);
        assertStanding(PATIENT, C, IConsentRegistry.Standing.Revoked);
        breakGlass("second", DOCTOR);
        vm.prank(wallet);
        consents.revokeAll(PATIENT);
        assertStanding(PATIENT, "second", IConsentRegistry.Standing.EarlierEpoch);
    }

    function test_brokenGlass_doesNotNameThePractitioner() public {
        vm.recordLogs();
        breakGlass(C, DOCTOR);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 2);
        assertEq(logs[1].topics[0], IConsentRegistry.GlassBroken.selector);
        for (uint256 i = 0; i < logs.length; i++) {
            for (uint256 t = 0; t < logs[i].topics.length; t++) {
                assertNotEq(logs[i].topics[t], DOCTOR);
            }
            assertEq(logs[i].data.length, 32);
            assertNotEq(bytes32(logs[i].data), DOCTOR);
        }
    }

    function test_breakGlass_needsAnActivePractitionerOfAnActiveHospital() public {
        refused(C, HOSPITAL, abi.encodeWithSelector(IConsentRegistry.PractitionerNotActive.selector, HOSPITAL));
        refused(C, "nobody", abi.encodeWithSelector(IConsentRegistry.PractitionerNotActive.selector, bytes32("nobody")));
        setStatus(DOCTOR, IActorRegistry.Status.Suspended);
        refused(C, DOCTOR, abi.encodeWithSelector(IConsentRegistry.PractitionerNotActive.selector, DOCTOR));
        vm.prank(operator);
        actors.registerPractitioner("visitor", "n", OTHER_HOSPITAL);
        breakGlass(C, "visitor");
        setStatus(OTHER_HOSPITAL, IActorRegistry.Status.Suspended);
        refused("again", "visitor", abi.encodeWithSelector(IConsentRegistry.PractitionerNotActive.selector, bytes32("visitor")));
    }

    function test_breakGlass_needsTheStandingPolicyOfTheActiveHospitalThatKeepsTheRecord() public {
        setStatus(HOSPITAL, IActorRegistry.Status.Suspended);
        refused(C, DOCTOR, abi.encodeWithSelector(IConsentRegistry.CustodianNotActive.selector, HOSPITAL));
        setStatus(HOSPITAL, IActorRegistry.Status.Active);
        vm.prank(registrar);
        actors.setBreakGlassPolicy(HOSPITAL, 0);
        refused(C, DOCTOR, abi.encodeWithSelector(IConsentRegistry.NoBreakGlassPolicy.selector, HOSPITAL));
    }

    function test_breakGlass_takesNoCommitmentTwice() public {
        breakGlass(C, DOCTOR);
        refused(C, DOCTOR, abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, C));
    }

    function breakGlass(bytes32 commitment, bytes32 practitioner) private {
        vm.prank(registrar);
        consents.breakGlass(PATIENT, commitment, practitioner);
    }

    function refused(bytes32 commitment, bytes32 practitioner, bytes memory refusal) private {
        vm.prank(registrar);
        vm.expectRevert(refusal);
        consents.breakGlass(PATIENT, commitment, practitioner);
    }
}
