// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {IGuardians} from "./interfaces/IGuardians.sol";

/// @title EIP-712 struct hashes of what a controller, and a patient's guardians, sign
library ConsentIntents {
    bytes32 private constant GRANT_TYPEHASH =
        keccak256("Grant(bytes32 patient,bytes32 commitment,uint32 epoch,uint64 deadline)");
    bytes32 private constant GRANT_BATCH_TYPEHASH =
        keccak256("GrantBatch(bytes32 patient,bytes32[] commitments,uint32 epoch,uint64 deadline)");
    bytes32 private constant REVOKE_TYPEHASH =
        keccak256("Revoke(bytes32 patient,bytes32 commitment,uint32 epoch,uint64 deadline)");
    bytes32 private constant REVOKE_ALL_TYPEHASH = keccak256("RevokeAll(bytes32 patient,uint32 epoch,uint64 deadline)");
    bytes32 private constant HAND_OVER_TYPEHASH =
        keccak256("HandOver(bytes32 patient,address newController,uint32 epoch,uint64 deadline)");
    bytes32 private constant GUARDIANS_TYPEHASH =
        keccak256("SetGuardians(bytes32 patient,bytes32 circle,uint32 round,uint32 epoch,uint64 deadline)");
    bytes32 private constant RECOVER_TYPEHASH =
        keccak256("Recover(bytes32 patient,address newController,uint32 round,uint32 epoch,uint64 deadline)");
    bytes32 private constant VETO_TYPEHASH =
        keccak256("VetoRecovery(bytes32 patient,uint32 round,uint32 epoch,uint64 deadline)");

    /// @notice Struct hash of a grant intent
    function hash(IConsentRegistry.GrantIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(GRANT_TYPEHASH, i.patient, i.commitment, i.epoch, i.deadline));
    }

    /// @notice Struct hash of an intent of several grants
    function hash(IConsentRegistry.GrantBatchIntent calldata i) internal pure returns (bytes32) {
        bytes32 commitments = keccak256(abi.encodePacked(i.commitments));
        return keccak256(abi.encode(GRANT_BATCH_TYPEHASH, i.patient, commitments, i.epoch, i.deadline));
    }

    /// @notice Struct hash of a revoke intent
    function hash(IConsentRegistry.RevokeIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(REVOKE_TYPEHASH, i.patient, i.commitment, i.epoch, i.deadline));
    }

    /// @notice Struct hash of a revoke-all intent
    function hash(IConsentRegistry.RevokeAllIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(REVOKE_ALL_TYPEHASH, i.patient, i.epoch, i.deadline));
    }

    /// @notice Struct hash of a hand-over intent
    function hash(IConsentRegistry.HandOverIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(HAND_OVER_TYPEHASH, i.patient, i.newController, i.epoch, i.deadline));
    }

    /// @notice Struct hash of an intent to name guardians
    function hash(IGuardians.SetGuardiansIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(GUARDIANS_TYPEHASH, i.patient, i.circle, i.round, i.epoch, i.deadline));
    }

    /// @notice Struct hash of an intent to recover
    function hash(IGuardians.RecoverIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECOVER_TYPEHASH, i.patient, i.newController, i.round, i.epoch, i.deadline));
    }

    /// @notice Struct hash of a veto
    function hash(IGuardians.VetoRecoveryIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(VETO_TYPEHASH, i.patient, i.round, i.epoch, i.deadline));
    }
}
