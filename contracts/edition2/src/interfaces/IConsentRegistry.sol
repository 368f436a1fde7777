// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IGuardians} from "./IGuardians.sol";

/// @title Who controls a patient's record, and which grants of access stand
/// @notice A patient is a random 32-byte key. A grant is a commitment to its terms and its period: the chain sees neither. Whoever
/// holds the opening can ask `check`; a watcher learns that there is a grant, and whether it ended. A commitment is granted once
/// for ever: what was revoked never stands again.
///
/// The controller is the registering hospital's custody address until the record is handed over to a wallet. It acts directly, or
/// signs an EIP-712 message that anyone may relay: no patient needs ether. Domain: name "PmrGateway Consent", version "2", chain
/// id, address of this contract. Each message names the patient's epoch, and so dies with it; there are no nonces. A signature is that
/// of the account's key (65 bytes, lower s, v 27 or 28), or what an account with code takes by EIP-1271. Such code may burn gas:
/// who relays bounds it.
///
/// Upgrade: a new registry is deployed with this one as PREDECESSOR, and the admin sets `successor` here. From then on this one takes
/// revocations alone, and the new one goes on where this one stopped: it takes a patient over when the patient is first written,
/// counts grants made here as long as neither registry ended them, and a revocation of all in either ends all.
interface IConsentRegistry is IGuardians {
    /// @notice What is kept of a grant
    enum Status {
        None,
        Active,
        Revoked,
        Late
    }

    /// @notice Whether a grant permits now, or why it does not
    enum Standing {
        // no such grant: never made, or the opening is another's
        Unknown,
        // it permits
        Permitted,
        // it was revoked
        Revoked,
        // all grants of its time were ended: by revokeAll, a hand-over or a recovery
        EarlierEpoch,
        // its period has not begun
        NotYet,
        // its period is over
        Over,
        // it was made by breaking the glass, and the glass has closed
        Shut,
        // it was made in a registry that had a successor already
        Late
    }

    /// @notice One registered patient
    struct Patient {
        // who may grant and revoke
        address controller;
        // a grant counts in the epoch that it was made in
        uint32 epoch;
        // whether the controller is the custodian's custody address
        bool inCustody;
        // the hospital that keeps the record
        bytes32 custodian;
    }

    /// @notice One grant
    struct Grant {
        // what is kept of it; Late: made when its registry had a successor, and never counts
        Status status;
        // the patient's epoch when it was made
        uint32 epoch;
        // second at which it was made; zero: revoked before it was made
        uint64 madeAt;
        // last second at which broken glass stays open; zero: the patient's own grant
        uint64 until;
    }

    /// @notice The opening of a commitment, keccak256(0x03 || salt || notBefore || notAfter || termsHash)
    struct Opening {
        // 32 random bytes
        bytes32 salt;
        // first second (Unix time) at which the grant counts
        uint64 notBefore;
        // last second (Unix time) at which it counts
        uint64 notAfter;
        // keccak256 of the terms (docs/formats/consent-terms.md)
        bytes32 termsHash;
    }

    /// @notice A controller's signed wish to grant
    struct GrantIntent {
        // the patient's key
        bytes32 patient;
        // commitment to the Opening
        bytes32 commitment;
        // the patient's epoch
        uint32 epoch;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice A controller's signed wish to make several grants
    struct GrantBatchIntent {
        // the patient's key
        bytes32 patient;
        // commitments, each to an Opening
        bytes32[] commitments;
        // the patient's epoch
        uint32 epoch;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice A controller's signed wish to revoke one grant
    struct RevokeIntent {
        // the patient's key
        bytes32 patient;
        // the grant's commitment
        bytes32 commitment;
        // the patient's epoch
        uint32 epoch;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice A controller's signed wish to revoke all grants
    struct RevokeAllIntent {
        // the patient's key
        bytes32 patient;
        // the patient's epoch
        uint32 epoch;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice The hand-over of a record, signed by the controller who gives and the controller who takes
    struct HandOverIntent {
        // the patient's key
        bytes32 patient;
        // who controls the record from then on
        address newController;
        // the patient's epoch
        uint32 epoch;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice Thrown when a patient is registered twice
    error PatientExists(bytes32 patient);

