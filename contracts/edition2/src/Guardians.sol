// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Commitments} from "./Commitments.sol";
import {ConsentIntents} from "./ConsentIntents.sol";
import {PatientStore} from "./PatientStore.sol";
import {PatientSlot} from "./Slots.sol";
import {IGuardians} from "./interfaces/IGuardians.sol";

/// @title See IGuardians: the interface is the manual
abstract contract Guardians is PatientStore {
    using ConsentIntents for *;

    uint64 private constant SHORTEST_DELAY = 1 days;
    uint64 private constant LONGEST_DELAY = 90 days;
    uint256 private constant MOST_GUARDIANS = 16;

    /// @inheritdoc IGuardians
    function setGuardians(bytes32 patient, bytes32 circle) external {
        _setGuardians(patient, _controlled(patient), circle);
    }

    /// @inheritdoc IGuardians
    function setGuardiansBySig(SetGuardiansIntent calldata intent, bytes calldata signature) external {
        PatientSlot p = _intended(intent.patient, intent.epoch, intent.deadline, intent.hash(), signature);
        _requireRound(intent.patient, intent.round);
        _setGuardians(intent.patient, p, intent.circle);
    }

    /// @inheritdoc IGuardians
    function recover(RecoverIntent calldata intent, Circle calldata circle, Approval[] calldata approvals, bytes calldata taken)
        external
    {
        _requireNoSuccessor();
        PatientSlot p = _touch(intent.patient);
        _requireCurrent(intent.patient, p, intent.epoch, intent.deadline);
        _requireRound(intent.patient, intent.round);
        _requireOther(p, intent.newController);
        bytes32 commitment = circleOf(circle);
        Guardianship storage g = _guardianships[intent.patient];
        if (commitment != g.circle) revert CircleUnknown(commitment);
        bytes32 structHash = intent.hash();
        _requireApproved(circle, approvals, structHash);
        _requireSigned(intent.newController, structHash, taken);
        uint64 readyAt = uint64(block.timestamp) + circle.delay;
        (g.round, g.newController, g.readyAt) = (g.round + 1, intent.newController, readyAt);
        emit RecoveryRequested(intent.patient, intent.newController, readyAt, g.round);
    }

    /// @inheritdoc IGuardians
    function vetoRecovery(bytes32 patient) external {
        _veto(patient, _controlled(patient));
    }

    /// @inheritdoc IGuardians
    function vetoRecoveryBySig(VetoRecoveryIntent calldata intent, bytes calldata signature) external {
        PatientSlot p = _intended(intent.patient, intent.epoch, intent.deadline, intent.hash(), signature);
        _requireRound(intent.patient, intent.round);
        _veto(intent.patient, p);
    }

    /// @inheritdoc IGuardians
    function completeRecovery(bytes32 patient) external {
        _requireNoSuccessor();
        Guardianship storage g = _guardianships[patient];
        (address to, uint64 readyAt) = (g.newController, g.readyAt);
        if (to == address(0)) revert NoRecovery(patient);
        if (block.timestamp < readyAt) revert RecoveryNotReady(readyAt);
        (g.newController, g.readyAt) = (address(0), 0);
        _changeController(patient, _touch(patient), to, false);
    }

    /// @inheritdoc IGuardians
    function guardiansOf(bytes32 patient) external view returns (Guardianship memory g) {
        // Of a patient who was not taken over yet the commitment alone comes with the patient: a round is of one registry.
        if (_isHere(patient) || address(PREDECESSOR) == address(0)) return _guardianships[patient];
        g.circle = PREDECESSOR.guardiansOf(patient).circle;
    }

    /// @inheritdoc IGuardians
    function circleOf(Circle calldata circle) public pure returns (bytes32) {
        uint256 count = circle.guardians.length;
        if (circle.delay < SHORTEST_DELAY || circle.delay > LONGEST_DELAY) revert CircleInvalid();
        if (circle.threshold == 0 || circle.threshold > count || count > MOST_GUARDIANS) revert CircleInvalid();
        address last = address(0);
        for (uint256 i = 0; i < count; i++) {
            // Ascending: none is zero, and none stands twice.
            if (circle.guardians[i] <= last) revert CircleInvalid();
            last = circle.guardians[i];
        }
        return Commitments.ofCircle(circle);
    }

    function _setGuardians(bytes32 patient, PatientSlot p, bytes32 circle) private {
        _requireNoSuccessor();
        _requireActiveCustody(patient, p);
        uint32 round = _guardianships[patient].round + 1;
        _guardianships[patient] = Guardianship(circle, round, address(0), 0);
        emit GuardiansSet(patient, circle, round);
    }

    /// @dev A hospital that is not active cannot hold on to a record that guardians take away from it.
    function _veto(bytes32 patient, PatientSlot p) private {
        _requireActiveCustody(patient, p);
        Guardianship storage g = _guardianships[patient];
        if (g.newController == address(0)) revert NoRecovery(patient);
        (g.round, g.newController, g.readyAt) = (g.round + 1, address(0), 0);
        emit RecoveryVetoed(patient, g.round);
    }

    function _requireRound(bytes32 patient, uint32 given) private view {
        uint32 current = _guardianships[patient].round;
        if (given != current) revert RoundPassed(current, given);
    }

    function _requireApproved(Circle calldata circle, Approval[] calldata approvals, bytes32 structHash) private view {
        if (approvals.length < circle.threshold) revert ApprovalsInvalid();
        uint256 next = 0;
        for (uint256 i = 0; i < approvals.length; i++) {
            uint256 at = approvals[i].guardian;
            if (at < next || at >= circle.guardians.length) revert ApprovalsInvalid();
            next = at + 1;
            _requireSigned(circle.guardians[at], structHash, approvals[i].signature);
        }
    }
}
