// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IActorRegistry} from "../src/interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {ConsentFixture} from "./support/ConsentFixture.sol";

contract ConsentRegistryTest is ConsentFixture {
    bytes32 private constant C = "commitment";

    function test_check_permitsInsideThePeriodOfTheOpeningOnly() public {
        IConsentRegistry.Opening memory o = IConsentRegistry.Opening("salt", 1_000_100, 1_000_200, "terms");
        bytes32 c = keccak256(abi.encodePacked(hex"03", o.salt, o.notBefore, o.notAfter, o.termsHash));
        assertEq(consents.commitmentOf(o), c);
        assertCheck(o, IConsentRegistry.Standing.Unknown);
        vm.prank(wallet);
        consents.grant(PATIENT, c);
        assertCheck(o, IConsentRegistry.Standing.NotYet);
        vm.warp(1_000_100);
        assertCheck(o, IConsentRegistry.Standing.Permitted);
        vm.warp(1_000_200);
        assertCheck(o, IConsentRegistry.Standing.Permitted);
        vm.warp(1_000_201);
        assertCheck(o, IConsentRegistry.Standing.Over);
        vm.warp(1_000_150);
        vm.prank(wallet);
        consents.revoke(PATIENT, c);
        assertCheck(o, IConsentRegistry.Standing.Revoked);
    }

    function test_fuzz_check_knowsNoOtherOpening(IConsentRegistry.Opening memory o, IConsentRegistry.Opening memory other) public {
        vm.assume(keccak256(abi.encode(o)) != keccak256(abi.encode(other)));
        bytes32 c = consents.commitmentOf(o);
        vm.prank(wallet);
        consents.grant(PATIENT, c);
        assertEq(uint8(consents.check(PATIENT, other)), uint8(IConsentRegistry.Standing.Unknown));
        assertEq(uint8(consents.check(IN_CUSTODY, o)), uint8(IConsentRegistry.Standing.Unknown));
    }

    function test_grant_tellsTheCommitmentAndTheEpochAlone() public {
        vm.expectEmit(address(consents));
        emit IConsentRegistry.ConsentGranted(PATIENT, C, 1);
        vm.prank(wallet);
        consents.grant(PATIENT, C);
        IConsentRegistry.Grant memory g = consents.grantOf(PATIENT, C);
        assertEq(uint8(g.status), uint8(IConsentRegistry.Status.Active));
        assertEq(g.epoch, 1);
        assertEq(g.until, 0);
    }

    function test_fuzz_everyWriterOfAPatient_isTheControllersAlone(address caller) public {
        // Nobody signs as address zero, which is the maker of no grant.
        vm.assume(caller != wallet && caller != address(0));
        vm.prank(wallet);
        consents.grant(PATIENT, C);
        bytes memory refusal = abi.encodeWithSelector(IConsentRegistry.NotController.selector, caller);
        bytes32[] memory one = new bytes32[](1);
        one[0] = "one";
        vm.startPrank(caller);
        vm.expectRevert(refusal);
        consents.grant(PATIENT, "another");
        vm.expectRevert(refusal);
        consents.grantBatch(PATIENT, one);
        vm.expectRevert(refusal);
        consents.revoke(PATIENT, C);
        vm.expectRevert(refusal);
        consents.revoke(PATIENT, "not granted");
        vm.expectRevert(refusal);
        consents.revokeAll(PATIENT);
        vm.expectRevert(refusal);
        consents.setGuardians(PATIENT, "circle");
        vm.expectRevert(refusal);
        consents.vetoRecovery(PATIENT);
        vm.stopPrank();
        assertTrue(isPermitted(PATIENT, C));
    }

    function test_everyWriter_revertsWithPatientUnknown() public {
        bytes memory refusal = abi.encodeWithSelector(IConsentRegistry.PatientUnknown.selector, bytes32("nobody"));
        vm.expectRevert(refusal);
        consents.grant("nobody", C);
        vm.expectRevert(refusal);
        consents.revoke("nobody", C);
        vm.expectRevert(refusal);
        consents.revokeAll("nobody");
        vm.prank(registrar);
        vm.expectRevert(refusal);
        consents.breakGlass("nobody", C, DOCTOR);
    }

    function test_grant_revertsWithZeroValue() public {
        vm.prank(wallet);
        vm.expectRevert(IConsentRegistry.ZeroValue.selector);
        consents.grant(PATIENT, 0);
    }

    function test_aCommitment_isGrantedOnceForEver() public {
        vm.startPrank(wallet);
        consents.grant(PATIENT, C);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, C));
        consents.grant(PATIENT, C);
        consents.revoke(PATIENT, C);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, C));
        consents.grant(PATIENT, C);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantNotActive.selector, C));
        consents.revoke(PATIENT, C);
        consents.revokeAll(PATIENT);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, C));
        consents.grant(PATIENT, C);
    }

    function test_revoke_beforeTheGrant_keepsItOut() public {
        vm.startPrank(wallet);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.ConsentRevoked(PATIENT, C);
        consents.revoke(PATIENT, C);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, C));
        consents.grant(PATIENT, C);
        assertStanding(PATIENT, C, IConsentRegistry.Standing.Revoked);
    }

    function test_revokeAll_endsEarlierGrantsAndLeavesLaterOnes() public {
        vm.startPrank(wallet);
        consents.grant(PATIENT, C);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.AllConsentsRevoked(PATIENT, 2);
        consents.revokeAll(PATIENT);
        assertStanding(PATIENT, C, IConsentRegistry.Standing.EarlierEpoch);
        consents.grant(PATIENT, "later");
        assertTrue(isPermitted(PATIENT, "later"));
    }

    function test_grantBatch_isAllOrNothing() public {
        bytes32[] memory three = new bytes32[](3);
        (three[0], three[1], three[2]) = ("a", "b", "c");
        vm.startPrank(wallet);
        consents.grant(PATIENT, "c");
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, bytes32("c")));
        consents.grantBatch(PATIENT, three);
        assertStanding(PATIENT, "a", IConsentRegistry.Standing.Unknown);
        three[2] = "d";
        consents.grantBatch(PATIENT, three);
        assertTrue(isPermitted(PATIENT, "a") && isPermitted(PATIENT, "b") && isPermitted(PATIENT, "d"));
    }

    function test_custody_grantsOnlyWhileTheHospitalIsActive_andAlwaysRevokes() public {
        vm.prank(custody);
        consents.grant(IN_CUSTODY, C);
        bytes32[] memory one = new bytes32[](1);
        one[0] = "one";
        for (uint8 s = uint8(IActorRegistry.Status.Suspended); s <= uint8(IActorRegistry.Status.StruckOff); s++) {
            setStatus(HOSPITAL, IActorRegistry.Status(s));
            bytes memory refusal = abi.encodeWithSelector(IConsentRegistry.CustodianNotActive.selector, HOSPITAL);
            vm.startPrank(custody);
            vm.expectRevert(refusal);
            consents.grant(IN_CUSTODY, "another");
            vm.expectRevert(refusal);
            consents.grantBatch(IN_CUSTODY, one);
            vm.expectRevert(refusal);
            consents.setGuardians(IN_CUSTODY, "circle");
            vm.stopPrank();
        }
        vm.startPrank(custody);
        consents.revoke(IN_CUSTODY, C);
        consents.revokeAll(IN_CUSTODY);
        vm.stopPrank();
        assertStanding(IN_CUSTODY, C, IConsentRegistry.Standing.Revoked);
        // A wallet's grants are none of the hospital's.
        vm.prank(wallet);
        consents.grant(PATIENT, C);
        assertTrue(isPermitted(PATIENT, C));
    }

    function test_registerPatients_putsAllIntoCustody() public {
        bytes32[] memory patients = new bytes32[](2);
        (patients[0], patients[1]) = ("p1", "p2");
        vm.startPrank(registrar);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.PatientRegistered("p1", custody, HOSPITAL);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.PatientRegistered("p2", custody, HOSPITAL);
        consents.registerPatients(patients, custody, HOSPITAL);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.PatientExists.selector, bytes32("p1")));
        consents.registerPatients(patients, custody, HOSPITAL);
        IConsentRegistry.Patient memory p = consents.patientOf("p2");
        assertEq(p.controller, custody);
        assertTrue(p.inCustody);
        assertEq(p.custodian, HOSPITAL);
        assertEq(p.epoch, 0);
    }

    function test_registerPatient_needsAnActiveHospitalAndNoZero() public {
        vm.startPrank(registrar);
        actors.registerInsurer("insurer", "n");
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.CustodianNotActive.selector, bytes32("insurer")));
        consents.registerPatient("p", custody, "insurer");
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.CustodianNotActive.selector, DOCTOR));
        consents.registerPatient("p", custody, DOCTOR);
        actors.setStatus(HOSPITAL, IActorRegistry.Status.Suspended);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.CustodianNotActive.selector, HOSPITAL));
        consents.registerPatient("p", custody, HOSPITAL);
        vm.expectRevert(IConsentRegistry.ZeroValue.selector);
        consents.registerPatient("p", address(0), OTHER_HOSPITAL);
        vm.expectRevert(IConsentRegistry.ZeroValue.selector);
        consents.registerPatient(0, custody, OTHER_HOSPITAL);
    }

    function test_fuzz_registrarsWork_needsTheRole(address caller) public {
        vm.assume(caller != registrar);
        bytes32 role = consents.REGISTRAR_ROLE();
        bytes memory refusal =
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role);
        vm.startPrank(caller);
        vm.expectRevert(refusal);
        consents.registerPatient("p", custody, HOSPITAL);
        vm.expectRevert(refusal);
        consents.registerPatients(new bytes32[](0), custody, HOSPITAL);
        vm.expectRevert(refusal);
        consents.breakGlass(PATIENT, C, DOCTOR);
    }

    function assertCheck(IConsentRegistry.Opening memory o, IConsentRegistry.Standing expected) private view {
        assertEq(uint8(consents.check(PATIENT, o)), uint8(expected));
    }
}
