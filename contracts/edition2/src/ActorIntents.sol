// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IActorRegistry} from "./interfaces/IActorRegistry.sol";

/// @title EIP-712 struct hashes of what a hospital's operator signs
library ActorIntents {
    bytes32 private constant PRACTITIONER_TYPEHASH =
        keccak256("RegisterPractitioner(bytes32 id,bytes32 registrationNumberHash,bytes32 hospital,uint64 deadline)");
    bytes32 private constant STATUS_TYPEHASH = keccak256("SetStatus(bytes32 id,uint8 status,uint64 nonce,uint64 deadline)");
    bytes32 private constant ENCRYPTION_KEY_TYPEHASH =
        keccak256("SetEncryptionKey(bytes32 id,bytes32 key,uint64 nonce,uint64 deadline)");
    bytes32 private constant OPERATOR_TYPEHASH =
        keccak256("SetOperator(bytes32 hospital,address operator,uint64 nonce,uint64 deadline)");

    /// @notice Struct hash of an intent to register a practitioner
    function hash(IActorRegistry.RegisterPractitionerIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(PRACTITIONER_TYPEHASH, i.id, i.registrationNumberHash, i.hospital, i.deadline));
    }

    /// @notice Struct hash of an intent to suspend or reinstate
    function hash(IActorRegistry.SetStatusIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(STATUS_TYPEHASH, i.id, i.status, i.nonce, i.deadline));
    }

    /// @notice Struct hash of an intent to publish an encryption key
    function hash(IActorRegistry.SetEncryptionKeyIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(ENCRYPTION_KEY_TYPEHASH, i.id, i.key, i.nonce, i.deadline));
    }

    /// @notice Struct hash of an intent to change the operator
    function hash(IActorRegistry.SetOperatorIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(OPERATOR_TYPEHASH, i.hospital, i.operator, i.nonce, i.deadline));
    }
}
