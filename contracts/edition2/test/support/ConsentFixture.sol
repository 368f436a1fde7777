// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {ActorRegistry} from "../../src/ActorRegistry.sol";
import {ConsentRegistry} from "../../src/ConsentRegistry.sol";
import {IActorRegistry} from "../../src/interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {Signer} from "./Signer.sol";

/// @title A hospital with a doctor, a patient in its custody and one with a wallet of its own
abstract contract ConsentFixture is Test {
    using Signer for *;

    bytes32 internal constant HOSPITAL = "hospital";
    bytes32 internal constant OTHER_HOSPITAL = "other hospital";
    bytes32 internal constant DOCTOR = "doctor";
    bytes32 internal constant IN_CUSTODY = "patient in custody";
    bytes32 internal constant PATIENT = "patient";
    uint64 internal constant DEADLINE = 2_000_000_000;

    address internal admin = makeAddr("admin");
    address internal registrar = makeAddr("registrar");
    address internal operator;
    address internal custody;
    address internal wallet;
    address internal nextWallet;
    uint256 internal operatorKey;
    uint256 internal custodyKey;
    uint256 internal walletKey;
    uint256 internal nextWalletKey;

    ActorRegistry internal actors;
    ConsentRegistry internal consents;

    function setUp() public virtual {
        vm.warp(1_000_000);
        (operator, operatorKey) = makeAddrAndKey("operator");
        (custody, custodyKey) = makeAddrAndKey("custody");
        (wallet, walletKey) = makeAddrAndKey("wallet");
        (nextWallet, nextWalletKey) = makeAddrAndKey("next wallet");
        actors = new ActorRegistry(1 days, admin, registrar);
        consents = new ConsentRegistry(1 days, admin, registrar, actors, IConsentRegistry(address(0)));
        vm.startPrank(registrar);
        actors.registerHospital(HOSPITAL, "name", "address", "https://h.example/fhir", operator);
        actors.registerHospital(OTHER_HOSPITAL, "name 2", "address 2", "https://h2.example/fhir", operator);
        actors.setBreakGlassPolicy(HOSPITAL, "policy");
        consents.registerPatient(IN_CUSTODY, custody, HOSPITAL);
        consents.registerPatient(PATIENT, custody, HOSPITAL);
        vm.stopPrank();
        vm.prank(operator);
        actors.registerPractitioner(DOCTOR, "number", HOSPITAL);
        handOver(PATIENT, custodyKey, walletKey);
    }

    function handOver(bytes32 patient, uint256 from, uint256 to) internal {
        uint32 epoch = consents.patientOf(patient).epoch;
        IConsentRegistry.HandOverIntent memory i = IConsentRegistry.HandOverIntent(patient, vm.addr(to), epoch, DEADLINE);
        consents.handOver(i, sign(from, i.hash()), sign(to, i.hash()));
    }

    function sign(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        return Signer.sign(key, consents.domainSeparator(), structHash);
    }

    function grantIntent(bytes32 commitment) internal view returns (IConsentRegistry.GrantIntent memory) {
        return IConsentRegistry.GrantIntent(PATIENT, commitment, consents.patientOf(PATIENT).epoch, DEADLINE);
    }

    function opening(bytes32 salt) internal pure returns (IConsentRegistry.Opening memory) {
        return IConsentRegistry.Opening(salt, 0, type(uint64).max, keccak256("terms"));
    }

    function setStatus(bytes32 id, IActorRegistry.Status status) internal {
        vm.prank(registrar);
        actors.setStatus(id, status);
    }

    function assertStanding(bytes32 patient, bytes32 commitment, IConsentRegistry.Standing expected) internal view {
        assertEq(uint8(consents.standingOf(patient, commitment)), uint8(expected));
    }

    function isPermitted(bytes32 patient, bytes32 commitment) internal view returns (bool) {
        return consents.standingOf(patient, commitment) == IConsentRegistry.Standing.Permitted;
    }
}
