// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActorIntents} from "../src/ActorIntents.sol";
import {AnchorRegistry} from "../src/AnchorRegistry.sol";
import {ConsentIntents} from "../src/ConsentIntents.sol";
import {IActorRegistry} from "../src/interfaces/IActorRegistry.sol";
import {IAnchorRegistry} from "../src/interfaces/IAnchorRegistry.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {IGuardians} from "../src/interfaces/IGuardians.sol";
import {ConsentFixture} from "./support/ConsentFixture.sol";

/// @title What an implementation that shares nothing with these contracts wrote: tools/ledger2-vectors.cjs
contract VectorsTest is ConsentFixture {
    using ActorIntents for *;
    using ConsentIntents for *;

    string private json;
    bytes32 private domain;
    uint256 private checked;

    function test_commitments() public {
        json = vm.readFile("../../tests/vectors/ledger2-commitments.json");
        for (uint256 i = 0; i < 5; i++) {
            string memory at = string.concat(".openings[", vm.toString(i), "]");
            IConsentRegistry.Opening memory o = IConsentRegistry.Opening(
                b32(at, ".salt"), uint64(number(at, ".notBefore")), uint64(number(at, ".notAfter")), b32(at, ".termsHash")
            );
            assertEq(consents.commitmentOf(o), b32(at, ".commitment"), at);
        }
        for (uint256 i = 0; i < 3; i++) {
            string memory at = string.concat(".circles[", vm.toString(i), "]");
            address[] memory guardians = vm.parseJsonAddressArray(json, string.concat(at, ".guardians"));
            IGuardians.Circle memory c = IGuardians.Circle(
                b32(at, ".salt"), uint64(number(at, ".delay")), uint8(number(at, ".threshold")), guardians
            );
            assertEq(consents.circleOf(c), b32(at, ".commitment"), at);
        }
    }

    function test_messagesOfControllersAndGuardians() public {
        begin(".consents", address(consents));
        (bytes32 p, bytes32 c, address a) = (field("Grant", ".patient"), field("Grant", ".commitment"), newController());
        (uint32 e, uint64 d) = (3, 4102444800);
        (uint32 round, bytes32[] memory many) = (5, vm.parseJsonBytes32Array(json, ".messages.GrantBatch.message.commitments"));
        digest("Grant", this.hashGrant(IConsentRegistry.GrantIntent(p, c, e, d)));
        digest("GrantBatch", this.hashBatch(IConsentRegistry.GrantBatchIntent(p, many, e, d)));
        digest("Revoke", this.hashRevoke(IConsentRegistry.RevokeIntent(p, c, e, d)));
        digest("RevokeAll", this.hashRevokeAll(IConsentRegistry.RevokeAllIntent(p, e, d)));
        digest("HandOver", this.hashHandOver(IConsentRegistry.HandOverIntent(p, a, e, d)));
        digest("SetGuardians", this.hashGuardians(IGuardians.SetGuardiansIntent(p, c, round, e, d)));
        digest("Recover", this.hashRecover(IGuardians.RecoverIntent(p, a, round, e, d)));
        digest("VetoRecovery", this.hashVeto(IGuardians.VetoRecoveryIntent(p, round, e, d)));
        assertEq(checked, 8);
    }

    function test_messagesOfOperators() public {
        begin(".actors", address(actors));
        (bytes32 one, bytes32 two, bytes32 three) =
            (field("RegisterPractitioner", ".id"), field("SetEncryptionKey", ".key"), field("RegisterPractitioner", ".hospital"));
        uint64 d = 4102444800;
        address operator_ = vm.parseJsonAddress(json, ".messages.SetOperator.message.operator");
        digest("RegisterPractitioner", this.hashPractitioner(IActorRegistry.RegisterPractitionerIntent(one, two, three, d)));
        digest("SetStatus", this.hashStatus(IActorRegistry.SetStatusIntent(one, IActorRegistry.Status.Suspended, 7, d)));
        digest("SetEncryptionKey", this.hashKey(IActorRegistry.SetEncryptionKeyIntent(one, two, 7, d)));
        digest("SetOperator", this.hashOperator(IActorRegistry.SetOperatorIntent(one, operator_, 7, d)));
        assertEq(checked, 4);
    }

    function test_batchesAndHeads() public {
        json = vm.readFile("../../tests/vectors/ledger2-anchors.json");
        AnchorRegistry anchors = new AnchorRegistry(1 days, admin, address(this));
        uint256 total = vm.parseJsonUint(json, ".total");
        assertGt(total, 3);
        bytes32[] memory later = new bytes32[](total - 1);
        for (uint256 i = 0; i < total; i++) {
            string memory at = string.concat(".chain[", vm.toString(i), "]");
            IAnchorRegistry.Kind kind = IAnchorRegistry.Kind(number(at, ".kind"));
            bytes memory sealedCid = vm.parseJsonBytes(json, string.concat(at, ".sealedCid"));
            anchors.anchor(HOSPITAL, b32(at, ".headBefore"), kind, b32(at, ".root"), sealedCid);
            assertEq(anchors.headOf(HOSPITAL), b32(at, ".head"), at);
            assertEq(anchors.batchOf(kind, b32(at, ".root"), b32(at, ".sealedCidHash")), b32(at, ".batch"), at);
            if (i > 0) later[i - 1] = b32(at, ".batch");
        }
        IAnchorRegistry.Kind first = IAnchorRegistry.Kind(number(".chain[0]", ".kind"));
        assertTrue(anchors.verify(HOSPITAL, 0, first, b32(".chain[0]", ".root"), b32(".chain[0]", ".sealedCidHash"), later));
    }

    // Hashes take calldata.
    function hashGrant(IConsentRegistry.GrantIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function hashBatch(IConsentRegistry.GrantBatchIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function hashRevoke(IConsentRegistry.RevokeIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function hashRevokeAll(IConsentRegistry.RevokeAllIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function hashHandOver(IConsentRegistry.HandOverIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function hashGuardians(IGuardians.SetGuardiansIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function hashRecover(IGuardians.RecoverIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function hashVeto(IGuardians.VetoRecoveryIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function hashPractitioner(IActorRegistry.RegisterPractitionerIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function hashStatus(IActorRegistry.SetStatusIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function hashKey(IActorRegistry.SetEncryptionKeyIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function hashOperator(IActorRegistry.SetOperatorIntent calldata i) external pure returns (bytes32) {
        return i.hash();
    }

    function begin(string memory which, address contract_) private {
        json = vm.readFile("../../tests/vectors/ledger2-messages.json");
        // The contract as it would be at the vectors' address, on their chain.
        address there = vm.parseJsonAddress(json, string.concat(which, ".verifyingContract"));
        vm.etch(there, contract_.code);
        vm.chainId(number(which, ".chainId"));
        domain = IConsentRegistry(there).domainSeparator();
        assertEq(domain, b32(which, ".separator"));
    }

    function digest(string memory name, bytes32 structHash) private {
        bytes32 d = keccak256(abi.encodePacked(hex"1901", domain, structHash));
        string memory at = string.concat(".messages.", name);
        assertEq(d, b32(at, ".digest"), name);
        bytes memory s = vm.parseJsonBytes(json, string.concat(at, ".signature"));
        (bytes32 r, bytes32 ss) = abi.decode(s, (bytes32, bytes32));
        assertEq(ecrecover(d, uint8(s[64]), r, ss), vm.parseJsonAddress(json, ".signer"), name);
        checked++;
    }

    function newController() private view returns (address) {
        return vm.parseJsonAddress(json, ".messages.HandOver.message.newController");
    }

    function field(string memory name, string memory which) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(".messages.", name, ".message", which));
    }

    function b32(string memory at, string memory which) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(at, which));
    }

    function number(string memory at, string memory which) private view returns (uint256) {
        return vm.parseJsonUint(json, string.concat(at, which));
    }
}
