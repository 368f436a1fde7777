// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Who controls a patient's record, and which grants of access stand
/// @notice A patient is a random 32-byte key. A grant is a commitment, keccak256(salt || terms): the terms (grantee,
/// purposes, classes, period) are not on the chain, only the commitment's period and status are. The controller is the
/// registering hospital's custody address until it hands the record over to the patient's own wallet. The controller acts
/// directly, or signs an EIP-712 intent that anyone may relay: no patient needs ether.
interface IConsentRegistry {
    /// @notice Where a grant stands
    enum Status {
        None,
        Active,
        Revoked
    }

    /// @notice One registered patient
    struct Patient {
        // who may grant and revoke
        address controller;
        // raised by revokeAll; a grant of an earlier epoch no longer stands
        uint64 epoch;
        // the hospital that registered the patient
        bytes32 custodian;
    }

    /// @notice One grant
    struct Grant {
        // where it stands
        Status status;
        // first second (Unix time) at which it counts
        uint64 notBefore;
        // last second (Unix time) at which it counts
        uint64 notAfter;
        // the patient's epoch when it was made
        uint64 epoch;
    }

    /// @notice A controller's signed wish to grant
    struct GrantIntent {
        // the patient's key
        bytes32 patient;
        // keccak256(salt || terms)
        bytes32 commitment;
        // first second at which the grant counts
        uint64 notBefore;
        // last second at which the grant counts
        uint64 notAfter;
        // unique for each intent of a signer, in any order
        uint256 nonce;
        // last second at which the intent may be relayed
        uint256 deadline;
    }

    /// @notice A controller's signed wish to revoke one grant
    struct RevokeIntent {
        // the patient's key
        bytes32 patient;
        // the grant's commitment
        bytes32 commitment;
        // unique for each intent of a signer, in any order
        uint256 nonce;
        // last second at which the intent may be relayed
        uint256 deadline;
    }

    /// @notice A controller's signed wish to revoke all grants
    struct RevokeAllIntent {
        // the patient's key
        bytes32 patient;
        // unique for each intent of a signer, in any order
        uint256 nonce;
        // last second at which the intent may be relayed
        uint256 deadline;
    }

    /// @notice The hand-over of a record, signed by the controller who gives and the controller who takes
    struct HandOverIntent {
        // the patient's key
        bytes32 patient;
        // who controls the record from then on
        address newController;
        // unique for each intent of a signer, in any order
        uint256 nonce;
        // last second at which the intent may be relayed
        uint256 deadline;
    }

    /// @notice Thrown when a patient is registered twice
    error PatientExists(bytes32 patient);

    /// @notice Thrown when a patient is not registered
    error PatientUnknown(bytes32 patient);

    /// @notice Thrown when the custodian is not an active hospital
    error CustodianNotActive(bytes32 custodian);

    /// @notice Thrown when the caller or signer is not the patient's controller
    error NotController(address caller);

    /// @notice Thrown when a commitment was granted before; a new grant needs a new salt
    error GrantExists(bytes32 commitment);

    /// @notice Thrown when there is no standing grant to revoke
    error GrantNotActive(bytes32 commitment);

    /// @notice Thrown when the hospital that keeps a patient's record has no standing break-glass policy
    error NoBreakGlassPolicy(bytes32 custodian);

    /// @notice Thrown when broken glass would stay open for longer than it may
    error GlassTooLong(uint64 notAfter);

    /// @notice Thrown when a period ends before it begins, or has ended
    error PeriodInvalid(uint64 notBefore, uint64 notAfter);

    /// @notice Thrown when an intent is relayed after its deadline
    error IntentExpired(uint256 deadline);

    /// @notice Thrown when a signer's nonce was used before
    error NonceUsed(uint256 nonce);

    /// @notice Thrown when a signature is not the expected signer's
    error SignatureInvalid(address expected);

    /// @notice Thrown when an address or key that must not be zero is zero
    error ZeroValue();

    /// @notice A patient was registered
    event PatientRegistered(bytes32 indexed patient, address controller, bytes32 indexed custodian);

    /// @notice A grant was made
    event ConsentGranted(bytes32 indexed patient, bytes32 indexed commitment, uint64 notBefore, uint64 notAfter, uint64 epoch);

    /// @notice The glass was broken: this grant was made in an emergency, not by the patient
    event GlassBroken(bytes32 indexed patient, bytes32 indexed commitment);

    /// @notice A grant was revoked
    event ConsentRevoked(bytes32 indexed patient, bytes32 indexed commitment);

    /// @notice All grants of earlier epochs were revoked
    event AllConsentsRevoked(bytes32 indexed patient, uint64 epoch);

    /// @notice Control of a record passed from one address to another
    event ControllerChanged(bytes32 indexed patient, address from, address to);

    /// @notice Registers a patient under a custodian's control; needs REGISTRAR_ROLE
    function registerPatient(bytes32 patient, address controller, bytes32 custodian) external;

    /// @notice Grants; the caller must be the controller
    function grant(bytes32 patient, bytes32 commitment, uint64 notBefore, uint64 notAfter) external;

    /// @notice Grants by the controller's signed intent
    function grantBySig(GrantIntent calldata intent, bytes calldata signature) external;

    /// @notice Grants in an emergency, under the standing policy of the hospital that keeps the record; needs REGISTRAR_ROLE.
    /// The controller revokes it like any other grant.
    /// @param notAfter at most four hours from now, and ten minutes for clocks that differ
    function breakGlass(bytes32 patient, bytes32 commitment, uint64 notBefore, uint64 notAfter) external;

    /// @notice Revokes one grant; the caller must be the controller
    function revoke(bytes32 patient, bytes32 commitment) external;

    /// @notice Revokes one grant by the controller's signed intent
    function revokeBySig(RevokeIntent calldata intent, bytes calldata signature) external;

    /// @notice Revokes every grant made so far; the caller must be the controller
    function revokeAll(bytes32 patient) external;

    /// @notice Revokes every grant made so far by the controller's signed intent
    function revokeAllBySig(RevokeAllIntent calldata intent, bytes calldata signature) external;

    /// @notice Passes control of a record; both sides have signed the same intent
    /// @param given the present controller's signature
    /// @param taken the new controller's signature: a record cannot be lost to an address nobody holds
    function handOver(HandOverIntent calldata intent, bytes calldata given, bytes calldata taken) external;

    /// @notice The patient under a key; controller zero when there is none
    function patientOf(bytes32 patient) external view returns (Patient memory);

    /// @notice The grant under a commitment; status None when there is none
    function grantOf(bytes32 patient, bytes32 commitment) external view returns (Grant memory);

    /// @notice Whether a grant stands now: active, of the patient's present epoch, inside its period
    function isPermitted(bytes32 patient, bytes32 commitment) external view returns (bool);

    /// @notice The EIP-712 domain separator of this contract on this chain
    function domainSeparator() external view returns (bytes32);
}
