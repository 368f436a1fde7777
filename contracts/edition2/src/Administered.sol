// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";

/// @title One admin at any time, who changes in two steps with a delay between them, and grants the other roles
/// @notice The admin's key does nothing day by day and can be kept cold. The roles of the gateways are other keys.
abstract contract Administered is AccessControlDefaultAdminRules {
    /// @notice Thrown when the admin would give up its role without somebody to take it
    error AdminRequired();

    /// @param delay seconds between the two steps
    constructor(uint48 delay, address admin) AccessControlDefaultAdminRules(delay, admin) {}

    /// @dev OpenZeppelin's way to have no admin any more begins with a transfer to address zero. Who could still suspend a stolen
    /// key's role, or point to a successor, must not get lost.
    function _beginDefaultAdminTransfer(address newAdmin) internal override {
        if (newAdmin == address(0)) revert AdminRequired();
        super._beginDefaultAdminTransfer(newAdmin);
    }
}
