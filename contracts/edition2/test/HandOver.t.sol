// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IActorRegistry} from "../src/interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {ConsentFixture} from "./support/ConsentFixture.sol";
import {Signer} from "./support/Signer.sol";

contract HandOverTest is ConsentFixture {
    using Signer for *;

    bytes32 private constant C = "commitment";

    function test_handOver_endsCustodyGrantsGuardiansAndOldMessages() public {
        vm.startPrank(custody);
        consents.grant(IN_CUSTODY, C);
        consents.setGuardians(IN_CUSTODY, "circle");
        vm.stopPrank();
        IConsentRegistry.GrantIntent memory old = IConsentRegistry.GrantIntent(IN_CUSTODY, "old", 0, DEADLINE);
        bytes memory oldSignature = sign(custodyKey, old.hash());

        vm.expectEmit(address(consents));
        emit IConsentRegistry.ControllerChanged(IN_CUSTODY, custody, wallet);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.AllConsentsRevoked(IN_CUSTODY, 1);
        handOver(IN_CUSTODY, custodyKey, walletKey);

        IConsentRegistry.Patient memory p = consents.patientOf(IN_CUSTODY);
        assertEq(p.controller, wallet);
        assertFalse(p.inCustody);
        assertEq(p.custodian, HOSPITAL);
        assertEq(consents.guardiansOf(IN_CUSTODY).circle, 0);
        assertStanding(IN_CUSTODY, C, IConsentRegistry.Standing.EarlierEpoch);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.EpochPassed.selector, uint32(1), uint32(0)));
        consents.grantBySig(old, oldSignature);
        vm.prank(custody);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotController.selector, custody));
        consents.grant(IN_CUSTODY, "more");
        setStatus(HOSPITAL, IActorRegistry.Status.StruckOff);
        vm.prank(wallet);
        consents.grant(IN_CUSTODY, "mine");
        assertTrue(isPermitted(IN_CUSTODY, "mine"));
    }

    function test_whoWasTheController_revokesOnlyWhatIsOver() public {
        vm.prank(custody);
        consents.grant(IN_CUSTODY, C);
        handOver(IN_CUSTODY, custodyKey, walletKey);
        vm.prank(wallet);
        consents.grant(IN_CUSTODY, "mine");
        vm.startPrank(custody);
        consents.revoke(IN_CUSTODY, C);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotController.selector, custody));
        consents.revoke(IN_CUSTODY, "mine");
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotController.selector, custody));
        consents.revokeAll(IN_CUSTODY);
        vm.stopPrank();
        assertTrue(isPermitted(IN_CUSTODY, "mine"));
    }

    function test_handOver_needsBothSides() public {
        IConsentRegistry.HandOverIntent memory i = intent(IN_CUSTODY, nextWallet);
        bytes memory given = sign(custodyKey, i.hash());
        bytes memory taken = sign(nextWalletKey, i.hash());
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, nextWallet));
        consents.handOver(i, given, given);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, custody));
        consents.handOver(i, taken, taken);
        consents.handOver(i, given, taken);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.EpochPassed.selector, uint32(1), uint32(0)));
        consents.handOver(i, given, taken);
    }

    function test_handOver_toNobodyOrToItself_isRefused() public {
        IConsentRegistry.HandOverIntent memory i = intent(IN_CUSTODY, custody);
        bytes memory given = sign(custodyKey, i.hash());
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.ControllerUnchanged.selector, custody));
        consents.handOver(i, given, given);
        i = intent(IN_CUSTODY, address(0));
        given = sign(custodyKey, i.hash());
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, address(0)));
        consents.handOver(i, given, new bytes(65));
    }

    function test_handOver_outOfCustody_needsTheHospitalActive() public {
        IConsentRegistry.HandOverIntent memory i = intent(IN_CUSTODY, nextWallet);
        setStatus(HOSPITAL, IActorRegistry.Status.Suspended);
        bytes memory given = sign(custodyKey, i.hash());
        bytes memory taken = sign(nextWalletKey, i.hash());
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.CustodianNotActive.selector, HOSPITAL));
        consents.handOver(i, given, taken);
    }

    function test_moveCustody_isForRecordsOfHospitalsThatWereStruckOff() public {
        address newCustody = makeAddr("new custody");
        vm.prank(custody);
        consents.grant(IN_CUSTODY, C);
        setStatus(HOSPITAL, IActorRegistry.Status.Suspended);
        moveRefused(IN_CUSTODY, newCustody, abi.encodeWithSelector(IConsentRegistry.CustodyStands.selector, IN_CUSTODY));
        setStatus(HOSPITAL, IActorRegistry.Status.StruckOff);
        moveRefused(PATIENT, newCustody, abi.encodeWithSelector(IConsentRegistry.CustodyStands.selector, PATIENT));
        moveRefused(IN_CUSTODY, custody, abi.encodeWithSelector(IConsentRegistry.ControllerUnchanged.selector, custody));
        vm.prank(admin);
        consents.moveCustody(IN_CUSTODY, newCustody, OTHER_HOSPITAL);
        IConsentRegistry.Patient memory p = consents.patientOf(IN_CUSTODY);
        assertEq(p.controller, newCustody);
        assertTrue(p.inCustody);
        assertEq(p.custodian, OTHER_HOSPITAL);
        assertStanding(IN_CUSTODY, C, IConsentRegistry.Standing.EarlierEpoch);
        vm.prank(newCustody);
        consents.grant(IN_CUSTODY, "more");
        assertTrue(isPermitted(IN_CUSTODY, "more"));
    }

    function test_moveCustody_isTheAdminsAlone() public {
        setStatus(HOSPITAL, IActorRegistry.Status.StruckOff);
        vm.prank(registrar);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, registrar, bytes32(0))
        );
        consents.moveCustody(IN_CUSTODY, nextWallet, OTHER_HOSPITAL);
    }

    function moveRefused(bytes32 patient, address to, bytes memory refusal) private {
        vm.prank(admin);
        vm.expectRevert(refusal);
        consents.moveCustody(patient, to, OTHER_HOSPITAL);
    }

    function intent(bytes32 patient, address to) private view returns (IConsentRegistry.HandOverIntent memory) {
        return IConsentRegistry.HandOverIntent(patient, to, consents.patientOf(patient).epoch, DEADLINE);
    }
}
