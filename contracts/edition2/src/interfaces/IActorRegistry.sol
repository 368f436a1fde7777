// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The registered hospitals, practitioners and insurers, and whether each may act now
/// @notice Everything here is public. Names, addresses, registration numbers and clients are held as hashes of salted text only.
/// REGISTRAR_ROLE registers hospitals and insurers, and suspends, reinstates and strikes off anybody. A hospital's operator registers
/// the hospital's own practitioners, suspends them, and ends a suspension of its own; it does so itself, or signs an EIP-712 message
/// that anyone may relay. Domain: name "PmrGateway Actors", version "2", chain id, address of this contract. A message that could be
/// relayed twice names the hospital's nonce, and the next one names the next. An operator does nothing but suspend while its
/// hospital is not active. An id is whose who registers it first: before a client is bound to it, actorOf says whose it is.
/// Roles are granted by DEFAULT_ADMIN_ROLE. All of it counts in the block that it is in.
interface IActorRegistry {
    /// @notice What an actor is
    enum Kind {
        None,
        Hospital,
        Practitioner,
        Insurer
    }

    /// @notice Whether an actor may act. StruckOff is final.
    enum Status {
        None,
        Active,
        Suspended,
        StruckOff
    }

    /// @notice One registered actor
    struct Actor {
        // what the actor is; None: not registered
        Kind kind;
        // whether the actor itself may act (isActive also asks the hospital)
        Status status;
        // Suspended: whether by the registrar, so that the hospital cannot end it
        bool byRegistrar;
        // hospital: who acts for it; zero for others
        address operator;
        // hospital: what its operator's next message must name
        uint64 nonce;
        // hospital and insurer: salted hash of the name; practitioner: salted hash of the registration number
        bytes32 identityHash;
        // practitioner: the hospital's id; zero for others
        bytes32 hospital;
        // X25519 public key that is sealed to for the actor; zero: none
        bytes32 encryptionKey;
    }

    /// @notice An operator's signed wish to register a practitioner. It needs no nonce: an id is registered once.
    struct RegisterPractitionerIntent {
        // the practitioner's pseudonymous id
        bytes32 id;
        // salted hash of the registration number
        bytes32 registrationNumberHash;
        // the hospital's id
        bytes32 hospital;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice An operator's signed wish to suspend or reinstate a practitioner
    struct SetStatusIntent {
        // the practitioner's id
        bytes32 id;
        // Active or Suspended
        Status status;
        // the hospital's nonce
        uint64 nonce;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice An operator's signed wish to publish an encryption key
    struct SetEncryptionKeyIntent {
        // the hospital's id, or that of its practitioner
        bytes32 id;
        // X25519 public key; zero: none any more
        bytes32 key;
        // the hospital's nonce
        uint64 nonce;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice An operator's signed wish that another take its place
    struct SetOperatorIntent {
        // the hospital's id
        bytes32 hospital;
        // who acts for it from then on
        address operator;
        // the hospital's nonce
        uint64 nonce;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice Thrown when an id is registered twice
    error ActorExists(bytes32 id);

    /// @notice Thrown when an id is not registered
    error ActorUnknown(bytes32 id);

    /// @notice Thrown when an actor was struck off: nothing leads back
    error ActorStruckOff(bytes32 id);

    /// @notice Thrown when what must be a registered hospital is none
    error NotAHospital(bytes32 id);

    /// @notice Thrown when an operator acts and the hospital, that of the actor, is not active
    error HospitalNotActive(bytes32 actor);

    /// @notice Thrown when the caller is neither the operator nor, where it could be, the registrar
    error NotOperator(address caller);

    /// @notice Thrown when an operator would end or overrule what the registrar decided, or strike off
    error RegistrarOnly(bytes32 id);

    /// @notice Thrown when a status is set that the actor has
    error StatusUnchanged(bytes32 id);

    /// @notice Thrown when an id, status, address or client that must not be zero is zero
    error ZeroValue();

    /// @notice Thrown when a client is already bound to an actor
    error ClientBoundTo(bytes32 client, bytes32 id);

    /// @notice Thrown when an intent is relayed after its deadline
    error IntentExpired(uint64 deadline);

    /// @notice Thrown when an intent does not name the hospital's nonce
    error NonceInvalid(uint64 current, uint64 given);

    /// @notice Thrown when a signature is not the expected signer's
    error SignatureInvalid(address expected);

    /// @notice A hospital was registered
    event HospitalRegistered(bytes32 indexed id, bytes32 nameHash, bytes32 addressHash, string endpoint, address operator);

