// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Commitments} from "./Commitments.sol";
import {ConsentIntents} from "./ConsentIntents.sol";
import {Guardians} from "./Guardians.sol";
import {PatientStore} from "./PatientStore.sol";
import {GrantSlot, GrantSlots, Origin, PatientSlot} from "./Slots.sol";
import {IActorRegistry} from "./interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";

/// @title See IConsentRegistry: the interface is the manual
contract ConsentRegistry is Guardians {
    using ConsentIntents for *;

    /// @notice How long broken glass stays open
    uint16 public constant GLASS_OPEN = 4 hours;

    /// @dev A struct so that a slot can be pointed to, and its place is hashed once.
    struct Cell {
        GrantSlot grant;
    }

    mapping(bytes32 patient => mapping(bytes32 commitment => Cell)) private _grants;

    constructor(uint48 adminDelay, address admin, address registrar, IActorRegistry actors, IConsentRegistry predecessor)
        PatientStore(adminDelay, admin, registrar, actors, predecessor)
    {}

    /// @inheritdoc IConsentRegistry
    function grant(bytes32 patient, bytes32 commitment) external {
        PatientSlot p = _controlled(patient);
        _requireActiveCustody(patient, p);
        _grant(patient, p, commitment, GrantSlots.made(msg.sender, _epochOf(patient, p), 0));
    }

    /// @inheritdoc IConsentRegistry
    function grantBatch(bytes32 patient, bytes32[] calldata commitments) external {
        _grantAll(patient, _controlled(patient), commitments);
    }

    /// @inheritdoc IConsentRegistry
    function grantBySig(GrantIntent calldata intent, bytes calldata signature) external {
        _requireNoSuccessor();
        PatientSlot p = _intended(intent.patient, intent.epoch, intent.deadline, intent.hash(), signature);
        _requireActiveCustody(intent.patient, p);
        _grant(intent.patient, p, intent.commitment, GrantSlots.made(p.controller(), intent.epoch, 0));
    }

    /// @inheritdoc IConsentRegistry
    function grantBatchBySig(GrantBatchIntent calldata intent, bytes calldata signature) external {
        PatientSlot p = _intended(intent.patient, intent.epoch, intent.deadline, intent.hash(), signature);
        _grantAll(intent.patient, p, intent.commitments);
    }

    /// @inheritdoc IConsentRegistry
    function breakGlass(bytes32 patient, bytes32 commitment, bytes32 practitioner) external onlyRole(REGISTRAR_ROLE) {
        _requireNoSuccessor();
        PatientSlot p = _touch(patient);
        bytes32 custodian = _custodianOf(patient);
        if (!ACTORS.isActive(custodian)) revert CustodianNotActive(custodian);
        if (ACTORS.breakGlassPolicyOf(custodian) == 0) revert NoBreakGlassPolicy(custodian);
        if (ACTORS.actorOf(practitioner).kind != IActorRegistry.Kind.Practitioner || !ACTORS.isActive(practitioner)) {
            revert PractitionerNotActive(practitioner);
        }
        GrantSlot made = GrantSlots.made(address(0), _epochOf(patient, p), GLASS_OPEN);
        _grant(patient, p, commitment, made);
        emit GlassBroken(patient, commitment, made.until());
    }

    /// @inheritdoc IConsentRegistry
    function revoke(bytes32 patient, bytes32 commitment) external {
        Cell storage cell = _grants[patient][commitment];
        if (cell.grant.maker() != msg.sender) _controlled(patient);
        _revoke(patient, commitment, cell);
    }

    /// @inheritdoc IConsentRegistry
    function revokeBySig(RevokeIntent calldata intent, bytes calldata signature) external {
        _intended(intent.patient, intent.epoch, intent.deadline, intent.hash(), signature);
        _revoke(intent.patient, intent.commitment, _grants[intent.patient][intent.commitment]);
    }

    /// @inheritdoc IConsentRegistry
    function revokeAll(bytes32 patient) external {
        _raiseEpoch(patient, _controlled(patient));
    }

    /// @inheritdoc IConsentRegistry
    function revokeAllBySig(RevokeAllIntent calldata intent, bytes calldata signature) external {
        _raiseEpoch(
            intent.patient, _intended(intent.patient, intent.epoch, intent.deadline, intent.hash(), signature)
        );
    }

    /// @inheritdoc IConsentRegistry
    function handOver(HandOverIntent calldata intent, bytes calldata given, bytes calldata taken) external {
        _requireNoSuccessor();
        bytes32 structHash = intent.hash();
        PatientSlot p = _intended(intent.patient, intent.epoch, intent.deadline, structHash, given);
        _requireActiveCustody(intent.patient, p);
        _requireOther(p, intent.newController);
        _requireSigned(intent.newController, structHash, taken);
        _endGuardianship(intent.patient);
        _changeController(intent.patient, p, intent.newController, false);
    }

    /// @inheritdoc IConsentRegistry
    function check(bytes32 patient, Opening calldata opening) external view returns (Standing) {
        Standing standing = standingOf(patient, Commitments.ofGrant(opening));
        if (standing != Standing.Permitted) return standing;
        if (block.timestamp < opening.notBefore) return Standing.NotYet;
        if (block.timestamp > opening.notAfter) return Standing.Over;
        return Standing.Permitted;
    }

    /// @inheritdoc IConsentRegistry
    function standingOf(bytes32 patient, bytes32 commitment) public view returns (Standing) {
        Grant memory g = grantOf(patient, commitment);
        if (g.status == Status.None) return Standing.Unknown;
        if (g.status == Status.Revoked) return Standing.Revoked;
        if (g.status == Status.Late) return Standing.Late;
        if (g.epoch != patientOf(patient).epoch) return Standing.EarlierEpoch;
        if (g.until != 0 && block.timestamp > g.until) return Standing.Shut;
        // What the successor ended has ended here too; it asks for what is kept here, not for where it stands.
        return address(successor) == address(0) ? Standing.Permitted : successor.standingOf(patient, commitment);
    }

    /// @inheritdoc IConsentRegistry
    function commitmentOf(Opening calldata opening) external pure returns (bytes32) {
        return Commitments.ofGrant(opening);
    }

    /// @inheritdoc IConsentRegistry
    function grantOf(bytes32 patient, bytes32 commitment) public view returns (Grant memory) {
        GrantSlot g = _grants[patient][commitment].grant;
        Status status = g.status();
        if (status == Status.Active && _isLate(g)) status = Status.Late;
        Origin origin = _originOf(patient);
        if (origin != Origin.Here) {
            Grant memory before = _grantBefore(patient, origin, commitment);
            if (status == Status.None) return before;
            if (before.status == Status.Revoked) status = Status.Revoked;
        }
        return Grant(status, g.epoch(), g.madeAt(), g.until());
    }

    /// @dev What the predecessor has. Where the controller has changed since, who controls the patient there could still make late grants
    /// and revoke commitments that nobody granted, to keep them out here: neither is seen.
    function _grantBefore(bytes32 patient, Origin origin, bytes32 commitment) private view returns (Grant memory g) {
        g = PREDECESSOR.grantOf(patient, commitment);
        if (origin == Origin.Parted && (g.madeAt == 0 || g.madeAt >= PREDECESSOR.succeededAt())) delete g;
    }

    function _grantAll(bytes32 patient, PatientSlot p, bytes32[] calldata commitments) private {
        _requireNoSuccessor();
        _requireActiveCustody(patient, p);
        uint32 epoch = _epochOf(patient, p);
        for (uint256 i = 0; i < commitments.length; i++) {
            _grant(patient, p, commitments[i], GrantSlots.made(p.controller(), epoch, 0));
        }
    }

    function _grant(bytes32 patient, PatientSlot p, bytes32 commitment, GrantSlot made) private {
        if (commitment == 0) revert ZeroValue();
        Cell storage cell = _grants[patient][commitment];
        if (GrantSlot.unwrap(cell.grant) != 0) revert GrantExists(commitment);
        // Once for ever also across registries.
        Origin origin = p.origin();
        if (origin != Origin.Here && _grantBefore(patient, origin, commitment).status != Status.None) {
            revert GrantExists(commitment);
        }
        cell.grant = made;
        emit ConsentGranted(patient, commitment, made.epoch());
    }

    function _revoke(bytes32 patient, bytes32 commitment, Cell storage cell) private {
        GrantSlot g = cell.grant;
        if (g.status() == Status.Revoked) revert GrantNotActive(commitment);
        // Also where there is no grant: it may lie in the predecessor, or be signed and on its way.
        cell.grant = g.revoked();
        emit ConsentRevoked(patient, commitment);
    }
}
