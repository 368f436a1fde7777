// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActorIntents} from "./ActorIntents.sol";
import {Administered} from "./Administered.sol";
import {Signatures} from "./Signatures.sol";
import {IActorRegistry} from "./interfaces/IActorRegistry.sol";

/// @title See IActorRegistry: the interface is the manual
contract ActorRegistry is IActorRegistry, Administered {
    using ActorIntents for *;

    /// @notice May register hospitals and insurers, suspend, reinstate and strike off anybody, and bind clients
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    bytes32 private constant DOMAIN_NAME = keccak256("PmrGateway Actors");

    mapping(bytes32 id => Actor actor) private _actors;
    mapping(bytes32 client => bytes32 id) private _clients;
    mapping(bytes32 hospital => bytes32 policyHash) private _breakGlassPolicies;

    constructor(uint48 adminDelay, address admin, address registrar) Administered(adminDelay, admin) {
        if (registrar == address(0)) revert ZeroValue();
        _grantRole(REGISTRAR_ROLE, registrar);
    }

    /// @inheritdoc IActorRegistry
    function registerHospital(bytes32 id, bytes32 nameHash, bytes32 addressHash, string calldata endpoint, address operator)
        external
        onlyRole(REGISTRAR_ROLE)
    {
        if (operator == address(0)) revert ZeroValue();
        _register(id, Kind.Hospital, nameHash, 0);
        _actors[id].operator = operator;
        emit HospitalRegistered(id, nameHash, addressHash, endpoint, operator);
    }

    /// @inheritdoc IActorRegistry
    function registerInsurer(bytes32 id, bytes32 nameHash) external onlyRole(REGISTRAR_ROLE) {
        _register(id, Kind.Insurer, nameHash, 0);
        emit InsurerRegistered(id, nameHash);
    }

    /// @inheritdoc IActorRegistry
    function registerPractitioner(bytes32 id, bytes32 registrationNumberHash, bytes32 hospital) external {
        if (_hospital(hospital).operator != msg.sender) revert NotOperator(msg.sender);
        _registerPractitioner(id, registrationNumberHash, hospital);
    }

    /// @inheritdoc IActorRegistry
    function registerPractitionerBySig(RegisterPractitionerIntent calldata intent, bytes calldata signature) external {
        Actor storage hospital = _hospital(intent.hospital);
        if (block.timestamp > intent.deadline) revert IntentExpired(intent.deadline);
        _requireSigned(hospital.operator, intent.hash(), signature);
        _registerPractitioner(intent.id, intent.registrationNumberHash, intent.hospital);
    }

    /// @inheritdoc IActorRegistry
    function setStatus(bytes32 id, Status status) external {
        bool byRegistrar = hasRole(REGISTRAR_ROLE, msg.sender);
        // A hospital is none of its own: only its practitioners' status is its operator's.
        if (!byRegistrar && (_known(id).kind != Kind.Practitioner || _hospitalOf(id).operator != msg.sender)) {
            revert NotOperator(msg.sender);
        }
        _setStatus(id, status, byRegistrar);
    }

    /// @inheritdoc IActorRegistry
    function setStatusBySig(SetStatusIntent calldata intent, bytes calldata signature) external {
        if (_known(intent.id).kind != Kind.Practitioner) revert RegistrarOnly(intent.id);
        _useIntent(_hospitalOf(intent.id), intent.nonce, intent.deadline, intent.hash(), signature);
        _setStatus(intent.id, intent.status, false);
    }

    /// @inheritdoc IActorRegistry
    function setEncryptionKey(bytes32 id, bytes32 key) external {
        if (!hasRole(REGISTRAR_ROLE, msg.sender)) {
            if (_hospitalOf(id).operator != msg.sender) revert NotOperator(msg.sender);
            _requireHospitalActive(id);
        }
        _setEncryptionKey(id, key);
    }

    /// @inheritdoc IActorRegistry
    function setEncryptionKeyBySig(SetEncryptionKeyIntent calldata intent, bytes calldata signature) external {
        _useIntent(_hospitalOf(intent.id), intent.nonce, intent.deadline, intent.hash(), signature);
        _requireHospitalActive(intent.id);
        _setEncryptionKey(intent.id, intent.key);
    }

    /// @inheritdoc IActorRegistry
    function setOperator(bytes32 hospital, address operator) external {
        if (!hasRole(REGISTRAR_ROLE, msg.sender)) {
            if (_hospital(hospital).operator != msg.sender) revert NotOperator(msg.sender);
            _requireHospitalActive(hospital);
        }
        _setOperator(hospital, operator);
    }

    /// @inheritdoc IActorRegistry
    function setOperatorBySig(SetOperatorIntent calldata intent, bytes calldata signature) external {
        _useIntent(_hospital(intent.hospital), intent.nonce, intent.deadline, intent.hash(), signature);
        _requireHospitalActive(intent.hospital);
        _setOperator(intent.hospital, intent.operator);
    }

    /// @inheritdoc IActorRegistry
    function bindClient(bytes32 id, bytes32 client) external onlyRole(REGISTRAR_ROLE) {
        _known(id);
        if (client == 0) revert ZeroValue();
        if (_clients[client] != 0) revert ClientBoundTo(client, _clients[client]);
        _clients[client] = id;
        emit ClientBound(client, id);
    }

    /// @inheritdoc IActorRegistry
    function unbindClient(bytes32 client) external onlyRole(REGISTRAR_ROLE) {
        bytes32 id = _clients[client];
        if (id == 0) revert ActorUnknown(client);
        delete _clients[client];
        emit ClientUnbound(client, id);
    }

    /// @inheritdoc IActorRegistry
    function setBreakGlassPolicy(bytes32 hospital, bytes32 policyHash) external onlyRole(REGISTRAR_ROLE) {
        _hospital(hospital);
        _breakGlassPolicies[hospital] = policyHash;
        emit BreakGlassPolicySet(hospital, policyHash);
    }

    /// @inheritdoc IActorRegistry
    function breakGlassPolicyOf(bytes32 hospital) external view returns (bytes32) {
        return _breakGlassPolicies[hospital];
    }

    /// @inheritdoc IActorRegistry
    function actorOf(bytes32 id) external view returns (Actor memory) {
        return _actors[id];
    }

    /// @inheritdoc IActorRegistry
    function actorOfClient(bytes32 client) external view returns (bytes32) {
        return _clients[client];
    }

    /// @inheritdoc IActorRegistry
    function isActive(bytes32 id) external view returns (bool) {
        Actor storage actor = _actors[id];
        if (actor.status != Status.Active) return false;
        return actor.kind != Kind.Practitioner || _actors[actor.hospital].status == Status.Active;
    }

    /// @inheritdoc IActorRegistry
    function domainSeparator() public view returns (bytes32) {
        return Signatures.domain(DOMAIN_NAME);
    }

    function _register(bytes32 id, Kind kind, bytes32 identityHash, bytes32 hospital) private {
        if (id == 0) revert ZeroValue();
        if (_actors[id].kind != Kind.None) revert ActorExists(id);
        _actors[id] = Actor(kind, Status.Active, false, address(0), 0, identityHash, hospital, 0);
    }

    function _registerPractitioner(bytes32 id, bytes32 registrationNumberHash, bytes32 hospital) private {
        _requireHospitalActive(hospital);
        _register(id, Kind.Practitioner, registrationNumberHash, hospital);
        emit PractitionerRegistered(id, registrationNumberHash, hospital);
    }

    function _setStatus(bytes32 id, Status status, bool byRegistrar) private {
        Actor storage actor = _known(id);
        if (status == Status.None) revert ZeroValue();
        if (actor.status == Status.StruckOff) revert ActorStruckOff(id);
        if (!byRegistrar) {
            if (status == Status.StruckOff || actor.byRegistrar) revert RegistrarOnly(id);
            if (status == Status.Active) _requireHospitalActive(id);
        }
        // The registrar's suspension takes the place of the hospital's.
        bool held = byRegistrar && status == Status.Suspended;
        if (actor.status == status && actor.byRegistrar == held) revert StatusUnchanged(id);
        (actor.status, actor.byRegistrar) = (status, held);
        emit ActorStatusChanged(id, status, byRegistrar);
    }

    function _setEncryptionKey(bytes32 id, bytes32 key) private {
        Actor storage actor = _known(id);
        if (actor.status == Status.StruckOff) revert ActorStruckOff(id);
        actor.encryptionKey = key;
        emit EncryptionKeySet(id, key);
    }

    function _setOperator(bytes32 hospital, address operator) private {
        if (operator == address(0)) revert ZeroValue();
        Actor storage actor = _hospital(hospital);
        if (actor.status == Status.StruckOff) revert ActorStruckOff(hospital);
        actor.operator = operator;
        emit OperatorChanged(hospital, operator);
    }

    /// @dev The nonce is of the hospital and not of its operator: a message dies with its turn, whoever signs next.
    function _useIntent(Actor storage hospital, uint64 nonce, uint64 deadline, bytes32 structHash, bytes calldata signature)
        private
    {
        if (block.timestamp > deadline) revert IntentExpired(deadline);
        if (nonce != hospital.nonce) revert NonceInvalid(hospital.nonce, nonce);
        hospital.nonce = nonce + 1;
        _requireSigned(hospital.operator, structHash, signature);
    }

    function _requireSigned(address signer, bytes32 structHash, bytes calldata signature) private view {
        // An actor without an operator has no signer, and nobody's signature is that one's.
        if (signer == address(0) || !Signatures.isSigned(signer, domainSeparator(), structHash, signature)) {
            revert SignatureInvalid(signer);
        }
    }

    function _requireHospitalActive(bytes32 id) private view {
        if (_hospitalOf(id).status != Status.Active) revert HospitalNotActive(id);
    }

    function _known(bytes32 id) private view returns (Actor storage actor) {
        actor = _actors[id];
        if (actor.kind == Kind.None) revert ActorUnknown(id);
    }

    function _hospital(bytes32 id) private view returns (Actor storage actor) {
        actor = _actors[id];
        if (actor.kind != Kind.Hospital) revert NotAHospital(id);
    }

    /// @dev The hospital that acts for an actor: a practitioner's own, a hospital itself, of an insurer the insurer, without an operator.
    function _hospitalOf(bytes32 id) private view returns (Actor storage actor) {
        actor = _known(id);
        if (actor.kind == Kind.Practitioner) actor = _actors[actor.hospital];
    }
}
