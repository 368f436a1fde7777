// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";

/// @notice A patient's one hot slot: controller (160 bits), epoch (32), inCustody (8), origin (8). Zero: no patient.
/// @dev Packed by hand: the compiler reads a slot again for each member of a struct, at 100 gas a time.
type PatientSlot is uint256;

/// @notice A grant's slot: status (8 bits), maker (160), epoch (32), second at which it was made (40), seconds for which broken glass
/// stays open (16; 0: no glass). Zero: no grant.
/// @dev The maker is the controller whose grant it is. It may revoke it without a look at the patient, which saves 2,200 gas: where it
/// is not the controller any more, the grant is over with its epoch. Broken glass has no maker.
type GrantSlot is uint256;

using PatientSlots for PatientSlot global;
using GrantSlots for GrantSlot global;

/// @notice Where a patient came from
enum Origin {
    // registered in this registry
    Here,
    // taken over from the predecessor, whose epoch is added to the one here
    Following,
    // taken over, and the controller has changed since: what the predecessor's controller does there counts no longer
    Parted
}

/// @title The parts of a PatientSlot
library PatientSlots {
    /// @notice Packs the parts
    function pack(address controller_, uint32 epoch_, bool inCustody_, Origin origin_) internal pure returns (PatientSlot) {
        return PatientSlot.wrap(
            uint256(uint160(controller_)) | uint256(epoch_) << 160 | (inCustody_ ? 1 << 192 : 0) | uint256(origin_) << 200
        );
    }

    /// @notice Who may grant and revoke; zero: no such patient
    function controller(PatientSlot slot) internal pure returns (address) {
        return address(uint160(PatientSlot.unwrap(slot)));
    }

    /// @notice How often all grants were ended; of one who is Following, in this registry
    function epoch(PatientSlot slot) internal pure returns (uint32) {
        return uint32(PatientSlot.unwrap(slot) >> 160);
    }

    /// @notice Whether a hospital speaks for the patient
    function inCustody(PatientSlot slot) internal pure returns (bool) {
        return uint8(PatientSlot.unwrap(slot) >> 192) != 0;
    }

    /// @notice Where the patient came from
    function origin(PatientSlot slot) internal pure returns (Origin) {
        return Origin(uint8(PatientSlot.unwrap(slot) >> 200));
    }
}

/// @title The parts of a GrantSlot
library GrantSlots {
    /// @notice Packs a grant made now
    function made(address maker_, uint32 epoch_, uint16 open_) internal view returns (GrantSlot) {
        return GrantSlot.wrap(
            uint256(IConsentRegistry.Status.Active) | uint256(uint160(maker_)) << 8 | uint256(epoch_) << 168
                | uint256(uint40(block.timestamp)) << 200 | uint256(open_) << 240
        );
    }

    /// @notice The same, revoked
    function revoked(GrantSlot slot) internal pure returns (GrantSlot) {
        return GrantSlot.wrap(GrantSlot.unwrap(slot) & ~uint256(0xff) | uint256(IConsentRegistry.Status.Revoked));
    }

    /// @notice None, Active or Revoked
    function status(GrantSlot slot) internal pure returns (IConsentRegistry.Status) {
        return IConsentRegistry.Status(uint8(GrantSlot.unwrap(slot)));
    }

    /// @notice Whose grant it is; zero: broken glass, or none
    function maker(GrantSlot slot) internal pure returns (address) {
        return address(uint160(GrantSlot.unwrap(slot) >> 8));
    }

    /// @notice The patient's epoch when it was made
    function epoch(GrantSlot slot) internal pure returns (uint32) {
        return uint32(GrantSlot.unwrap(slot) >> 168);
    }

    /// @notice When it was made
    function madeAt(GrantSlot slot) internal pure returns (uint64) {
        return uint40(GrantSlot.unwrap(slot) >> 200);
    }

    /// @notice Last second at which broken glass stays open; zero: no glass
    function until(GrantSlot slot) internal pure returns (uint64) {
        uint64 open = uint64(GrantSlot.unwrap(slot) >> 240);
        return open == 0 ? 0 : slot.madeAt() + open;
    }
}
