// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title Whether an account signed an EIP-712 message of this contract on this chain
library Signatures {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @notice The domain separator of edition 2 of a contract
    /// @param nameHash keccak256 of the domain's name
    /// @dev Not cached: after a chain split the chain id changes, and a signature must not count on both sides.
    function domain(bytes32 nameHash) internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, nameHash, keccak256("2"), block.chainid, address(this)));
    }

    /// @notice Whether `signature` is the signer's over a struct hash in a domain
    /// @dev The key is asked first: an account of EIP-7702 has code and still signs by its key. ECDSA takes 65 bytes, the lower s
    /// and v 27 or 28 alone, so there is one form of each signature. Who has code is asked by a static call, in which nothing can be
    /// written, and of the answer no more than a word is copied.
    function isSigned(address signer, bytes32 domainSeparator, bytes32 structHash, bytes calldata signature)
        internal
        view
        returns (bool)
    {
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domainSeparator, structHash));
        (address recovered, ECDSA.RecoverError error,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (error == ECDSA.RecoverError.NoError && recovered == signer) return true;
        if (signer.code.length == 0) return false;
        (bool ok, bytes32 answer,) =
            LowLevelCall.staticcallReturn64Bytes(signer, abi.encodeCall(IERC1271.isValidSignature, (digest, signature)));
        return ok && LowLevelCall.returnDataSize() >= 32 && answer == bytes32(IERC1271.isValidSignature.selector);
    }
}
