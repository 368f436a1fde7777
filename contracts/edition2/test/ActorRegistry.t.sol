// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Test} from "forge-std/Test.sol";
import {ActorRegistry} from "../src/ActorRegistry.sol";
import {IActorRegistry} from "../src/interfaces/IActorRegistry.sol";
import {Signer} from "./support/Signer.sol";

contract ActorRegistryTest is Test {
    using Signer for *;

    bytes32 private constant HOSPITAL = "hospital";
    bytes32 private constant OTHER = "other hospital";
    bytes32 private constant DOCTOR = "doctor";
    uint64 private constant DEADLINE = 2_000_000_000;
    IActorRegistry.Status private constant ACTIVE = IActorRegistry.Status.Active;
    IActorRegistry.Status private constant SUSPENDED = IActorRegistry.Status.Suspended;
    IActorRegistry.Status private constant STRUCK_OFF = IActorRegistry.Status.StruckOff;

    address private registrar = makeAddr("registrar");
    address private operator;
    uint256 private operatorKey;
    address private stranger;
    uint256 private strangerKey;
    ActorRegistry private actors;

    function setUp() public {
        (operator, operatorKey) = makeAddrAndKey("operator");
        (stranger, strangerKey) = makeAddrAndKey("operator of another hospital");
        actors = new ActorRegistry(1 days, makeAddr("admin"), registrar);
        vm.startPrank(registrar);
        actors.registerHospital(HOSPITAL, "name", "address", "https://h.example/fhir", operator);
        actors.registerHospital(OTHER, "name 2", "address 2", "https://o.example/fhir", stranger);
        vm.stopPrank();
        vm.prank(operator);
        actors.registerPractitioner(DOCTOR, "number", HOSPITAL);
    }

    function test_aHospital_registersItsOwnPractitionersAndNoOthers() public {
        assertTrue(actors.isActive(DOCTOR));
        assertEq(actors.actorOf(DOCTOR).hospital, HOSPITAL);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NotOperator.selector, stranger));
        actors.registerPractitioner("d2", "n", HOSPITAL);
        // Who breaks the glass cannot make up who does.
        vm.prank(registrar);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NotOperator.selector, registrar));
        actors.registerPractitioner("d2", "n", HOSPITAL);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NotAHospital.selector, DOCTOR));
        actors.registerPractitioner("d2", "n", DOCTOR);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.ActorExists.selector, DOCTOR));
        actors.registerPractitioner(DOCTOR, "n", HOSPITAL);
        vm.expectRevert(IActorRegistry.ZeroValue.selector);
        actors.registerPractitioner(0, "n", HOSPITAL);
    }

    function test_theRegistrar_registersHospitalsAndInsurers() public {
        vm.startPrank(registrar);
        vm.expectEmit(address(actors));
        emit IActorRegistry.HospitalRegistered("h3", "n", "a", "e", operator);
        actors.registerHospital("h3", "n", "a", "e", operator);
        actors.registerInsurer("insurer", "n");
        assertTrue(actors.isActive("insurer"));
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.ActorExists.selector, HOSPITAL));
        actors.registerInsurer(HOSPITAL, "n");
        vm.expectRevert(IActorRegistry.ZeroValue.selector);
        actors.registerHospital("h4", "n", "a", "e", address(0));
    }

    function test_practitionerRegistration_isSignedByTheOperatorAndRelayedOnce() public {
        IActorRegistry.RegisterPractitionerIntent memory i = IActorRegistry.RegisterPractitionerIntent("d2", "n", HOSPITAL, DEADLINE);
        bytes memory s = sign(strangerKey, i.hash());
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.SignatureInvalid.selector, operator));
        actors.registerPractitionerBySig(i, s);
        s = sign(operatorKey, i.hash());
        actors.registerPractitionerBySig(i, s);
        assertTrue(actors.isActive("d2"));
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.ActorExists.selector, bytes32("d2")));
        actors.registerPractitionerBySig(i, s);
        i.id = "d3";
        s = sign(operatorKey, i.hash());
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.IntentExpired.selector, DEADLINE));
        actors.registerPractitionerBySig(i, s);
    }

    function test_aHospital_suspendsAndReinstatesItsOwnPractitionersOnly() public {
        vm.startPrank(operator);
        vm.expectEmit(address(actors));
        emit IActorRegistry.ActorStatusChanged(DOCTOR, SUSPENDED, false);
        actors.setStatus(DOCTOR, SUSPENDED);
        assertFalse(actors.isActive(DOCTOR));
        actors.setStatus(DOCTOR, ACTIVE);
        assertTrue(actors.isActive(DOCTOR));
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.RegistrarOnly.selector, DOCTOR));
        actors.setStatus(DOCTOR, STRUCK_OFF);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NotOperator.selector, operator));
        actors.setStatus(HOSPITAL, SUSPENDED);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NotOperator.selector, operator));
        actors.setStatus(OTHER, SUSPENDED);
        vm.stopPrank();
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NotOperator.selector, stranger));
        actors.setStatus(DOCTOR, SUSPENDED);
    }

    function test_aHospital_doesNotEndTheRegistrarsSuspension() public {
        vm.prank(operator);
        actors.setStatus(DOCTOR, SUSPENDED);
        vm.prank(registrar);
        actors.setStatus(DOCTOR, SUSPENDED);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.RegistrarOnly.selector, DOCTOR));
        actors.setStatus(DOCTOR, ACTIVE);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.RegistrarOnly.selector, DOCTOR));
        actors.setStatus(DOCTOR, SUSPENDED);
        vm.stopPrank();
        vm.startPrank(registrar);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.StatusUnchanged.selector, DOCTOR));
        actors.setStatus(DOCTOR, SUSPENDED);
        actors.setStatus(DOCTOR, ACTIVE);
        assertTrue(actors.isActive(DOCTOR));
    }

    function test_strikingOff_isFinal() public {
        vm.startPrank(registrar);
        actors.setStatus(DOCTOR, STRUCK_OFF);
        bytes memory refusal = abi.encodeWithSelector(IActorRegistry.ActorStruckOff.selector, DOCTOR);
        for (uint8 s = 1; s <= uint8(STRUCK_OFF); s++) {
            vm.expectRevert(refusal);
            actors.setStatus(DOCTOR, IActorRegistry.Status(s));
        }
        vm.expectRevert(refusal);
        actors.setEncryptionKey(DOCTOR, "key");
        actors.setStatus(HOSPITAL, STRUCK_OFF);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.ActorStruckOff.selector, HOSPITAL));
        actors.setOperator(HOSPITAL, stranger);
        vm.stopPrank();
        vm.prank(operator);
        vm.expectRevert(refusal);
        actors.setStatus(DOCTOR, ACTIVE);
        assertFalse(actors.isActive(DOCTOR));
    }

    function test_thePractitionersOfAHospitalThatIsNotActive_areNotActive_andItsOperatorOnlySuspends() public {
        vm.prank(registrar);
        actors.setStatus(HOSPITAL, SUSPENDED);
        assertFalse(actors.isActive(DOCTOR));
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.HospitalNotActive.selector, HOSPITAL));
        actors.registerPractitioner("d2", "n", HOSPITAL);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.HospitalNotActive.selector, HOSPITAL));
        actors.setEncryptionKey(HOSPITAL, "key");
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.HospitalNotActive.selector, HOSPITAL));
        actors.setOperator(HOSPITAL, stranger);
        actors.setStatus(DOCTOR, SUSPENDED);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.HospitalNotActive.selector, DOCTOR));
        actors.setStatus(DOCTOR, ACTIVE);
    }

    function test_aSignedStatus_countsInItsTurnAlone() public {
        IActorRegistry.SetStatusIntent memory suspend = IActorRegistry.SetStatusIntent(DOCTOR, SUSPENDED, 0, DEADLINE);
        bytes memory s = sign(operatorKey, suspend.hash());
        actors.setStatusBySig(suspend, s);
        assertFalse(actors.isActive(DOCTOR));
        IActorRegistry.SetStatusIntent memory reinstate = IActorRegistry.SetStatusIntent(DOCTOR, ACTIVE, 1, DEADLINE);
        actors.setStatusBySig(reinstate, sign(operatorKey, reinstate.hash()));
        assertTrue(actors.isActive(DOCTOR));
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NonceInvalid.selector, uint64(2), uint64(0)));
        actors.setStatusBySig(suspend, s);
        IActorRegistry.SetStatusIntent memory i = IActorRegistry.SetStatusIntent(DOCTOR, STRUCK_OFF, 2, DEADLINE);
        s = sign(operatorKey, i.hash());
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.RegistrarOnly.selector, DOCTOR));
        actors.setStatusBySig(i, s);
        (i.id, i.status) = (HOSPITAL, ACTIVE);
        s = sign(operatorKey, i.hash());
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.RegistrarOnly.selector, HOSPITAL));
        actors.setStatusBySig(i, s);
    }

    function test_aSignature_doesNotCountOnAnotherChain() public {
        IActorRegistry.SetStatusIntent memory i = IActorRegistry.SetStatusIntent(DOCTOR, SUSPENDED, 0, DEADLINE);
        bytes memory s = sign(operatorKey, i.hash());
        vm.chainId(4242);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.SignatureInvalid.selector, operator));
        actors.setStatusBySig(i, s);
    }

    function test_theOperator_isRotatedByItselfByItsSignatureOrByTheRegistrar() public {
        IActorRegistry.SetOperatorIntent memory i = IActorRegistry.SetOperatorIntent(HOSPITAL, stranger, 0, DEADLINE);
        bytes memory s = sign(strangerKey, i.hash());
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.SignatureInvalid.selector, operator));
        actors.setOperatorBySig(i, s);
        s = sign(operatorKey, i.hash());
        actors.setOperatorBySig(i, s);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NotOperator.selector, operator));
        actors.setStatus(DOCTOR, SUSPENDED);
        vm.prank(stranger);
        actors.setOperator(HOSPITAL, operator);
        // The operator is the same again, and its old message is not.
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NonceInvalid.selector, uint64(1), uint64(0)));
        actors.setOperatorBySig(i, s);
        vm.startPrank(registrar);
        vm.expectEmit(address(actors));
        emit IActorRegistry.OperatorChanged(HOSPITAL, stranger);
        actors.setOperator(HOSPITAL, stranger);
        vm.expectRevert(IActorRegistry.ZeroValue.selector);
        actors.setOperator(HOSPITAL, address(0));
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NotAHospital.selector, DOCTOR));
        actors.setOperator(DOCTOR, stranger);
    }

    function test_anEncryptionKey_isPublishedByTheOperatorOrTheRegistrar() public {
        vm.prank(operator);
        actors.setEncryptionKey(DOCTOR, "key");
        assertEq(actors.actorOf(DOCTOR).encryptionKey, "key");
        IActorRegistry.SetEncryptionKeyIntent memory i = IActorRegistry.SetEncryptionKeyIntent(HOSPITAL, "key 2", 0, DEADLINE);
        actors.setEncryptionKeyBySig(i, sign(operatorKey, i.hash()));
        assertEq(actors.actorOf(HOSPITAL).encryptionKey, "key 2");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NotOperator.selector, stranger));
        actors.setEncryptionKey(DOCTOR, "another");
        vm.startPrank(registrar);
        actors.registerInsurer("insurer", "n");
        vm.expectEmit(address(actors));
        emit IActorRegistry.EncryptionKeySet("insurer", "key 3");
        actors.setEncryptionKey("insurer", "key 3");
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.ActorUnknown.selector, bytes32("nobody")));
        actors.setEncryptionKey("nobody", "key");
    }

    function test_anActorWithoutAnOperator_hasNoSigner() public {
        vm.prank(registrar);
        actors.registerInsurer("insurer", "n");
        IActorRegistry.SetEncryptionKeyIntent memory i = IActorRegistry.SetEncryptionKeyIntent("insurer", "key", 0, DEADLINE);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.SignatureInvalid.selector, address(0)));
        actors.setEncryptionKeyBySig(i, new bytes(65));
    }

    function test_aClient_isBoundToOneActorAtATime() public {
        vm.startPrank(registrar);
        actors.bindClient(HOSPITAL, "client");
        assertEq(actors.actorOfClient("client"), HOSPITAL);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.ClientBoundTo.selector, bytes32("client"), HOSPITAL));
        actors.bindClient(DOCTOR, "client");
        actors.unbindClient("client");
        actors.bindClient(DOCTOR, "client");
        assertEq(actors.actorOfClient("client"), DOCTOR);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.ActorUnknown.selector, bytes32("none")));
        actors.unbindClient("none");
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.ActorUnknown.selector, bytes32("nobody")));
        actors.bindClient("nobody", "c");
    }

    function test_aBreakGlassPolicy_isOfAHospital() public {
        vm.startPrank(registrar);
        actors.setBreakGlassPolicy(HOSPITAL, "policy");
        assertEq(actors.breakGlassPolicyOf(HOSPITAL), "policy");
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NotAHospital.selector, DOCTOR));
        actors.setBreakGlassPolicy(DOCTOR, "policy");
    }

    function test_fuzz_whatIsTheRegistrars_needsTheRole(address caller) public {
        vm.assume(caller != registrar && caller != operator && caller != stranger);
        bytes memory refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, caller, actors.REGISTRAR_ROLE()
        );
        bytes memory notOperator = abi.encodeWithSelector(IActorRegistry.NotOperator.selector, caller);
        vm.startPrank(caller);
        vm.expectRevert(refusal);
        actors.registerHospital("x", "n", "a", "e", caller);
        vm.expectRevert(refusal);
        actors.registerInsurer("x", "n");
        vm.expectRevert(refusal);
        actors.bindClient(HOSPITAL, "c");
        vm.expectRevert(refusal);
        actors.unbindClient("c");
        vm.expectRevert(refusal);
        actors.setBreakGlassPolicy(HOSPITAL, "p");
        vm.expectRevert(notOperator);
        actors.registerPractitioner("x", "n", HOSPITAL);
        vm.expectRevert(notOperator);
        actors.setStatus(DOCTOR, SUSPENDED);
        vm.expectRevert(notOperator);
        actors.setOperator(HOSPITAL, caller);
        vm.expectRevert(notOperator);
        actors.setEncryptionKey(HOSPITAL, "key");
    }

    function sign(uint256 key, bytes32 structHash) private view returns (bytes memory) {
        return Signer.sign(key, actors.domainSeparator(), structHash);
    }
}
