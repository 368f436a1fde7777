// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";
import {IActorRegistry} from "../../src/interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {IGuardians} from "../../src/interfaces/IGuardians.sol";

/// @title Signs every message, from its type as text: a second writing of what the contracts hash
library Signer {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function sign(uint256 key, bytes32 domain, bytes32 structHash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest(domain, structHash));
        return abi.encodePacked(r, s, v);
    }

    function digest(bytes32 domain, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function domainOf(string memory name, uint256 chainId, address verifyingContract) internal pure returns (bytes32) {
        bytes32 t = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        return keccak256(abi.encode(t, keccak256(bytes(name)), keccak256("2"), chainId, verifyingContract));
    }

    function hash(IConsentRegistry.GrantIntent memory i) internal pure returns (bytes32) {
        bytes32 t = keccak256("Grant(bytes32 patient,bytes32 commitment,uint32 epoch,uint64 deadline)");
        return keccak256(abi.encode(t, i.patient, i.commitment, i.epoch, i.deadline));
    }

    function hash(IConsentRegistry.GrantBatchIntent memory i) internal pure returns (bytes32) {
        bytes32 t = keccak256("GrantBatch(bytes32 patient,bytes32[] commitments,uint32 epoch,uint64 deadline)");
        return keccak256(abi.encode(t, i.patient, keccak256(abi.encodePacked(i.commitments)), i.epoch, i.deadline));
    }

    function hash(IConsentRegistry.RevokeIntent memory i) internal pure returns (bytes32) {
        bytes32 t = keccak256("Revoke(bytes32 patient,bytes32 commitment,uint32 epoch,uint64 deadline)");
        return keccak256(abi.encode(t, i.patient, i.commitment, i.epoch, i.deadline));
    }

    function hash(IConsentRegistry.RevokeAllIntent memory i) internal pure returns (bytes32) {
        bytes32 t = keccak256("RevokeAll(bytes32 patient,uint32 epoch,uint64 deadline)");
        return keccak256(abi.encode(t, i.patient, i.epoch, i.deadline));
    }

    function hash(IConsentRegistry.HandOverIntent memory i) internal pure returns (bytes32) {
        bytes32 t = keccak256("HandOver(bytes32 patient,address newController,uint32 epoch,uint64 deadline)");
        return keccak256(abi.encode(t, i.patient, i.newController, i.epoch, i.deadline));
    }

    function hash(IGuardians.SetGuardiansIntent memory i) internal pure returns (bytes32) {
        bytes32 t = keccak256("SetGuardians(bytes32 patient,bytes32 circle,uint32 round,uint32 epoch,uint64 deadline)");
        return keccak256(abi.encode(t, i.patient, i.circle, i.round, i.epoch, i.deadline));
    }

    function hash(IGuardians.RecoverIntent memory i) internal pure returns (bytes32) {
        bytes32 t = keccak256("Recover(bytes32 patient,address newController,uint32 round,uint32 epoch,uint64 deadline)");
        return keccak256(abi.encode(t, i.patient, i.newController, i.round, i.epoch, i.deadline));
    }

    function hash(IGuardians.VetoRecoveryIntent memory i) internal pure returns (bytes32) {
        bytes32 t = keccak256("VetoRecovery(bytes32 patient,uint32 round,uint32 epoch,uint64 deadline)");
        return keccak256(abi.encode(t, i.patient, i.round, i.epoch, i.deadline));
    }

    function hash(IActorRegistry.RegisterPractitionerIntent memory i) internal pure returns (bytes32) {
        bytes32 t =
            keccak256("RegisterPractitioner(bytes32 id,bytes32 registrationNumberHash,bytes32 hospital,uint64 deadline)");
        return keccak256(abi.encode(t, i.id, i.registrationNumberHash, i.hospital, i.deadline));
    }

    function hash(IActorRegistry.SetStatusIntent memory i) internal pure returns (bytes32) {
        bytes32 t = keccak256("SetStatus(bytes32 id,uint8 status,uint64 nonce,uint64 deadline)");
        return keccak256(abi.encode(t, i.id, i.status, i.nonce, i.deadline));
    }

    function hash(IActorRegistry.SetEncryptionKeyIntent memory i) internal pure returns (bytes32) {
        bytes32 t = keccak256("SetEncryptionKey(bytes32 id,bytes32 key,uint64 nonce,uint64 deadline)");
        return keccak256(abi.encode(t, i.id, i.key, i.nonce, i.deadline));
    }

    function hash(IActorRegistry.SetOperatorIntent memory i) internal pure returns (bytes32) {
        bytes32 t = keccak256("SetOperator(bytes32 hospital,address operator,uint64 nonce,uint64 deadline)");
        return keccak256(abi.encode(t, i.hospital, i.operator, i.nonce, i.deadline));
    }
}
