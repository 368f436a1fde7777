// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {IGuardians} from "../src/interfaces/IGuardians.sol";
import {ConsentFixture} from "./support/ConsentFixture.sol";
import {Signer} from "./support/Signer.sol";

/// `consents` is the first registry, until `migrate` puts the second in its place and keeps the first as `before`.
contract SuccessorTest is ConsentFixture {
    using Signer for *;

    bytes32 private constant OLD = "granted before";
    bytes32 private constant NEW = "granted after";
    ConsentRegistry private before;

    function setUp() public override {
        super.setUp();
        vm.prank(wallet);
        consents.grant(PATIENT, OLD);
    }

    function test_aRegistryWithASuccessor_takesRevocationsAlone() public {
        IConsentRegistry.GrantIntent memory g = grantIntent("c");
        bytes memory s = sign(walletKey, g.hash());
        IConsentRegistry.HandOverIntent memory h = IConsentRegistry.HandOverIntent(PATIENT, nextWallet, 1, DEADLINE);
        bytes memory given = sign(walletKey, h.hash());
        bytes memory taken = sign(nextWalletKey, h.hash());
        migrate();
        bytes memory refusal = abi.encodeWithSelector(IConsentRegistry.Succeeded.selector, address(consents));
        vm.expectRevert(refusal);
        before.grantBySig(g, s);
        vm.expectRevert(refusal);
        before.handOver(h, given, taken);
        vm.expectRevert(refusal);
        before.completeRecovery(PATIENT);
        IGuardians.RecoverIntent memory r;
        IGuardians.Circle memory circle;
        vm.expectRevert(refusal);
        before.recover(r, circle, new IGuardians.Approval[](0), "");
        vm.prank(admin);
        vm.expectRevert(refusal);
        before.moveCustody(IN_CUSTODY, nextWallet, OTHER_HOSPITAL);
        vm.startPrank(wallet);
        vm.expectRevert(refusal);
        before.grantBatch(PATIENT, new bytes32[](1));
        vm.expectRevert(refusal);
        before.setGuardians(PATIENT, "circle");
        vm.stopPrank();
        vm.startPrank(registrar);
        vm.expectRevert(refusal);
        before.registerPatient("p", custody, HOSPITAL);
        vm.expectRevert(refusal);
        before.breakGlass(PATIENT, "c", DOCTOR);
        vm.stopPrank();
        vm.startPrank(wallet);
        before.revoke(PATIENT, OLD);
        before.revokeAll(PATIENT);
        vm.stopPrank();
        assertStanding(PATIENT, OLD, IConsentRegistry.Standing.Revoked);
        assertEq(consents.patientOf(PATIENT).epoch, 2);
    }

    function test_aGrantMadeDirectlyInARegistryWithASuccessor_neverCounts() public {
        migrate();
        vm.prank(wallet);
        before.grant(PATIENT, NEW);
        assertEq(uint8(before.standingOf(PATIENT, NEW)), uint8(IConsentRegistry.Standing.Late));
        assertStanding(PATIENT, NEW, IConsentRegistry.Standing.Late);
        vm.prank(wallet);
        consents.grant(PATIENT, "unrelated");
        assertStanding(PATIENT, NEW, IConsentRegistry.Standing.Late);
        assertTrue(isPermitted(PATIENT, OLD));
    }

    function test_aGrantOfThePredecessor_countsUntilEitherEndsIt() public {
        migrate();
        assertTrue(isPermitted(PATIENT, OLD));
        assertEq(consents.patientOf(PATIENT).controller, wallet);
        vm.prank(wallet);
        consents.grant(PATIENT, NEW);
        assertTrue(isPermitted(PATIENT, OLD) && isPermitted(PATIENT, NEW));
        vm.prank(wallet);
        consents.revoke(PATIENT, OLD);
        assertStanding(PATIENT, OLD, IConsentRegistry.Standing.Revoked);
        // Who asks the first registry is told the same.
        assertEq(uint8(before.standingOf(PATIENT, OLD)), uint8(IConsentRegistry.Standing.Revoked));
        assertTrue(isPermitted(PATIENT, NEW));
    }

    function test_revokeAll_inEither_endsAllInBoth() public {
        migrate();
        vm.startPrank(wallet);
        consents.grant(PATIENT, NEW);
        before.revokeAll(PATIENT);
        assertStanding(PATIENT, OLD, IConsentRegistry.Standing.EarlierEpoch);
        assertStanding(PATIENT, NEW, IConsentRegistry.Standing.EarlierEpoch);
        consents.grant(PATIENT, "newer");
        assertTrue(isPermitted(PATIENT, "newer"));
        vm.expectEmit(address(consents));
        emit IConsentRegistry.AllConsentsRevoked(PATIENT, 3);
        consents.revokeAll(PATIENT);
        assertStanding(PATIENT, "newer", IConsentRegistry.Standing.EarlierEpoch);
        assertEq(consents.patientOf(PATIENT).epoch, 3);
    }

    function test_revokeAll_inTheNew_endsWhatTheOldStillKeeps() public {
        migrate();
        vm.prank(wallet);
        consents.revokeAll(PATIENT);
        assertStanding(PATIENT, OLD, IConsentRegistry.Standing.EarlierEpoch);
        assertEq(uint8(before.standingOf(PATIENT, OLD)), uint8(IConsentRegistry.Standing.EarlierEpoch));
    }

    function test_aCommitment_isGrantedOnceForEver_acrossRegistries() public {
        migrate();
        vm.startPrank(wallet);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, OLD));
        consents.grant(PATIENT, OLD);
        before.revoke(PATIENT, OLD);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, OLD));
        consents.grant(PATIENT, OLD);
        vm.stopPrank();
        handOver(PATIENT, walletKey, nextWalletKey);
        vm.prank(nextWallet);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, OLD));
        consents.grant(PATIENT, OLD);
    }

    function test_aRevocation_inTheOldRegistry_countsForGrantsOfTheNew() public {
        migrate();
        vm.startPrank(wallet);
        consents.grant(PATIENT, NEW);
        before.revoke(PATIENT, NEW);
        assertStanding(PATIENT, NEW, IConsentRegistry.Standing.Revoked);
        before.revoke(PATIENT, "on its way");
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, bytes32("on its way")));
        consents.grant(PATIENT, "on its way");
    }

    function test_whoHandedOver_endsNothingThroughTheOldRegistry() public {
        migrate();
        handOver(PATIENT, walletKey, nextWalletKey);
        assertStanding(PATIENT, OLD, IConsentRegistry.Standing.EarlierEpoch);
        vm.prank(nextWallet);
        consents.grant(PATIENT, NEW);
        vm.startPrank(wallet);
        before.revokeAll(PATIENT);
        before.revokeAll(PATIENT);
        assertTrue(isPermitted(PATIENT, NEW));
        assertEq(consents.patientOf(PATIENT).epoch, 2);
        // Nor does it revoke there what is granted here, or keep a commitment out.
        before.revoke(PATIENT, NEW);
        before.revoke(PATIENT, "kept out?");
        vm.stopPrank();
        assertTrue(isPermitted(PATIENT, NEW));
        vm.prank(nextWallet);
        consents.grant(PATIENT, "kept out?");
        assertTrue(isPermitted(PATIENT, "kept out?"));
        // Nor does it bring the old epoch level to make a grant count.
        vm.prank(wallet);
        before.grant(PATIENT, "late");
        assertStanding(PATIENT, "late", IConsentRegistry.Standing.Unknown);
    }

    function test_aPatient_isTakenOverWithCustodyAndGuardians() public {
        vm.prank(custody);
        consents.setGuardians(IN_CUSTODY, "circle");
        migrate();
        assertEq(consents.guardiansOf(IN_CUSTODY).circle, "circle");
        vm.expectEmit(address(consents));
        emit IConsentRegistry.PatientTakenOver(IN_CUSTODY, custody, 0, true, HOSPITAL, "circle");
        vm.prank(custody);
        consents.grant(IN_CUSTODY, NEW);
        IConsentRegistry.Patient memory p = consents.patientOf(IN_CUSTODY);
        assertTrue(p.inCustody);
        assertEq(p.custodian, HOSPITAL);
        assertEq(p.epoch, 0);
        assertEq(consents.guardiansOf(IN_CUSTODY).circle, "circle");
        vm.prank(registrar);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.PatientExists.selector, PATIENT));
        consents.registerPatient(PATIENT, custody, HOSPITAL);
    }

    function test_aNewRegistry_takesNobodyOverBeforeItIsTheSuccessor() public {
        ConsentRegistry next = deploy(consents);
        bytes memory refusal = abi.encodeWithSelector(IConsentRegistry.NotSuccessor.selector, address(next));
        vm.prank(wallet);
        vm.expectRevert(refusal);
        next.grant(PATIENT, NEW);
        vm.prank(registrar);
        vm.expectRevert(refusal);
        next.registerPatient("p", custody, HOSPITAL);
        assertEq(uint8(next.standingOf(PATIENT, OLD)), uint8(IConsentRegistry.Standing.Permitted));
    }

    function test_setSuccessor_isTheAdminsOnceAndOfARegistryThatGoesOnFromThisOne() public {
        ConsentRegistry next = deploy(consents);
        ConsentRegistry unrelated = deploy(ConsentRegistry(address(0)));
        vm.prank(registrar);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, registrar, bytes32(0))
        );
        consents.setSuccessor(next);
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotSuccessor.selector, address(unrelated)));
        consents.setSuccessor(unrelated);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.SuccessorSet(address(next));
        consents.setSuccessor(next);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.Succeeded.selector, address(next)));
        consents.setSuccessor(next);
    }

    function test_aSignature_doesNotCountInTheSuccessor() public {
        IConsentRegistry.GrantIntent memory g = grantIntent("c");
        bytes memory s = sign(walletKey, g.hash());
        migrate();
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, wallet));
        consents.grantBySig(g, s);
        g = grantIntent("c");
        consents.grantBySig(g, sign(walletKey, g.hash()));
        assertTrue(isPermitted(PATIENT, "c"));
    }

    function test_threeRegistries_followOneAnother() public {
        migrate();
        ConsentRegistry first = before;
        vm.prank(wallet);
        consents.grant(PATIENT, NEW);
        migrate();
        assertTrue(isPermitted(PATIENT, OLD) && isPermitted(PATIENT, NEW));
        vm.prank(wallet);
        consents.grant(PATIENT, "third");
        vm.prank(wallet);
        before.revoke(PATIENT, NEW);
        assertStanding(PATIENT, NEW, IConsentRegistry.Standing.Revoked);
        assertTrue(isPermitted(PATIENT, OLD) && isPermitted(PATIENT, "third"));
        vm.prank(wallet);
        first.revokeAll(PATIENT);
        assertStanding(PATIENT, OLD, IConsentRegistry.Standing.EarlierEpoch);
        assertStanding(PATIENT, "third", IConsentRegistry.Standing.EarlierEpoch);
        // Who is written in the middle one for the first time only when it has a successor too, is the same in the last.
        vm.prank(custody);
        before.revokeAll(IN_CUSTODY);
        assertEq(consents.patientOf(IN_CUSTODY).epoch, 1);
        vm.prank(custody);
        consents.grant(IN_CUSTODY, "c");
        assertTrue(isPermitted(IN_CUSTODY, "c"));
    }

    function migrate() private {
        ConsentRegistry next = deploy(consents);
        vm.warp(block.timestamp + 1);
        vm.prank(admin);
        consents.setSuccessor(next);
        (before, consents) = (consents, next);
    }

    function deploy(ConsentRegistry predecessor) private returns (ConsentRegistry) {
        return new ConsentRegistry(1 days, admin, registrar, actors, predecessor);
    }
}
