// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Test} from "forge-std/Test.sol";
import {ActorRegistry} from "../src/ActorRegistry.sol";
import {ConsentIntents} from "../src/ConsentIntents.sol";
import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {IActorRegistry} from "../src/interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";

/// A contract wallet that accepts one digest.
contract Wallet1271 {
    bytes32 public accepted;

    function accept(bytes32 digest) external {
        accepted = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == accepted ? bytes4(0x1626ba7e) : bytes4(0);
    }
}

/// A contract wallet that grants to somebody of its own choice when it is asked whether a signature is its own.
contract ReentrantWallet1271 {
    ConsentRegistry private immutable CONSENTS;
    bytes32 private immutable PATIENT;

    constructor(ConsentRegistry consents, bytes32 patient) {
        CONSENTS = consents;
        PATIENT = patient;
    }

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        CONSENTS.grant(PATIENT, "chosen", 0, type(uint64).max);
        return bytes4(0x1626ba7e);
    }
}

contract ConsentRegistryTest is Test {
    using ConsentIntents for *;

    ActorRegistry private actors = new ActorRegistry(address(this));
    ConsentRegistry private consents = new ConsentRegistry(address(this), actors);
    bytes32 private constant HOSPITAL = "hospital";
    bytes32 private constant PATIENT = "patient";
    bytes32 private constant TERMS = "commitment";
    address private controller;
    uint256 private controllerKey;

    function setUp() public {
        vm.warp(1_000_000);
        (controller, controllerKey) = makeAddrAndKey("controller");
        actors.registerHospital(HOSPITAL, "n", "a", "e");
        consents.registerPatient(PATIENT, controller, HOSPITAL);
    }

    function test_grant_standsInsideItsPeriodOnly() public {
        vm.prank(controller);
        consents.grant(PATIENT, TERMS, 1_000_100, 1_000_200);
        assertFalse(consents.isPermitted(PATIENT, TERMS));
        vm.warp(1_000_100);
        assertTrue(consents.isPermitted(PATIENT, TERMS));
        vm.warp(1_000_200);
        assertTrue(consents.isPermitted(PATIENT, TERMS));
        vm.warp(1_000_201);
        assertFalse(consents.isPermitted(PATIENT, TERMS));
    }

    function test_breakGlass_needsThePolicyOfAnActiveCustodianAndEndsWithinItsLimit() public {
        uint64 from = uint64(block.timestamp);
        uint64 limit = from + consents.GLASS_LIMIT();
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NoBreakGlassPolicy.selector, HOSPITAL));
        consents.breakGlass(PATIENT, TERMS, from, from + 4 hours);
        actors.setBreakGlassPolicy(HOSPITAL, "policy");
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GlassTooLong.selector, limit + 1));
        consents.breakGlass(PATIENT, TERMS, from, limit + 1);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.PatientUnknown.selector, bytes32("nobody")));
        consents.breakGlass("nobody", TERMS, from, limit);
        actors.setStatus(HOSPITAL, IActorRegistry.Status.Suspended);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.CustodianNotActive.selector, HOSPITAL));
        consents.breakGlass(PATIENT, TERMS, from, limit);
        actors.setStatus(HOSPITAL, IActorRegistry.Status.Active);

        vm.expectEmit();
        emit IConsentRegistry.ConsentGranted(PATIENT, TERMS, from, limit, 0);
        vm.expectEmit();
        emit IConsentRegistry.GlassBroken(PATIENT, TERMS);
        consents.breakGlass(PATIENT, TERMS, from, limit);
        assertTrue(consents.isPermitted(PATIENT, TERMS));
        vm.prank(controller);
        consents.revoke(PATIENT, TERMS);
        assertFalse(consents.isPermitted(PATIENT, TERMS));
        actors.setBreakGlassPolicy(HOSPITAL, 0);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NoBreakGlassPolicy.selector, HOSPITAL));
        consents.breakGlass(PATIENT, "again", from, limit);
    }

    function test_fuzz_breakGlass_isTheRegistrarsAlone(address caller) public {
        vm.assume(caller != address(this));
        actors.setBreakGlassPolicy(HOSPITAL, "policy");
        bytes32 role = consents.REGISTRAR_ROLE();
        vm.prank(caller);
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role)
        );
        consents.breakGlass(PATIENT, TERMS, uint64(block.timestamp), uint64(block.timestamp + 1 hours));
    }

    function test_fuzz_grant_revertsWithNotController(address caller) public {
        vm.assume(caller != controller);
        vm.startPrank(caller);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotController.selector, caller));
        consents.grant(PATIENT, TERMS, 0, type(uint64).max);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotController.selector, caller));
        consents.revoke(PATIENT, TERMS);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotController.selector, caller));
        consents.revokeAll(PATIENT);
    }

    function test_grant_revertsWithPeriodInvalid() public {
        vm.startPrank(controller);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.PeriodInvalid.selector, uint64(9), uint64(8)));
        consents.grant(PATIENT, TERMS, 9, 8);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.PeriodInvalid.selector, uint64(0), uint64(999_999)));
        consents.grant(PATIENT, TERMS, 0, 999_999);
    }

    function test_grant_revertsWithGrantExists_evenAfterRevocation() public {
        vm.startPrank(controller);
        consents.grant(PATIENT, TERMS, 0, type(uint64).max);
        consents.revoke(PATIENT, TERMS);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantExists.selector, TERMS));
        consents.grant(PATIENT, TERMS, 0, type(uint64).max);
    }

    function test_grant_revertsWithPatientUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.PatientUnknown.selector, bytes32("nobody")));
        consents.grant("nobody", TERMS, 0, type(uint64).max);
    }

    function test_revoke_endsTheGrant() public {
        vm.startPrank(controller);
        consents.grant(PATIENT, TERMS, 0, type(uint64).max);
        consents.revoke(PATIENT, TERMS);
        assertFalse(consents.isPermitted(PATIENT, TERMS));
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.GrantNotActive.selector, TERMS));
        consents.revoke(PATIENT, TERMS);
    }

    function test_revokeAll_endsEarlierGrantsAndLeavesLaterOnes() public {
        vm.startPrank(controller);
        consents.grant(PATIENT, TERMS, 0, type(uint64).max);
        consents.revokeAll(PATIENT);
        consents.grant(PATIENT, "later", 0, type(uint64).max);
        assertFalse(consents.isPermitted(PATIENT, TERMS));
        assertTrue(consents.isPermitted(PATIENT, "later"));
    }

    function test_grantBySig_isRelayedByAnyone() public {
        IConsentRegistry.GrantIntent memory intent = _grantIntent(7);
        bytes memory signature = this.signGrant(intent, controllerKey);
        vm.prank(address(0xbeef));
        consents.grantBySig(intent, signature);
        assertTrue(consents.isPermitted(PATIENT, TERMS));
    }

    function test_fuzz_grantBySig_revertsWithAnotherSigner(uint256 key) public {
        key = bound(key, 1, 1 << 250);
        vm.assume(vm.addr(key) != controller);
        IConsentRegistry.GrantIntent memory intent = _grantIntent(7);
        bytes memory signature = this.signGrant(intent, key);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, controller));
        consents.grantBySig(intent, signature);
    }

    function test_fuzz_grantBySig_revertsWithAnyOtherTerms(bytes32 commitment, uint64 notAfter) public {
        IConsentRegistry.GrantIntent memory intent = _grantIntent(7);
        vm.assume(commitment != intent.commitment || notAfter != intent.notAfter);
        bytes memory signature = this.signGrant(intent, controllerKey);
        intent.commitment = commitment;
        intent.notAfter = notAfter;
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, controller));
        consents.grantBySig(intent, signature);
    }

    function test_grantBySig_revertsWithNonceUsed() public {
        IConsentRegistry.GrantIntent memory intent = _grantIntent(7);
        bytes memory signature = this.signGrant(intent, controllerKey);
        consents.grantBySig(intent, signature);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NonceUsed.selector, 7));
        consents.grantBySig(intent, signature);
    }

    function test_grantBySig_revertsWithIntentExpired() public {
        IConsentRegistry.GrantIntent memory intent = _grantIntent(7);
        bytes memory signature = this.signGrant(intent, controllerKey);
        vm.warp(intent.deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.IntentExpired.selector, intent.deadline));
        consents.grantBySig(intent, signature);
    }

    function test_grantBySig_revertsOnAnotherChain() public {
        IConsentRegistry.GrantIntent memory intent = _grantIntent(7);
        bytes memory signature = this.signGrant(intent, controllerKey);
        vm.chainId(99);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, controller));
        consents.grantBySig(intent, signature);
    }

    function test_revokeBySig_endsTheGrant() public {
        vm.prank(controller);
        consents.grant(PATIENT, TERMS, 0, type(uint64).max);
        IConsentRegistry.RevokeIntent memory intent = IConsentRegistry.RevokeIntent(PATIENT, TERMS, 8, 2_000_000);
        consents.revokeBySig(intent, this.signRevoke(intent, controllerKey));
        assertFalse(consents.isPermitted(PATIENT, TERMS));
    }

    function test_revokeAllBySig_raisesTheEpoch() public {
        IConsentRegistry.RevokeAllIntent memory intent = IConsentRegistry.RevokeAllIntent(PATIENT, 9, 2_000_000);
        consents.revokeAllBySig(intent, this.signRevokeAll(intent, controllerKey));
        assertEq(consents.patientOf(PATIENT).epoch, 1);
    }

    function test_handOver_needsBothSides() public {
        (address wallet, uint256 walletKey) = makeAddrAndKey("wallet");
        IConsentRegistry.HandOverIntent memory intent = IConsentRegistry.HandOverIntent(PATIENT, wallet, 1, 2_000_000);
        bytes memory given = this.signHandOver(intent, controllerKey);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, wallet));
        consents.handOver(intent, given, given);
        consents.handOver(intent, given, this.signHandOver(intent, walletKey));
        assertEq(consents.patientOf(PATIENT).controller, wallet);
        vm.prank(controller);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.NotController.selector, controller));
        consents.grant(PATIENT, TERMS, 0, type(uint64).max);
    }

    function test_contractWallet_signsByEip1271() public {
        Wallet1271 wallet = new Wallet1271();
        consents.registerPatient("p2", address(wallet), HOSPITAL);
        IConsentRegistry.GrantIntent memory intent = _grantIntent(1);
        intent.patient = "p2";
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, address(wallet)));
        consents.grantBySig(intent, "");
        wallet.accept(this.grantDigest(intent));
        consents.grantBySig(intent, "");
        assertTrue(consents.isPermitted("p2", TERMS));
    }

    function test_contractWallet_cannotReenter() public {
        ReentrantWallet1271 wallet = new ReentrantWallet1271(consents, "p3");
        consents.registerPatient("p3", address(wallet), HOSPITAL);
        IConsentRegistry.GrantIntent memory intent = _grantIntent(1);
        intent.patient = "p3";
        // It is asked by a static call: whatever it writes reverts, and so its answer is none.
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.SignatureInvalid.selector, address(wallet)));
        consents.grantBySig(intent, "");
        assertFalse(consents.isPermitted("p3", TERMS));
        assertFalse(consents.isPermitted("p3", "chosen"));
        // Called by itself it grants as any controller does: it was the call back that was refused.
        wallet.isValidSignature("", "");
        assertTrue(consents.isPermitted("p3", "chosen"));
    }

    function test_registerPatient_revertsWithCustodianNotActive() public {
        actors.setStatus(HOSPITAL, IActorRegistry.Status.Suspended);
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.CustodianNotActive.selector, HOSPITAL));
        consents.registerPatient("p3", controller, HOSPITAL);
        actors.registerInsurer("insurer", "n");
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.CustodianNotActive.selector, bytes32("insurer")));
        consents.registerPatient("p3", controller, "insurer");
    }

    function test_registerPatient_revertsWithPatientExists() public {
        vm.expectRevert(abi.encodeWithSelector(IConsentRegistry.PatientExists.selector, PATIENT));
        consents.registerPatient(PATIENT, controller, HOSPITAL);
    }

    function test_fuzz_registerPatient_needsTheRole(address caller) public {
        vm.assume(caller != address(this));
        bytes32 role = consents.REGISTRAR_ROLE();
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, role));
        consents.registerPatient("p3", controller, HOSPITAL);
    }

    // The signing helpers are external because the hash library takes calldata.
    function grantDigest(IConsentRegistry.GrantIntent calldata intent) external view returns (bytes32) {
        return _digest(intent.hash());
    }

    function signGrant(IConsentRegistry.GrantIntent calldata intent, uint256 key) external view returns (bytes memory) {
        return _sign(intent.hash(), key);
    }

    function signRevoke(IConsentRegistry.RevokeIntent calldata intent, uint256 key) external view returns (bytes memory) {
        return _sign(intent.hash(), key);
    }

    function signRevokeAll(IConsentRegistry.RevokeAllIntent calldata intent, uint256 key)
        external
        view
        returns (bytes memory)
    {
        return _sign(intent.hash(), key);
    }

    function signHandOver(IConsentRegistry.HandOverIntent calldata intent, uint256 key)
        external
        view
        returns (bytes memory)
    {
        return _sign(intent.hash(), key);
    }

    function _grantIntent(uint256 nonce) private pure returns (IConsentRegistry.GrantIntent memory) {
        return IConsentRegistry.GrantIntent(PATIENT, TERMS, 0, type(uint64).max, nonce, 2_000_000);
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", consents.domainSeparator(), structHash));
    }

    function _sign(bytes32 structHash, uint256 key) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _digest(structHash));
        return abi.encodePacked(r, s, v);
    }
}
