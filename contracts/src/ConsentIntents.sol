// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";

/// @title EIP-712 struct hashes of the four consent intents
library ConsentIntents {
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant GRANT_TYPEHASH = keccak256(
        "Grant(bytes32 patient,bytes32 commitment,uint64 notBefore,uint64 notAfter,uint256 nonce,uint256 deadline)"
    );
    bytes32 internal constant REVOKE_TYPEHASH =
        keccak256("Revoke(bytes32 patient,bytes32 commitment,uint256 nonce,uint256 deadline)");
    bytes32 internal constant REVOKE_ALL_TYPEHASH = keccak256("RevokeAll(bytes32 patient,uint256 nonce,uint256 deadline)");
    bytes32 internal constant HAND_OVER_TYPEHASH =
        keccak256("HandOver(bytes32 patient,address newController,uint256 nonce,uint256 deadline)");

    /// @notice The domain separator of a contract on this chain
    function domain(address verifyingContract) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, keccak256("PmrGateway Consent"), keccak256("1"), block.chainid, verifyingContract
            )
        );
    }

    /// @notice Struct hash of a grant intent
    function hash(IConsentRegistry.GrantIntent calldata i) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(GRANT_TYPEHASH, i.patient, i.commitment, i.notBefore, i.notAfter, i.nonce, i.deadline)
        );
    }

    /// @notice Struct hash of a revoke intent
    function hash(IConsentRegistry.RevokeIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(REVOKE_TYPEHASH, i.patient, i.commitment, i.nonce, i.deadline));
    }

    /// @notice Struct hash of a revoke-all intent
    function hash(IConsentRegistry.RevokeAllIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(REVOKE_ALL_TYPEHASH, i.patient, i.nonce, i.deadline));
    }

    /// @notice Struct hash of a hand-over intent
    function hash(IConsentRegistry.HandOverIntent calldata i) internal pure returns (bytes32) {
        return keccak256(abi.encode(HAND_OVER_TYPEHASH, i.patient, i.newController, i.nonce, i.deadline));
    }
}
