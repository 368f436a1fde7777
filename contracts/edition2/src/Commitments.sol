// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {IGuardians} from "./interfaces/IGuardians.sol";

/// @title What the chain sees instead of terms and of guardians (docs/formats/consent-terms.md)
library Commitments {
    /// @notice The commitment of a grant
    function ofGrant(IConsentRegistry.Opening calldata o) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x03), o.salt, o.notBefore, o.notAfter, o.termsHash));
    }

    /// @notice The commitment of a set of guardians. Each address takes 32 bytes.
    function ofCircle(IGuardians.Circle calldata c) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x04), c.salt, c.delay, c.threshold, c.guardians));
    }
}
