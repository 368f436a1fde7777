// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Test} from "forge-std/Test.sol";
import {ActorRegistry} from "../src/ActorRegistry.sol";
import {IActorRegistry} from "../src/interfaces/IActorRegistry.sol";

contract ActorRegistryTest is Test {
    ActorRegistry private actors = new ActorRegistry(address(this));
    bytes32 private constant HOSPITAL = "hospital";
    bytes32 private constant DOCTOR = "doctor";

    function setUp() public {
        actors.registerHospital(HOSPITAL, "name", "address", "https://h.example/fhir");
        actors.registerPractitioner(DOCTOR, "number", HOSPITAL);
    }

    function test_registerHospital_isActiveAndEmits() public {
        vm.expectEmit(address(actors));
        emit IActorRegistry.HospitalRegistered("h2", "n", "a", "https://h2.example/fhir");
        actors.registerHospital("h2", "n", "a", "https://h2.example/fhir");
        assertTrue(actors.isActive("h2"));
    }

    function test_register_revertsWithActorExists() public {
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.ActorExists.selector, HOSPITAL));
        actors.registerInsurer(HOSPITAL, "n");
    }

    function test_register_revertsWithZeroValue() public {
        vm.expectRevert(IActorRegistry.ZeroValue.selector);
        actors.registerInsurer(0, "n");
    }

    function test_registerPractitioner_revertsWithNotAHospital() public {
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.NotAHospital.selector, DOCTOR));
        actors.registerPractitioner("d2", "n", DOCTOR);
    }

    function test_suspendedPractitioner_isNotActive() public {
        actors.setStatus(DOCTOR, IActorRegistry.Status.Suspended);
        assertFalse(actors.isActive(DOCTOR));
        actors.setStatus(DOCTOR, IActorRegistry.Status.Active);
        assertTrue(actors.isActive(DOCTOR));
    }

    function test_practitionerOfSuspendedHospital_isNotActive() public {
        actors.setStatus(HOSPITAL, IActorRegistry.Status.Suspended);
        assertFalse(actors.isActive(DOCTOR));
    }

    function test_setStatus_revertsWithActorUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.ActorUnknown.selector, bytes32("nobody")));
        actors.setStatus("nobody", IActorRegistry.Status.Suspended);
    }

    function test_bindClient_revertsWithClientBoundTo() public {
        actors.bindClient(HOSPITAL, "client");
        assertEq(actors.actorOfClient("client"), HOSPITAL);
        vm.expectRevert(abi.encodeWithSelector(IActorRegistry.ClientBoundTo.selector, bytes32("client"), HOSPITAL));
        actors.bindClient(DOCTOR, "client");
    }

    function test_unbindClient_freesTheClient() public {
        actors.bindClient(HOSPITAL, "client");
        actors.unbindClient("client");
        assertEq(actors.actorOfClient("client"), 0);
        actors.bindClient(DOCTOR, "client");
        assertEq(actors.actorOfClient("client"), DOCTOR);
    }

    function test_fuzz_everyWriter_needsTheRole(address caller) public {
        vm.assume(caller != address(this));
        bytes memory refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, caller, actors.REGISTRAR_ROLE()
        );
        vm.startPrank(caller);
        vm.expectRevert(refusal);
        actors.registerHospital("x", "n", "a", "e");
        vm.expectRevert(refusal);
        actors.registerPractitioner("x", "n", HOSPITAL);
        vm.expectRevert(refusal);
        actors.registerInsurer("x", "n");
        vm.expectRevert(refusal);
        actors.setStatus(HOSPITAL, IActorRegistry.Status.Suspended);
        vm.expectRevert(refusal);
        actors.bindClient(HOSPITAL, "c");
        vm.expectRevert(refusal);
        actors.unbindClient("c");
    }
}
