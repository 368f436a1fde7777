// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {IActorRegistry} from "../src/interfaces/IActorRegistry.sol";
import {IAnchorRegistry} from "../src/interfaces/IAnchorRegistry.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {IGuardians} from "../src/interfaces/IGuardians.sol";

/// @title The calldata of every function, as an implementation that shares nothing with these contracts wrote it
contract CalldataVectorsTest is Test {
    bytes32 private constant ONE = 0x1111111111111111111111111111111111111111111111111111111111111111;
    bytes32 private constant TWO = 0x2222222222222222222222222222222222222222222222222222222222222222;
    bytes32 private constant THREE = 0x3333333333333333333333333333333333333333333333333333333333333333;
    bytes32 private constant FOUR = 0x4444444444444444444444444444444444444444444444444444444444444444;
    address private constant ALICE = address(uint160(0x00a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1));
    address private constant BOB = address(uint160(0x00b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2));
    uint64 private constant DEADLINE = 4102444800;
    bytes private constant S =
        hex"5555555555555555555555555555555555555555555555555555555555555555"
        hex"55555555555555555555555555555555555555555555555555555555555555551b";

    string private json = vm.readFile("../../tests/vectors/ledger2-calldata.json");
    string private at;
    uint256 private checked;

    function test_actorRegistry() public {
        at = ".ActorRegistry";
        same("registerHospital", abi.encodeCall(IActorRegistry.registerHospital, (ONE, TWO, THREE, "https://h.example/fhir", ALICE)));
        same("registerInsurer", abi.encodeCall(IActorRegistry.registerInsurer, (ONE, TWO)));
        same("registerPractitioner", abi.encodeCall(IActorRegistry.registerPractitioner, (ONE, TWO, THREE)));
        IActorRegistry.RegisterPractitionerIntent memory p = IActorRegistry.RegisterPractitionerIntent(ONE, TWO, THREE, DEADLINE);
        same("registerPractitionerBySig", abi.encodeCall(IActorRegistry.registerPractitionerBySig, (p, S)));
        same("setStatus", abi.encodeCall(IActorRegistry.setStatus, (ONE, IActorRegistry.Status.StruckOff)));
        IActorRegistry.SetStatusIntent memory s =
            IActorRegistry.SetStatusIntent(ONE, IActorRegistry.Status.Suspended, 7, DEADLINE);
        same("setStatusBySig", abi.encodeCall(IActorRegistry.setStatusBySig, (s, S)));
        same("setEncryptionKey", abi.encodeCall(IActorRegistry.setEncryptionKey, (ONE, TWO)));
        IActorRegistry.SetEncryptionKeyIntent memory k = IActorRegistry.SetEncryptionKeyIntent(ONE, TWO, 7, DEADLINE);
        same("setEncryptionKeyBySig", abi.encodeCall(IActorRegistry.setEncryptionKeyBySig, (k, S)));
        same("setOperator", abi.encodeCall(IActorRegistry.setOperator, (ONE, ALICE)));
        IActorRegistry.SetOperatorIntent memory o = IActorRegistry.SetOperatorIntent(ONE, BOB, 7, DEADLINE);
        same("setOperatorBySig", abi.encodeCall(IActorRegistry.setOperatorBySig, (o, S)));
        same("bindClient", abi.encodeCall(IActorRegistry.bindClient, (ONE, TWO)));
        same("unbindClient", abi.encodeCall(IActorRegistry.unbindClient, (ONE)));
        same("setBreakGlassPolicy", abi.encodeCall(IActorRegistry.setBreakGlassPolicy, (ONE, TWO)));
        same("breakGlassPolicyOf", abi.encodeCall(IActorRegistry.breakGlassPolicyOf, (ONE)));
        same("actorOf", abi.encodeCall(IActorRegistry.actorOf, (ONE)));
        same("actorOfClient", abi.encodeCall(IActorRegistry.actorOfClient, (ONE)));
        same("isActive", abi.encodeCall(IActorRegistry.isActive, (ONE)));
        same("domainSeparator", abi.encodeCall(IActorRegistry.domainSeparator, ()));
        all();
    }

    function test_consentRegistry_writers() public {
        at = ".ConsentRegistry";
        bytes32[] memory two = pair(TWO, THREE);
        bytes32[] memory three = new bytes32[](3);
        (three[0], three[1], three[2]) = (TWO, THREE, FOUR);
        same("registerPatient", abi.encodeCall(IConsentRegistry.registerPatient, (ONE, ALICE, TWO)));
        same("registerPatients", abi.encodeCall(IConsentRegistry.registerPatients, (pair(ONE, TWO), ALICE, THREE)));
        same("grant", abi.encodeCall(IConsentRegistry.grant, (ONE, TWO)));
        same("grantBatch", abi.encodeCall(IConsentRegistry.grantBatch, (ONE, two)));
        IConsentRegistry.GrantIntent memory g = IConsentRegistry.GrantIntent(ONE, TWO, 3, DEADLINE);
        same("grantBySig", abi.encodeCall(IConsentRegistry.grantBySig, (g, S)));
        IConsentRegistry.GrantBatchIntent memory b = IConsentRegistry.GrantBatchIntent(ONE, three, 3, DEADLINE);
        same("grantBatchBySig", abi.encodeCall(IConsentRegistry.grantBatchBySig, (b, S)));
        same("breakGlass", abi.encodeCall(IConsentRegistry.breakGlass, (ONE, TWO, THREE)));
        same("revoke", abi.encodeCall(IConsentRegistry.revoke, (ONE, TWO)));
        IConsentRegistry.RevokeIntent memory r = IConsentRegistry.RevokeIntent(ONE, TWO, 3, DEADLINE);
        same("revokeBySig", abi.encodeCall(IConsentRegistry.revokeBySig, (r, S)));
        same("revokeAll", abi.encodeCall(IConsentRegistry.revokeAll, (ONE)));
        IConsentRegistry.RevokeAllIntent memory a = IConsentRegistry.RevokeAllIntent(ONE, 3, DEADLINE);
        same("revokeAllBySig", abi.encodeCall(IConsentRegistry.revokeAllBySig, (a, S)));
        IConsentRegistry.HandOverIntent memory h = IConsentRegistry.HandOverIntent(ONE, ALICE, 3, DEADLINE);
        same("handOver", abi.encodeCall(IConsentRegistry.handOver, (h, S, S)));
        same("moveCustody", abi.encodeCall(IConsentRegistry.moveCustody, (ONE, ALICE, TWO)));
        same("setSuccessor", abi.encodeCall(IConsentRegistry.setSuccessor, (IConsentRegistry(ALICE))));
        guardians();
        readers();
        all();
    }

    function guardians() private {
        same("setGuardians", abi.encodeCall(IGuardians.setGuardians, (ONE, TWO)));
        IGuardians.SetGuardiansIntent memory g = IGuardians.SetGuardiansIntent(ONE, TWO, 5, 3, DEADLINE);
        same("setGuardiansBySig", abi.encodeCall(IGuardians.setGuardiansBySig, (g, S)));
        IGuardians.RecoverIntent memory r = IGuardians.RecoverIntent(ONE, ALICE, 5, 3, DEADLINE);
        IGuardians.Approval[] memory a = new IGuardians.Approval[](2);
        (a[0], a[1]) = (IGuardians.Approval(0, S), IGuardians.Approval(1, S));
        same("recover", abi.encodeCall(IGuardians.recover, (r, circle(), a, S)));
        same("vetoRecovery", abi.encodeCall(IGuardians.vetoRecovery, (ONE)));
        same("vetoRecoveryBySig", abi.encodeCall(IGuardians.vetoRecoveryBySig, (IGuardians.VetoRecoveryIntent(ONE, 5, 3, DEADLINE), S)));
        same("completeRecovery", abi.encodeCall(IGuardians.completeRecovery, (ONE)));
        same("guardiansOf", abi.encodeCall(IGuardians.guardiansOf, (ONE)));
        same("circleOf", abi.encodeCall(IGuardians.circleOf, (circle())));
    }

    function readers() private {
        IConsentRegistry.Opening memory o = IConsentRegistry.Opening(ONE, 1, type(uint64).max, TWO);
        same("check", abi.encodeCall(IConsentRegistry.check, (ONE, o)));
        same("standingOf", abi.encodeCall(IConsentRegistry.standingOf, (ONE, TWO)));
        same("commitmentOf", abi.encodeCall(IConsentRegistry.commitmentOf, (o)));
        same("patientOf", abi.encodeCall(IConsentRegistry.patientOf, (ONE)));
        same("grantOf", abi.encodeCall(IConsentRegistry.grantOf, (ONE, TWO)));
        same("successor", abi.encodeCall(IConsentRegistry.successor, ()));
        same("succeededAt", abi.encodeCall(IConsentRegistry.succeededAt, ()));
        same("PREDECESSOR", abi.encodeCall(IConsentRegistry.PREDECESSOR, ()));
        same("domainSeparator", abi.encodeCall(IConsentRegistry.domainSeparator, ()));
    }

    function test_anchorRegistry() public {
        at = ".AnchorRegistry";
        IAnchorRegistry.Kind audit = IAnchorRegistry.Kind.Audit;
        same("anchor", abi.encodeCall(IAnchorRegistry.anchor, (ONE, TWO, audit, THREE, hex"0102")));
        IAnchorRegistry.Batch[] memory b = new IAnchorRegistry.Batch[](2);
        b[0] = IAnchorRegistry.Batch(IAnchorRegistry.Kind.Records, TWO, hex"0102");
        bytes memory cid = new bytes(64);
        for (uint256 i = 0; i < 64; i++) {
            cid[i] = 0x03;
        }
        b[1] = IAnchorRegistry.Batch(IAnchorRegistry.Kind.Record, THREE, cid);
        same("anchorMany", abi.encodeCall(IAnchorRegistry.anchorMany, (ONE, TWO, b)));
        same("headOf", abi.encodeCall(IAnchorRegistry.headOf, (ONE)));
        IAnchorRegistry.Kind records = IAnchorRegistry.Kind.Records;
        same("verify", abi.encodeCall(IAnchorRegistry.verify, (ONE, TWO, records, THREE, FOUR, pair(ONE, TWO))));
        same("batchOf", abi.encodeCall(IAnchorRegistry.batchOf, (IAnchorRegistry.Kind.Record, ONE, TWO)));
        same("verifyLeaf", abi.encodeCall(IAnchorRegistry.verifyLeaf, (ONE, TWO, 3, 16, pair(THREE, FOUR))));
        same("leafOf", abi.encodeCall(IAnchorRegistry.leafOf, (ONE, TWO, THREE)));
        all();
    }

    function same(string memory name, bytes memory data) private {
        assertEq(data, vm.parseJsonBytes(json, string.concat(at, ".", name, ".calldata")), name);
        checked++;
    }

    function all() private view {
        assertEq(checked, vm.parseJsonKeys(json, at).length);
    }

    function circle() private pure returns (IGuardians.Circle memory c) {
        c = IGuardians.Circle(ONE, 86400, 2, new address[](2));
        (c.guardians[0], c.guardians[1]) = (ALICE, BOB);
    }

    function pair(bytes32 a, bytes32 b) private pure returns (bytes32[] memory two) {
        two = new bytes32[](2);
        (two[0], two[1]) = (a, b);
    }
}
