// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Administered} from "./Administered.sol";
import {Signatures} from "./Signatures.sol";
import {GrantSlot, Origin, PatientSlot, PatientSlots} from "./Slots.sol";
import {IActorRegistry} from "./interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";

/// @title Patients, here and taken over: who controls them, in which epoch
abstract contract PatientStore is IConsentRegistry, Administered {
    /// @notice May register patients and break the glass
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    bytes32 private constant DOMAIN_NAME = keccak256("PmrGateway Consent");

    /// @notice Where custodians and practitioners are looked up
    IActorRegistry public immutable ACTORS;

    /// @inheritdoc IConsentRegistry
    IConsentRegistry public immutable PREDECESSOR;

    /// @inheritdoc IConsentRegistry
    IConsentRegistry public successor;

    /// @inheritdoc IConsentRegistry
    uint64 public succeededAt;

    mapping(bytes32 patient => Guardianship) internal _guardianships;
    mapping(bytes32 patient => PatientSlot) private _patients;
    mapping(bytes32 patient => bytes32) private _custodians;

    constructor(uint48 adminDelay, address admin, address registrar, IActorRegistry actors, IConsentRegistry predecessor)
        Administered(adminDelay, admin)
    {
        if (registrar == address(0) || address(actors) == address(0)) revert ZeroValue();
        ACTORS = actors;
        PREDECESSOR = predecessor;
        _grantRole(REGISTRAR_ROLE, registrar);
    }

    /// @inheritdoc IConsentRegistry
    function registerPatient(bytes32 patient, address controller, bytes32 custodian) external onlyRole(REGISTRAR_ROLE) {
        _requireMayRegister(controller, custodian);
        _register(patient, controller, custodian);
    }

    /// @inheritdoc IConsentRegistry
    function registerPatients(bytes32[] calldata patients, address controller, bytes32 custodian)
        external
        onlyRole(REGISTRAR_ROLE)
    {
        _requireMayRegister(controller, custodian);
        for (uint256 i = 0; i < patients.length; i++) {
            _register(patients[i], controller, custodian);
        }
    }

    /// @inheritdoc IConsentRegistry
    function moveCustody(bytes32 patient, address controller, bytes32 custodian) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _requireMayRegister(controller, custodian);
        PatientSlot p = _touch(patient);
        bytes32 from = _custodians[patient];
        if (!p.inCustody() || ACTORS.actorOf(from).status != IActorRegistry.Status.StruckOff) revert CustodyStands(patient);
        _requireOther(p, controller);
        _custodians[patient] = custodian;
        emit CustodyMoved(patient, from, custodian);
        _endGuardianship(patient);
        _changeController(patient, p, controller, true);
    }

    /// @inheritdoc IConsentRegistry
    function setSuccessor(IConsentRegistry next) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _requireNoSuccessor();
        if (address(next.PREDECESSOR()) != address(this)) revert NotSuccessor(address(next));
        successor = next;
        succeededAt = uint64(block.timestamp);
        emit SuccessorSet(address(next));
    }

    /// @inheritdoc IConsentRegistry
    function patientOf(bytes32 patient) public view returns (Patient memory) {
        PatientSlot p = _patients[patient];
        if (p.controller() != address(0)) {
            return Patient(p.controller(), _epochOf(patient, p), p.inCustody(), _custodians[patient]);
        }
        if (address(PREDECESSOR) != address(0)) return PREDECESSOR.patientOf(patient);
        return Patient(address(0), 0, false, 0);
    }

    /// @inheritdoc IConsentRegistry
    function domainSeparator() public view returns (bytes32) {
        return Signatures.domain(DOMAIN_NAME);
    }

    /// @dev The patient's slot; a patient of the predecessor is taken over first.
    function _touch(bytes32 patient) internal returns (PatientSlot p) {
        p = _patients[patient];
        if (p.controller() == address(0)) p = _takeOver(patient);
    }

    /// @dev As _touch, for what the controller alone may do.
    function _controlled(bytes32 patient) internal returns (PatientSlot p) {
        p = _touch(patient);
        if (p.controller() != msg.sender) revert NotController(msg.sender);
    }

    /// @dev As _touch, for an intent of the controller.
    function _intended(bytes32 patient, uint32 epoch, uint64 deadline, bytes32 structHash, bytes calldata signature)
        internal
        returns (PatientSlot p)
    {
        p = _touch(patient);
        _requireCurrent(patient, p, epoch, deadline);
        _requireSigned(p.controller(), structHash, signature);
    }

    function _requireCurrent(bytes32 patient, PatientSlot p, uint32 epoch, uint64 deadline) internal view {
        if (block.timestamp > deadline) revert IntentExpired(deadline);
        uint32 current = _epochOf(patient, p);
        if (epoch != current) revert EpochPassed(current, epoch);
    }

    function _requireSigned(address signer, bytes32 structHash, bytes calldata signature) internal view {
        if (!Signatures.isSigned(signer, domainSeparator(), structHash, signature)) revert SignatureInvalid(signer);
    }

    function _requireOther(PatientSlot p, address to) internal pure {
        if (to == p.controller()) revert ControllerUnchanged(to);
    }

    /// @dev What a hospital's custody key gives away counts while the hospital is active. What it takes back always counts.
    function _requireActiveCustody(bytes32 patient, PatientSlot p) internal view {
        if (!p.inCustody()) return;
        bytes32 custodian = _custodians[patient];
        if (!ACTORS.isActive(custodian)) revert CustodianNotActive(custodian);
    }

    function _requireNoSuccessor() internal view {
        if (address(successor) != address(0)) revert Succeeded(address(successor));
    }

    /// @dev Of a patient who was taken over it is the sum of both registries' epochs: a revocation of all in either raises it.
    function _epochOf(bytes32 patient, PatientSlot p) internal view returns (uint32) {
        return p.origin() == Origin.Following ? p.epoch() + PREDECESSOR.patientOf(patient).epoch : p.epoch();
    }

    function _raiseEpoch(bytes32 patient, PatientSlot p) internal {
        p = PatientSlots.pack(p.controller(), p.epoch() + 1, p.inCustody(), p.origin());
        _patients[patient] = p;
        emit AllConsentsRevoked(patient, _epochOf(patient, p));
    }

    /// @dev From here on nobody who controls the patient in the predecessor ends anything here: its epoch is added for the last time.
    function _changeController(bytes32 patient, PatientSlot p, address to, bool inCustody) internal {
        uint32 epoch = _epochOf(patient, p) + 1;
        _patients[patient] = PatientSlots.pack(to, epoch, inCustody, p.origin() == Origin.Here ? Origin.Here : Origin.Parted);
        emit ControllerChanged(patient, p.controller(), to);
        emit AllConsentsRevoked(patient, epoch);
    }

    /// @dev No guardians any more, and no pending recovery.
    function _endGuardianship(bytes32 patient) internal {
        Guardianship storage g = _guardianships[patient];
        if (g.circle == 0) return;
        uint32 round = g.round + 1;
        _guardianships[patient] = Guardianship(0, round, address(0), 0);
        emit GuardiansSet(patient, 0, round);
    }

    function _custodianOf(bytes32 patient) internal view returns (bytes32) {
        return _custodians[patient];
    }

    function _isLate(GrantSlot g) internal view returns (bool) {
        return succeededAt != 0 && g.madeAt() >= succeededAt;
    }

    function _isHere(bytes32 patient) internal view returns (bool) {
        return _patients[patient].controller() != address(0);
    }

    /// @dev Of a patient who is not here: as if taken over.
    function _originOf(bytes32 patient) internal view returns (Origin) {
        PatientSlot p = _patients[patient];
        if (address(PREDECESSOR) == address(0) || p.controller() != address(0)) return p.origin();
        return Origin.Following;
    }

    function _requireMayRegister(address controller, bytes32 custodian) private view {
        _requireNoSuccessor();
        if (controller == address(0)) revert ZeroValue();
        if (ACTORS.actorOf(custodian).kind != IActorRegistry.Kind.Hospital || !ACTORS.isActive(custodian)) {
            revert CustodianNotActive(custodian);
        }
        _requireTakenOver();
    }

    function _register(bytes32 patient, address controller, bytes32 custodian) private {
        if (patient == 0) revert ZeroValue();
        if (patientOf(patient).controller != address(0)) revert PatientExists(patient);
        _patients[patient] = PatientSlots.pack(controller, 0, true, Origin.Here);
        _custodians[patient] = custodian;
        emit PatientRegistered(patient, controller, custodian);
    }

    function _takeOver(bytes32 patient) private returns (PatientSlot p) {
        if (address(PREDECESSOR) == address(0)) revert PatientUnknown(patient);
        // What is copied must not change there any more.
        _requireTakenOver();
        Patient memory before = PREDECESSOR.patientOf(patient);
        if (before.controller == address(0)) revert PatientUnknown(patient);
        bytes32 circle = PREDECESSOR.guardiansOf(patient).circle;
        p = PatientSlots.pack(before.controller, 0, before.inCustody, Origin.Following);
        _patients[patient] = p;
        _custodians[patient] = before.custodian;
        _guardianships[patient].circle = circle;
        emit PatientTakenOver(patient, before.controller, before.epoch, before.inCustody, before.custodian, circle);
    }

    function _requireTakenOver() private view {
        if (address(PREDECESSOR) != address(0) && address(PREDECESSOR.successor()) != address(this)) {
            revert NotSuccessor(address(this));
        }
    }
}