    /// @notice Thrown when a patient is not registered
    error PatientUnknown(bytes32 patient);

    /// @notice Thrown when the custodian is not an active hospital
    error CustodianNotActive(bytes32 custodian);

    /// @notice Thrown when the record is not in the custody of a hospital that was struck off
    error CustodyStands(bytes32 patient);

    /// @notice Thrown when who breaks the glass is not an active practitioner
    error PractitionerNotActive(bytes32 practitioner);

    /// @notice Thrown when the caller is not the patient's controller
    error NotController(address caller);

    /// @notice Thrown when control would pass to who has it: custody would end, and the hospital keep the control
    error ControllerUnchanged(address controller);

    /// @notice Thrown when a commitment was granted or revoked before; a new grant needs a new salt
    error GrantExists(bytes32 commitment);

    /// @notice Thrown when a commitment was revoked before
    error GrantNotActive(bytes32 commitment);

    /// @notice Thrown when the hospital that keeps a patient's record has no standing break-glass policy
    error NoBreakGlassPolicy(bytes32 custodian);

    /// @notice Thrown when an intent is relayed after its deadline
    error IntentExpired(uint64 deadline);

    /// @notice Thrown when an intent is of another epoch than the patient's
    error EpochPassed(uint32 current, uint32 given);

    /// @notice Thrown when a signature is not the expected signer's
    error SignatureInvalid(address expected);

    /// @notice Thrown when an address, key or commitment that must not be zero is zero
    error ZeroValue();

    /// @notice Thrown by all that a registry with a successor does no more
    error Succeeded(address successor);

    /// @notice Thrown when a registry is not the successor of its predecessor, or is none of this one
    error NotSuccessor(address registry);

    /// @notice A patient was registered, in custody
    event PatientRegistered(bytes32 indexed patient, address controller, bytes32 indexed custodian);

    /// @notice A patient was taken over from the predecessor, as it stood there
    event PatientTakenOver(bytes32 indexed patient, address controller, uint32 epoch, bool inCustody, bytes32 custodian, bytes32 circle);

    /// @notice A grant was made
    event ConsentGranted(bytes32 indexed patient, bytes32 indexed commitment, uint32 epoch);

    /// @notice The glass was broken: this grant was made in an emergency, not by the patient
    event GlassBroken(bytes32 indexed patient, bytes32 indexed commitment, uint64 until);

    /// @notice A grant was revoked, or a commitment that was not granted yet can no longer be
    event ConsentRevoked(bytes32 indexed patient, bytes32 indexed commitment);

    /// @notice All grants of earlier epochs are over
    event AllConsentsRevoked(bytes32 indexed patient, uint32 epoch);

    /// @notice Control of a record passed from one address to another; AllConsentsRevoked comes with it
    event ControllerChanged(bytes32 indexed patient, address from, address to);

    /// @notice A record in the custody of a hospital that was struck off was given to another; ControllerChanged comes with it
    event CustodyMoved(bytes32 indexed patient, bytes32 indexed from, bytes32 indexed to);

    /// @notice This registry has a successor: it takes revocations alone
    event SuccessorSet(address successor);

    /// @notice Registers a patient in the custody of an active hospital; needs REGISTRAR_ROLE
    /// @param controller the hospital's custody address
    function registerPatient(bytes32 patient, address controller, bytes32 custodian) external;

    /// @notice Registers many patients in the custody of one hospital; needs REGISTRAR_ROLE
    function registerPatients(bytes32[] calldata patients, address controller, bytes32 custodian) external;

