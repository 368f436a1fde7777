// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IActorRegistry} from "./interfaces/IActorRegistry.sol";

/// @title See IActorRegistry: the interface is the manual
contract ActorRegistry is IActorRegistry, AccessControl {
    /// @notice May register, suspend and bind
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    mapping(bytes32 id => Actor actor) private _actors;
    mapping(bytes32 client => bytes32 id) private _clients;
    mapping(bytes32 hospital => bytes32 policyHash) private _breakGlassPolicies;

    constructor(address admin) {
        if (admin == address(0)) revert ZeroValue();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(REGISTRAR_ROLE, admin);
    }

    /// @inheritdoc IActorRegistry
    function registerHospital(bytes32 id, bytes32 nameHash, bytes32 addressHash, string calldata endpoint)
        external
        onlyRole(REGISTRAR_ROLE)
    {
        _register(id, Kind.Hospital, nameHash, 0);
        emit HospitalRegistered(id, nameHash, addressHash, endpoint);
    }

    /// @inheritdoc IActorRegistry
    function registerPractitioner(bytes32 id, bytes32 registrationNumberHash, bytes32 hospital)
        external
        onlyRole(REGISTRAR_ROLE)
    {
        if (_actors[hospital].kind != Kind.Hospital) revert NotAHospital(hospital);
        _register(id, Kind.Practitioner, registrationNumberHash, hospital);
        emit PractitionerRegistered(id, registrationNumberHash, hospital);
    }

    /// @inheritdoc IActorRegistry
    function registerInsurer(bytes32 id, bytes32 nameHash) external onlyRole(REGISTRAR_ROLE) {
        _register(id, Kind.Insurer, nameHash, 0);
        emit InsurerRegistered(id, nameHash);
    }

    /// @inheritdoc IActorRegistry
    function setStatus(bytes32 id, Status status) external onlyRole(REGISTRAR_ROLE) {
        if (_actors[id].kind == Kind.None) revert ActorUnknown(id);
        if (status == Status.None) revert ZeroValue();
        _actors[id].status = status;
        emit ActorStatusChanged(id, status);
    }

    /// @inheritdoc IActorRegistry
    function bindClient(bytes32 id, bytes32 client) external onlyRole(REGISTRAR_ROLE) {
        if (_actors[id].kind == Kind.None) revert ActorUnknown(id);
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
        if (_actors[hospital].kind != Kind.Hospital) revert NotAHospital(hospital);
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

    function _register(bytes32 id, Kind kind, bytes32 identityHash, bytes32 hospital) private {
        if (id == 0) revert ZeroValue();
        if (_actors[id].kind != Kind.None) revert ActorExists(id);
        _actors[id] = Actor(kind, Status.Active, identityHash, hospital);
    }
}
