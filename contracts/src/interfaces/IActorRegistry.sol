// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The registered hospitals, practitioners and insurers, and whether each may act now
/// @notice Everything here is public. Names, addresses and registration numbers are held as hashes of salted text only.
/// Registering and suspending need REGISTRAR_ROLE; roles are granted by DEFAULT_ADMIN_ROLE.
interface IActorRegistry {
    /// @notice What an actor is
    enum Kind {
        None,
        Hospital,
        Practitioner,
        Insurer
    }

    /// @notice Whether an actor may act
    enum Status {
        None,
        Active,
        Suspended
    }

    /// @notice One registered actor
    struct Actor {
        // what the actor is; None: not registered
        Kind kind;
        // Active or Suspended
        Status status;
        // hospital and insurer: salted hash of the name; practitioner: salted hash of the registration number
        bytes32 identityHash;
        // practitioner: the hospital's id; zero for others
        bytes32 hospital;
    }

    /// @notice Thrown when an id is registered twice
    error ActorExists(bytes32 id);

    /// @notice Thrown when an id is not registered
    error ActorUnknown(bytes32 id);

    /// @notice Thrown when what must be a registered hospital is none
    error NotAHospital(bytes32 id);

    /// @notice Thrown when an id or status that must not be zero is zero
    error ZeroValue();

    /// @notice Thrown when a client is already bound to an actor
    error ClientBoundTo(bytes32 client, bytes32 id);

    /// @notice A hospital was registered
    event HospitalRegistered(bytes32 indexed id, bytes32 nameHash, bytes32 addressHash, string endpoint);

    /// @notice A practitioner was registered
    event PractitionerRegistered(bytes32 indexed id, bytes32 registrationNumberHash, bytes32 indexed hospital);

    /// @notice An insurer was registered
    event InsurerRegistered(bytes32 indexed id, bytes32 nameHash);

    /// @notice An actor's status was set
    event ActorStatusChanged(bytes32 indexed id, Status status);

    /// @notice An OAuth client or user was bound to an actor
    event ClientBound(bytes32 indexed client, bytes32 indexed id);

    /// @notice An OAuth client or user was unbound
    event ClientUnbound(bytes32 indexed client, bytes32 indexed id);

    /// @notice A hospital's break-glass policy was set; zero: it has none any more
    event BreakGlassPolicySet(bytes32 indexed hospital, bytes32 policyHash);

    /// @notice Registers a hospital as active
    /// @param id the hospital's pseudonymous id
    /// @param nameHash salted hash of its name
    /// @param addressHash salted hash of its postal address
    /// @param endpoint its public FHIR base URL
    function registerHospital(bytes32 id, bytes32 nameHash, bytes32 addressHash, string calldata endpoint) external;

    /// @notice Registers a practitioner of a hospital as active
    function registerPractitioner(bytes32 id, bytes32 registrationNumberHash, bytes32 hospital) external;

    /// @notice Registers an insurer as active
    function registerInsurer(bytes32 id, bytes32 nameHash) external;

    /// @notice Suspends or reinstates an actor
    function setStatus(bytes32 id, Status status) external;

    /// @notice Binds an OAuth client or user to an actor
    /// @param client keccak256(issuer || 0x00 || client or subject id)
    function bindClient(bytes32 id, bytes32 client) external;

    /// @notice Removes a binding
    function unbindClient(bytes32 client) external;

    /// @notice Sets a hospital's standing policy on breaking the glass of the records it keeps
    /// @param policyHash salted hash of the policy; zero: it has none any more
    function setBreakGlassPolicy(bytes32 hospital, bytes32 policyHash) external;

    /// @notice A hospital's standing break-glass policy; zero when there is none
    function breakGlassPolicyOf(bytes32 hospital) external view returns (bytes32);

    /// @notice The actor under an id; kind None when there is none
    function actorOf(bytes32 id) external view returns (Actor memory);

    /// @notice The actor that a client is bound to; zero when there is none
    function actorOfClient(bytes32 client) external view returns (bytes32);

    /// @notice Whether the actor is registered and not suspended; a practitioner also needs an active hospital
    function isActive(bytes32 id) external view returns (bool);
}
