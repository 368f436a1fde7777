// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {IActorRegistry} from "../src/interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {ConsentFixture} from "./support/ConsentFixture.sol";
import {Signer} from "./support/Signer.sol";
import {OddWallet1271, ReentrantWallet1271, Wallet1271} from "./support/Wallets.sol";

contract ConsentSignaturesTest is ConsentFixture {
    using Signer for *;

    bytes32 private constant C = "commitment";
    // The order of secp256k1: s and N - s are both signatures of one message.
    uint256 private constant N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    function test_domain_isOfThisContractOnThisChain() public {
        assertEq(consents.domainSeparator(), Signer.domainOf("PmrGateway Consent", block.chainid, address(consents)));
        vm.chainId(4242);
        assertEq(consents.domainSeparator(), Signer.domainOf("PmrGateway Consent", 4242, address(consents)));
    }

    function test_fuzz_everySignedWish_isRelayedByAnyone(address relayer) public {
        vm.startPrank(relayer);
        grantBySig(C, walletKey);
        assertTrue(isPermitted(PATIENT, C));
        IConsentRegistry.GrantBatchIntent memory batch = batchIntent();
        consents.grantBatchBySig(batch, sign(walletKey, batch.hash()));
        assertTrue(isPermitted(PATIENT, "a") && isPermitted(PATIENT, "b"));
        IConsentRegistry.RevokeIntent memory r = IConsentRegistry.RevokeIntent(PATIENT, C, 1, DEADLINE);
        consents.revokeBySig(r, sign(walletKey, r.hash()));
        assertStanding(PATIENT, C, IConsentRegistry.Standing.Revoked);
        IConsentRegistry.RevokeAllIntent memory all = IConsentRegistry.RevokeAllIntent(PATIENT, 1, DEADLINE);
        consents.revokeAllBySig(all, sign(walletKey, all.hash()));
        assertStanding(PATIENT, "a", IConsentRegistry.Standing.EarlierEpoch);
    }

    function test_fuzz_noSignedWish_isTakenFromAnotherKey(uint256 key) public {
        key = bound(key, 1, N - 1);
        vm.assume(key != walletKey);
        bytes memory refusal = abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, wallet);
        IConsentRegistry.GrantIntent memory g = grantIntent(C);
        bytes memory s = sign(key, g.hash());
        vm.expectRevert(refusal);
        consents.grantBySig(g, s);
        IConsentRegistry.RevokeIntent memory r = IConsentRegistry.RevokeIntent(PATIENT, C, 1, DEADLINE);
        s = sign(key, r.hash());
        vm.expectRevert(refusal);
        consents.revokeBySig(r, s);
        IConsentRegistry.RevokeAllIntent memory all = IConsentRegistry.RevokeAllIntent(PATIENT, 1, DEADLINE);
        s = sign(key, all.hash());
        vm.expectRevert(refusal);
        consents.revokeAllBySig(all, s);
    }

    function test_fuzz_aSignature_isOfEveryFieldOfItsMessage(IConsentRegistry.GrantIntent memory other) public {
        IConsentRegistry.GrantIntent memory i = grantIntent(C);
        bytes memory s = sign(walletKey, i.hash());
        (other.patient, other.epoch) = (i.patient, i.epoch);
        other.deadline = uint64(bound(other.deadline, block.timestamp, type(uint64).max));
        vm.assume(other.commitment != i.commitment || other.deadline != i.deadline);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, wallet));
        consents.grantBySig(other, s);
    }

    function test_aMessage_isNotTakenForAnotherKindOfMessage() public {
        IConsentRegistry.RevokeIntent memory r = IConsentRegistry.RevokeIntent(PATIENT, C, 1, DEADLINE);
        bytes memory s = sign(walletKey, r.hash());
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, wallet));
        consents.grantBySig(IConsentRegistry.GrantIntent(PATIENT, C, 1, DEADLINE), s);
    }

    function test_aMessage_diesAtItsDeadline() public {
        IConsentRegistry.GrantIntent memory i = grantIntent(C);
        bytes memory s = sign(walletKey, i.hash());
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.IntentExpired.selector, DEADLINE));
        consents.grantBySig(i, s);
        vm.warp(DEADLINE);
        consents.grantBySig(i, s);
    }

    function test_aGrantSignedBefore_revokeAll_isVoidAfterIt() public {
        IConsentRegistry.GrantIntent memory i = grantIntent(C);
        bytes memory s = sign(walletKey, i.hash());
        vm.prank(wallet);
        consents.revokeAll(PATIENT);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.EpochPassed.selector, uint32(2), uint32(1)));
        consents.grantBySig(i, s);
    }

    function test_noMessage_countsTwice() public {
        IConsentRegistry.GrantIntent memory i = grantIntent(C);
        bytes memory s = sign(walletKey, i.hash());
        consents.grantBySig(i, s);
        IConsentRegistry.RevokeIntent memory r = IConsentRegistry.RevokeIntent(PATIENT, C, 1, DEADLINE);
        bytes memory rs = sign(walletKey, r.hash());
        consents.revokeBySig(r, rs);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, C));
        consents.grantBySig(i, s);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantNotActive.selector, C));
        consents.revokeBySig(r, rs);
        IConsentRegistry.RevokeAllIntent memory all = IConsentRegistry.RevokeAllIntent(PATIENT, 1, DEADLINE);
        bytes memory alls = sign(walletKey, all.hash());
        consents.revokeAllBySig(all, alls);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.EpochPassed.selector, uint32(2), uint32(1)));
        consents.revokeAllBySig(all, alls);
    }

    function test_aSignature_doesNotCountOnAnotherChainOrInAnotherRegistry() public {
        IConsentRegistry.GrantIntent memory i = grantIntent(C);
        bytes memory s = sign(walletKey, i.hash());
        bytes memory refusal = abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, wallet);
        uint256 here = block.chainid;
        vm.chainId(here + 1);
        vm.expectRevert(refusal);
        consents.grantBySig(i, s);
        vm.chainId(here);
        ConsentRegistry first = consents;
        consents = new ConsentRegistry(1 days, admin, registrar, actors, IConsentRegistry(address(0)));
        vm.prank(registrar);
        consents.registerPatient(PATIENT, custody, HOSPITAL);
        handOver(PATIENT, custodyKey, walletKey);
        vm.expectRevert(refusal);
        consents.grantBySig(i, s);
        first.grantBySig(i, s);
    }

    function test_aSignature_hasOneForm() public {
        IConsentRegistry.GrantIntent memory i = grantIntent(C);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(walletKey, Signer.digest(consents.domainSeparator(), i.hash()));
        bytes32 high = bytes32(N - uint256(s));
        refused(i, abi.encodePacked(r, high, v == 27 ? uint8(28) : uint8(27)));
        refused(i, abi.encodePacked(r, s, v - 27));
        refused(i, abi.encodePacked(r, s, v, uint8(0)));
        refused(i, abi.encodePacked(r, s));
        refused(i, abi.encodePacked(r, bytes32(uint256(s) | uint256(v - 27) << 255)));
        refused(i, "");
        refused(i, new bytes(65));
        consents.grantBySig(i, abi.encodePacked(r, s, v));
    }

    function test_custodySignsGrants_onlyWhileTheHospitalIsActive() public {
        IConsentRegistry.GrantIntent memory i = IConsentRegistry.GrantIntent(IN_CUSTODY, C, 0, DEADLINE);
        bytes memory s = sign(custodyKey, i.hash());
        setStatus(HOSPITAL, IActorRegistry.Status.Suspended);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.CustodianNotActive.selector, HOSPITAL));
        consents.grantBySig(i, s);
        IConsentRegistry.RevokeIntent memory r = IConsentRegistry.RevokeIntent(IN_CUSTODY, C, 0, DEADLINE);
        consents.revokeBySig(r, sign(custodyKey, r.hash()));
        setStatus(HOSPITAL, IActorRegistry.Status.Active);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, C));
        consents.grantBySig(i, s);
    }

    function test_aContractWallet_signsByEip1271() public {
        Wallet1271 contractWallet = new Wallet1271();
        IConsentRegistry.GrantIntent memory i = ofWallet(address(contractWallet));
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, address(contractWallet)));
        consents.grantBySig(i, "");
        contractWallet.accept(Signer.digest(consents.domainSeparator(), i.hash()));
        consents.grantBySig(i, "");
        assertTrue(isPermitted("p1271", C));
    }

    function test_anAccountOfEip7702_signsByItsKeyAndByItsCode() public {
        // Its code points to a contract wallet: it has both.
        Wallet1271 code = new Wallet1271();
        vm.etch(wallet, address(code).code);
        grantBySig(C, walletKey);
        assertTrue(isPermitted(PATIENT, C));
        IConsentRegistry.RevokeIntent memory r = IConsentRegistry.RevokeIntent(PATIENT, C, 1, DEADLINE);
        Wallet1271(wallet).accept(Signer.digest(consents.domainSeparator(), r.hash()));
        consents.revokeBySig(r, "by its code");
        assertStanding(PATIENT, C, IConsentRegistry.Standing.Revoked);
    }

    function test_aContractWallet_cannotReenter() public {
        ReentrantWallet1271 contractWallet = new ReentrantWallet1271();
        IConsentRegistry.GrantIntent memory i = ofWallet(address(contractWallet));
        contractWallet.plan(address(consents), abi.encodeCall(IConsentRegistry.grant, (i.patient, "chosen")));
        // It is asked by a static call: whatever it writes reverts, and so its answer is none.
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, address(contractWallet)));
        consents.grantBySig(i, "");
        assertStanding(i.patient, "chosen", IConsentRegistry.Standing.Unknown);
        // Called by itself it grants as any controller does: it was the call back that was refused.
        contractWallet.isValidSignature("", "");
        assertTrue(isPermitted(i.patient, "chosen"));
    }

    function test_fuzz_anOddAnswer_isNoSignature(uint8 which) public {
        address odd = address(new OddWallet1271(OddWallet1271.Answer(which % 4)));
        IConsentRegistry.GrantIntent memory i = ofWallet(odd);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, odd));
        consents.grantBySig(i, "");
    }

    function refused(IConsentRegistry.GrantIntent memory i, bytes memory s) private {
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, wallet));
        consents.grantBySig(i, s);
    }

    function grantBySig(bytes32 commitment, uint256 key) private {
        IConsentRegistry.GrantIntent memory i = grantIntent(commitment);
        consents.grantBySig(i, sign(key, i.hash()));
    }

    function ofWallet(address controller) private returns (IConsentRegistry.GrantIntent memory) {
        vm.prank(registrar);
        consents.registerPatient("p1271", controller, HOSPITAL);
        return IConsentRegistry.GrantIntent("p1271", C, 0, DEADLINE);
    }

    function batchIntent() private pure returns (IConsentRegistry.GrantBatchIntent memory) {
        bytes32[] memory two = new bytes32[](2);
        (two[0], two[1]) = ("a", "b");
        return IConsentRegistry.GrantBatchIntent(PATIENT, two, 1, DEADLINE);
    }
}