    /// @notice A practitioner was registered
    event PractitionerRegistered(bytes32 indexed id, bytes32 registrationNumberHash, bytes32 indexed hospital);

    /// @notice An insurer was registered
    event InsurerRegistered(bytes32 indexed id, bytes32 nameHash);

    /// @notice An actor's status was set
    event ActorStatusChanged(bytes32 indexed id, Status status, bool byRegistrar);

    /// @notice Another acts for a hospital
    event OperatorChanged(bytes32 indexed hospital, address operator);

    /// @notice An actor published an encryption key; zero: it has none any more
    event EncryptionKeySet(bytes32 indexed id, bytes32 key);

    /// @notice An OAuth client or user was bound to an actor
    event ClientBound(bytes32 indexed client, bytes32 indexed id);

    /// @notice An OAuth client or user was unbound
    event ClientUnbound(bytes32 indexed client, bytes32 indexed id);

    /// @notice A hospital's break-glass policy was set; zero: it has none any more
    event BreakGlassPolicySet(bytes32 indexed hospital, bytes32 policyHash);

    /// @notice Registers a hospital as active; needs REGISTRAR_ROLE
    /// @param id the hospital's pseudonymous id
    /// @param nameHash salted hash of its name
    /// @param addressHash salted hash of its postal address
    /// @param endpoint its public FHIR base URL
    /// @param operator who acts for it
    function registerHospital(bytes32 id, bytes32 nameHash, bytes32 addressHash, string calldata endpoint, address operator)
        external;

    /// @notice Registers an insurer as active; needs REGISTRAR_ROLE
    function registerInsurer(bytes32 id, bytes32 nameHash) external;

    /// @notice Registers a practitioner of a hospital as active; the caller must be the hospital's operator
    function registerPractitioner(bytes32 id, bytes32 registrationNumberHash, bytes32 hospital) external;

    /// @notice Registers a practitioner by the operator's signed intent
    function registerPractitionerBySig(RegisterPractitionerIntent calldata intent, bytes calldata signature) external;

    /// @notice Suspends (Suspended), reinstates (Active) or strikes off (StruckOff) an actor. REGISTRAR_ROLE does so with anybody; the
    /// operator of a practitioner's hospital suspends it, and reinstates it where the registrar has not suspended it.
    function setStatus(bytes32 id, Status status) external;

    /// @notice Suspends or reinstates a practitioner by the operator's signed intent
    function setStatusBySig(SetStatusIntent calldata intent, bytes calldata signature) external;

    /// @notice Publishes an encryption key: of a hospital or its practitioner by the operator, of anybody by REGISTRAR_ROLE
    /// @param key X25519 public key; zero: none any more
    function setEncryptionKey(bytes32 id, bytes32 key) external;

    /// @notice Publishes an encryption key by the operator's signed intent
    function setEncryptionKeyBySig(SetEncryptionKeyIntent calldata intent, bytes calldata signature) external;

    /// @notice Changes who acts for a hospital; the caller must be the present operator, or have REGISTRAR_ROLE
    function setOperator(bytes32 hospital, address operator) external;

    /// @notice Changes who acts for a hospital by the present operator's signed intent
    function setOperatorBySig(SetOperatorIntent calldata intent, bytes calldata signature) external;

    /// @notice Binds an OAuth client or user to an actor; needs REGISTRAR_ROLE
    /// @param client salted hash of issuer and client or subject id: opaque here, and not to be guessed by who knows the names
    function bindClient(bytes32 id, bytes32 client) external;

    /// @notice Removes a binding; needs REGISTRAR_ROLE
    function unbindClient(bytes32 client) external;

    /// @notice Sets a hospital's standing policy on breaking the glass of the records it keeps; needs REGISTRAR_ROLE
    /// @param policyHash salted hash of the policy; zero: it has none any more
    function setBreakGlassPolicy(bytes32 hospital, bytes32 policyHash) external;

    /// @notice A hospital's standing break-glass policy; zero when there is none
    function breakGlassPolicyOf(bytes32 hospital) external view returns (bytes32);

    /// @notice The actor under an id; kind None when there is none
    function actorOf(bytes32 id) external view returns (Actor memory);

    /// @notice The actor that a client is bound to; zero when there is none
    function actorOfClient(bytes32 client) external view returns (bytes32);

    /// @notice Whether the actor may act now: its own status is Active, and for a practitioner the hospital's too
    function isActive(bytes32 id) external view returns (bool);

    /// @notice The EIP-712 domain separator of this contract on this chain
    function domainSeparator() external view returns (bytes32);
}
