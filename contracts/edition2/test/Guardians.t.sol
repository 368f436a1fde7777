// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IActorRegistry} from "../src/interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {IGuardians} from "../src/interfaces/IGuardians.sol";
import {ConsentFixture} from "./support/ConsentFixture.sol";
import {Signer} from "./support/Signer.sol";
import {Wallet1271} from "./support/Wallets.sol";

contract GuardiansTest is ConsentFixture {
    using Signer for *;

    uint256[] private keys;
    IGuardians.Circle private circle;

    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < 3; i++) {
            keys.push(uint256(keccak256(abi.encode("guardian", i))));
        }
        for (uint256 i = 0; i < 3; i++) {
            for (uint256 j = i + 1; j < 3; j++) {
                if (vm.addr(keys[j]) < vm.addr(keys[i])) (keys[i], keys[j]) = (keys[j], keys[i]);
            }
            circle.guardians.push(vm.addr(keys[i]));
        }
        (circle.salt, circle.delay, circle.threshold) = ("salt", 3 days, 2);
        bytes32 commitment = consents.circleOf(circle);
        vm.prank(wallet);
        consents.setGuardians(PATIENT, commitment);
    }

    function test_guardians_giveARecordANewControllerAfterTheDelay() public {
        vm.prank(wallet);
        consents.grant(PATIENT, "c");
        recover();
        uint64 readyAt = uint64(block.timestamp) + 3 days;
        assertEq(consents.guardiansOf(PATIENT).newController, nextWallet);
        assertEq(consents.guardiansOf(PATIENT).readyAt, readyAt);
        assertTrue(isPermitted(PATIENT, "c"));
        vm.warp(readyAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IGuardians.RecoveryNotReady.selector, readyAt));
        consents.completeRecovery(PATIENT);
        vm.warp(readyAt);
        vm.prank(makeAddr("anybody"));
        consents.completeRecovery(PATIENT);
        assertEq(consents.patientOf(PATIENT).controller, nextWallet);
        assertEq(consents.patientOf(PATIENT).epoch, 2);
        assertStanding(PATIENT, "c", IConsentRegistry.Standing.EarlierEpoch);
        assertEq(consents.guardiansOf(PATIENT).circle, consents.circleOf(circle));
        vm.expectRevert(abi.encodeWithSelector(IGuardians.NoRecovery.selector, PATIENT));
        consents.completeRecovery(PATIENT);
    }

    function test_recovery_fromCustody_endsIt_whateverTheHospitals() public {
        bytes32 commitment = consents.circleOf(circle);
        vm.prank(custody);
        consents.setGuardians(IN_CUSTODY, commitment);
        setStatus(HOSPITAL, IActorRegistry.Status.Suspended);
        IGuardians.RecoverIntent memory i = IGuardians.RecoverIntent(IN_CUSTODY, nextWallet, 1, 0, DEADLINE);
        consents.recover(i, circle, approvals(i, 0, 1), sign(nextWalletKey, i.hash()));
        vm.prank(custody);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.CustodianNotActive.selector, HOSPITAL));
        consents.vetoRecovery(IN_CUSTODY);
        vm.warp(block.timestamp + 3 days);
        consents.completeRecovery(IN_CUSTODY);
        assertFalse(consents.patientOf(IN_CUSTODY).inCustody);
        assertEq(consents.patientOf(IN_CUSTODY).controller, nextWallet);
    }

    function test_aVeto_endsTheRecovery_andItsSignaturesCountNoMore() public {
        IGuardians.RecoverIntent memory i = intent(nextWallet);
        IGuardians.Approval[] memory a = approvals(i, 0, 2);
        bytes memory taken = sign(nextWalletKey, i.hash());
        consents.recover(i, circle, a, taken);
        vm.expectEmit(address(consents));
        emit IGuardians.RecoveryVetoed(PATIENT, 3);
        vm.prank(wallet);
        consents.vetoRecovery(PATIENT);
        vm.expectRevert(abi.encodeWithSelector(IGuardians.RoundPassed.selector, uint32(3), uint32(1)));
        consents.recover(i, circle, a, taken);
        vm.warp(block.timestamp + 90 days);
        vm.expectRevert(abi.encodeWithSelector(IGuardians.NoRecovery.selector, PATIENT));
        consents.completeRecovery(PATIENT);
        vm.prank(wallet);
        vm.expectRevert(abi.encodeWithSelector(IGuardians.NoRecovery.selector, PATIENT));
        consents.vetoRecovery(PATIENT);
    }

    function test_aVeto_isSignedAndRelayed_untilTheVeryCompletion() public {
        recover();
        vm.warp(block.timestamp + 80 days);
        IGuardians.VetoRecoveryIntent memory v = IGuardians.VetoRecoveryIntent(PATIENT, 2, 1, DEADLINE);
        consents.vetoRecoveryBySig(v, sign(walletKey, v.hash()));
        assertEq(consents.guardiansOf(PATIENT).newController, address(0));
    }

    function test_aReplayedRequest_doesNotRestartTheDelay() public {
        IGuardians.RecoverIntent memory i = intent(nextWallet);
        IGuardians.Approval[] memory a = approvals(i, 0, 1);
        bytes memory taken = sign(nextWalletKey, i.hash());
        consents.recover(i, circle, a, taken);
        vm.warp(block.timestamp + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IGuardians.RoundPassed.selector, uint32(2), uint32(1)));
        consents.recover(i, circle, a, taken);
        // The guardians themselves may ask anew.
        recover();
        assertEq(consents.guardiansOf(PATIENT).readyAt, block.timestamp + 3 days);
    }

    function test_anEpoch_thatPassed_killsTheGuardiansMessages() public {
        IGuardians.RecoverIntent memory i = intent(nextWallet);
        IGuardians.Approval[] memory a = approvals(i, 0, 1);
        bytes memory taken = sign(nextWalletKey, i.hash());
        vm.prank(wallet);
        consents.revokeAll(PATIENT);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.EpochPassed.selector, uint32(2), uint32(1)));
        consents.recover(i, circle, a, taken);
    }

    function test_changingTheGuardians_endsAPendingRecovery() public {
        recover();
        vm.prank(wallet);
        consents.setGuardians(PATIENT, 0);
        vm.warp(block.timestamp + 3 days);
        vm.expectRevert(abi.encodeWithSelector(IGuardians.NoRecovery.selector, PATIENT));
        consents.completeRecovery(PATIENT);
        IGuardians.RecoverIntent memory i = intent(nextWallet);
        refused(i, approvals(i, 0, 1), abi.encodeWithSelector(IGuardians.CircleUnknown.selector, consents.circleOf(circle)));
    }

    function test_handingOver_endsAPendingRecovery() public {
        recover();
        handOver(PATIENT, walletKey, custodyKey);
        vm.warp(block.timestamp + 3 days);
        vm.expectRevert(abi.encodeWithSelector(IGuardians.NoRecovery.selector, PATIENT));
        consents.completeRecovery(PATIENT);
    }

    function test_anOldWishForGuardians_doesNotCountAgain() public {
        bytes32 commitment = consents.circleOf(circle);
        IGuardians.SetGuardiansIntent memory i = IGuardians.SetGuardiansIntent(PATIENT, commitment, 1, 1, DEADLINE);
        bytes memory s = sign(walletKey, i.hash());
        consents.setGuardiansBySig(i, s);
        vm.prank(wallet);
        consents.setGuardians(PATIENT, 0);
        vm.expectRevert(abi.encodeWithSelector(IGuardians.RoundPassed.selector, uint32(3), uint32(1)));
        consents.setGuardiansBySig(i, s);
    }

    function test_recover_needsTheThresholdOfDifferentGuardiansInOrder() public {
        IGuardians.RecoverIntent memory i = intent(nextWallet);
        IGuardians.Approval[] memory one = new IGuardians.Approval[](1);
        one[0] = approvals(i, 0, 1)[0];
        refused(i, one, abi.encodeWithSelector(IGuardians.ApprovalsInvalid.selector));
        refused(i, approvals(i, 1, 1), abi.encodeWithSelector(IGuardians.ApprovalsInvalid.selector));
        refused(i, approvals(i, 1, 0), abi.encodeWithSelector(IGuardians.ApprovalsInvalid.selector));
        IGuardians.Approval[] memory a = approvals(i, 0, 1);
        a[1].guardian = 3;
        refused(i, a, abi.encodeWithSelector(IGuardians.ApprovalsInvalid.selector));
        a[1].guardian = 2;
        refused(i, a, abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, circle.guardians[2]));
    }

    function test_recover_needsTheNewControllersAcceptance() public {
        IGuardians.RecoverIntent memory i = intent(nextWallet);
        IGuardians.Approval[] memory a = approvals(i, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, nextWallet));
        consents.recover(i, circle, a, a[0].signature);
        i = intent(wallet);
        refused(i, approvals(i, 0, 1), abi.encodeWithSelector(IConsentRegistry.ControllerUnchanged.selector, wallet));
    }

    function test_aGuardian_canBeAContractWallet() public {
        Wallet1271 guardian = new Wallet1271();
        IGuardians.Circle memory c = IGuardians.Circle("salt 2", 1 days, 1, new address[](1));
        c.guardians[0] = address(guardian);
        bytes32 commitment = consents.circleOf(c);
        vm.prank(wallet);
        consents.setGuardians(PATIENT, commitment);
        IGuardians.RecoverIntent memory i = intent(nextWallet);
        guardian.accept(Signer.digest(consents.domainSeparator(), i.hash()));
        IGuardians.Approval[] memory a = new IGuardians.Approval[](1);
        consents.recover(i, c, a, sign(nextWalletKey, i.hash()));
        assertEq(consents.guardiansOf(PATIENT).newController, nextWallet);
    }

    function test_circleOf_takesOnlyWhatCanBeUsed() public {
        bytes memory packed = abi.encodePacked(bytes1(0x04), circle.salt, uint64(3 days), uint8(2), circle.guardians);
        assertEq(packed.length, 1 + 32 + 8 + 1 + 3 * 32);
        assertEq(consents.circleOf(circle), keccak256(packed));
        IGuardians.Circle memory c = circle;
        (c.delay) = 1 days - 1;
        invalid(c);
        c.delay = 90 days + 1;
        invalid(c);
        (c.delay, c.threshold) = (90 days, 0);
        invalid(c);
        c.threshold = 4;
        invalid(c);
        c.threshold = 3;
        consents.circleOf(c);
        c.guardians[1] = c.guardians[0];
        invalid(c);
        (c.guardians[0], c.guardians[1]) = (address(0), circle.guardians[1]);
        invalid(c);
        (c.guardians, c.threshold) = (new address[](17), 1);
        for (uint160 i = 0; i < 17; i++) {
            c.guardians[i] = address(i + 1);
        }
        invalid(c);
        c.guardians = new address[](0);
        invalid(c);
    }

    function test_fuzz_aStranger_recoversNothing(uint256 stranger, uint8 at) public {
        stranger = bound(stranger, 1, type(uint128).max);
        IGuardians.RecoverIntent memory i = intent(vm.addr(stranger));
        IGuardians.Approval[] memory a = approvals(i, 0, 1);
        a[at % 2].signature = sign(stranger, i.hash());
        bytes memory taken = sign(stranger, i.hash());
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, circle.guardians[at % 2]));
        consents.recover(i, circle, a, taken);
    }

    function recover() private {
        IGuardians.RecoverIntent memory i = intent(nextWallet);
        consents.recover(i, circle, approvals(i, 0, 1), sign(nextWalletKey, i.hash()));
    }

    function intent(address to) private view returns (IGuardians.RecoverIntent memory) {
        uint32 round = consents.guardiansOf(PATIENT).round;
        return IGuardians.RecoverIntent(PATIENT, to, round, consents.patientOf(PATIENT).epoch, DEADLINE);
    }

    function approvals(IGuardians.RecoverIntent memory i, uint8 first, uint8 second)
        private
        view
        returns (IGuardians.Approval[] memory a)
    {
        a = new IGuardians.Approval[](2);
        a[0] = IGuardians.Approval(first, sign(keys[first], i.hash()));
        a[1] = IGuardians.Approval(second, sign(keys[second], i.hash()));
    }

    function refused(IGuardians.RecoverIntent memory i, IGuardians.Approval[] memory a, bytes memory refusal) private {
        bytes memory taken = sign(nextWalletKey, i.hash());
        vm.expectRevert(refusal);
        consents.recover(i, circle, a, taken);
    }

    function invalid(IGuardians.Circle memory c) private {
        vm.expectRevert(IGuardians.CircleInvalid.selector);
        consents.circleOf(c);
    }
}