    /// @notice Grants; the caller must be the controller, and in custody the hospital must be active
    /// @dev The one writer that a registry with a successor does not refuse but voids (Standing.Late): to look the successor up would
    /// cost every patient 2,100 gas for ever.
    function grant(bytes32 patient, bytes32 commitment) external;

    /// @notice Makes several grants, all or none; the caller must be the controller, and in custody the hospital must be active
    function grantBatch(bytes32 patient, bytes32[] calldata commitments) external;

    /// @notice Grants by the controller's signed intent
    function grantBySig(GrantIntent calldata intent, bytes calldata signature) external;

    /// @notice Makes several grants, all or none, by the controller's signed intent
    function grantBatchBySig(GrantBatchIntent calldata intent, bytes calldata signature) external;

    /// @notice Grants in an emergency, for four hours, under the standing policy of the active hospital that keeps the record; needs
    /// REGISTRAR_ROLE. The controller revokes it like any other grant.
    /// @param practitioner who breaks the glass: an active practitioner of an active hospital, any
    function breakGlass(bytes32 patient, bytes32 commitment, bytes32 practitioner) external;

    /// @notice Revokes one grant; the caller must be the controller. A commitment that was not granted yet can then no longer be: a
    /// signed grant that is still on its way is void. Who was the controller may still revoke what it granted, which is over anyway.
    function revoke(bytes32 patient, bytes32 commitment) external;

    /// @notice Revokes one grant by the controller's signed intent
    function revokeBySig(RevokeIntent calldata intent, bytes calldata signature) external;

    /// @notice Ends every grant made so far, and every message signed so far; the caller must be the controller
    function revokeAll(bytes32 patient) external;

    /// @notice Ends every grant made so far, and every message signed so far, by the controller's signed intent
    function revokeAllBySig(RevokeAllIntent calldata intent, bytes calldata signature) external;

    /// @notice Passes control of a record; both sides have signed the same intent, and in custody the hospital must be active. Custody,
    /// guardians, all grants and all messages signed so far end.
    /// @param given the present controller's signature
    /// @param taken the new controller's signature: a record cannot be lost to an address nobody holds
    function handOver(HandOverIntent calldata intent, bytes calldata given, bytes calldata taken) external;

    /// @notice Gives a record in the custody of a hospital that was struck off into the custody of an active one; needs
    /// DEFAULT_ADMIN_ROLE. Guardians, all grants and all messages signed so far end.
    function moveCustody(bytes32 patient, address controller, bytes32 custodian) external;

    /// @notice Sets the registry that takes over from this one, once; needs DEFAULT_ADMIN_ROLE
    function setSuccessor(IConsentRegistry next) external;

    /// @notice Whether a grant permits now, at block time, or why it does not. A registry with a successor asks that one too.
    function check(bytes32 patient, Opening calldata opening) external view returns (Standing);

    /// @notice As `check`, for who has the commitment alone: says nothing of the period
    function standingOf(bytes32 patient, bytes32 commitment) external view returns (Standing);

    /// @notice The commitment of an opening
    function commitmentOf(Opening calldata opening) external pure returns (bytes32);

    /// @notice The patient under a key; controller zero when there is none
    function patientOf(bytes32 patient) external view returns (Patient memory);

    /// @notice The grant under a commitment, here or else in the predecessor; status None when there is none. It is revoked where either
    /// registry says so; of a patient whose controller changed here, what was done in the predecessor since then is not seen.
    function grantOf(bytes32 patient, bytes32 commitment) external view returns (Grant memory);

    /// @notice The registry that takes over from this one; zero: none
    function successor() external view returns (IConsentRegistry);

    /// @notice When the successor was set; zero: there is none. A grant made here at that second or later is late.
    function succeededAt() external view returns (uint64);

    /// @notice The registry that this one took over from; zero: none
    function PREDECESSOR() external view returns (IConsentRegistry);

    /// @notice The EIP-712 domain separator of this contract on this chain
    function domainSeparator() external view returns (bytes32);
}
