// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";

/// @title What two patients' grants are, said without slots: who controls whom, what was granted when, and what ended it
abstract contract ConsentModel is Test {
    uint8 public constant COMMITMENTS = 6;

    /// What a registry keeps under a commitment.
    enum Kind {
        None,
        Granted,
        Tombstone,
        Late
    }

    struct Slot {
        Kind kind;
        bool revoked;
        address maker;
    }

    struct ModelPatient {
        address controller;
        bool custody;
        // as they were when the first registry was succeeded
        address firstController;
        bool firstCustody;
        bool parted;
        bool circle;
        address pending;
        uint256 readyAt;
        uint256 ended;
    }

    struct ModelGrant {
        bool made;
        bool dead;
        uint256 ended;
        uint256 until;
    }

    bytes32[2] public patients;
    bytes32[COMMITMENTS] public commitments;
    bool public migrated;
    bool public hospitalActive = true;
    ModelPatient[2] public patient;
    mapping(uint8 registry => mapping(uint8 p => mapping(uint8 c => Slot))) internal slot;
    mapping(uint8 p => mapping(uint8 c => ModelGrant)) private _grants;

    constructor(bytes32[2] memory patients_) {
        patients = patients_;
        for (uint8 c = 0; c < COMMITMENTS; c++) {
            commitments[c] = keccak256(abi.encode("commitment", c));
        }
    }

    /// @notice Whether the grant permits now
    function permits(uint8 p, uint8 c) external view returns (bool) {
        ModelGrant memory g = _grants[p][c];
        return g.made && !g.dead && g.ended == patient[p].ended && (g.until == 0 || block.timestamp <= g.until);
    }

    function _begin(uint8 p, address controller, bool custody) internal {
        (patient[p].controller, patient[p].custody) = (controller, custody);
    }

    /// The registry in which things are done.
    function _now() internal view returns (uint8) {
        return migrated ? 1 : 0;
    }

    function _controllerIn(uint8 r, uint8 p) internal view returns (address) {
        return r == _now() ? patient[p].controller : patient[p].firstController;
    }

    function _mayGive(uint8 p) internal view returns (bool) {
        return !patient[p].custody || hospitalActive;
    }

    function _fresh(uint8 p, uint8 c) internal view returns (bool) {
        if (slot[_now()][p][c].kind != Kind.None) return false;
        if (!migrated) return true;
        Kind before = slot[0][p][c].kind;
        return before == Kind.None || (patient[p].parted && before != Kind.Granted);
    }

    function _granted(uint8 p, uint8 c, address maker, uint256 until) internal {
        slot[_now()][p][c] = Slot(Kind.Granted, false, maker);
        _grants[p][c] = ModelGrant(true, _grants[p][c].dead && !patient[p].parted, patient[p].ended, until);
    }

    function _revoked(uint8 r, uint8 p, uint8 c) internal {
        Slot storage s = slot[r][p][c];
        s.revoked = true;
        if (s.kind == Kind.None) s.kind = Kind.Tombstone;
        // In the first registry nobody ends anything any more of a patient who parted from it.
        if (r == _now() || !patient[p].parted) _grants[p][c].dead = true;
    }

    function _allRevoked(uint8 r, uint8 p) internal {
        if (r == _now() || !patient[p].parted) patient[p].ended++;
    }

    function _controllerChanged(uint8 p, address to) internal {
        ModelPatient storage m = patient[p];
        (m.controller, m.custody, m.pending, m.parted) = (to, false, address(0), migrated);
        m.ended++;
    }

    function _migrated() internal {
        migrated = true;
        for (uint8 p = 0; p < 2; p++) {
            ModelPatient storage m = patient[p];
            // A pending recovery is asked for anew.
            (m.firstController, m.firstCustody, m.pending) = (m.controller, m.custody, address(0));
        }
    }
}
