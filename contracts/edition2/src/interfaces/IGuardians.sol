// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Guardians: who together may give a patient's record a new controller
/// @notice For a lost key, a minor, a person who cannot decide. The controller names m of n guardians by a salted commitment, so
/// nobody sees who they are before they act. A recovery is signed by m guardians and by the address that takes the record over,
/// waits for the delay, in which the controller can veto it, and is completed by anybody. It ends all grants.
/// It is for keys that are lost or idle: a controller that acts can always keep it out, by a veto, other guardians or a new epoch.
/// Every message is EIP-712, in the domain of IConsentRegistry, and names the patient's epoch and round: what raises either ends it.
interface IGuardians {
    /// @notice The opening of a guardians' commitment, keccak256(0x04 || salt || delay || threshold || each guardian in 32 bytes)
    struct Circle {
        // 32 random bytes
        bytes32 salt;
        // seconds between the request and its completion: 1 to 90 days
        uint64 delay;
        // how many guardians must sign: at least 1, at most all
        uint8 threshold;
        // 1 to 16 addresses, each greater than the one before it
        address[] guardians;
    }

    /// @notice What stands about a patient's guardians
    struct Guardianship {
        // commitment to the Circle; zero: there are none
        bytes32 circle;
        // raised by every change of guardians, request and veto: a signed message counts in one round alone
        uint32 round;
        // who takes the record over when the pending recovery is complete; zero: none is pending
        address newController;
        // first second (Unix time) at which the pending recovery can be completed
        uint64 readyAt;
    }

    /// @notice A controller's signed wish to name guardians
    struct SetGuardiansIntent {
        // the patient's key
        bytes32 patient;
        // commitment to the Circle; zero: there shall be none any more
        bytes32 circle;
        // the patient's round
        uint32 round;
        // the patient's epoch
        uint32 epoch;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice The guardians' signed wish to give a record a new controller, signed by that one too
    struct RecoverIntent {
        // the patient's key
        bytes32 patient;
        // who shall control the record
        address newController;
        // the patient's round
        uint32 round;
        // the patient's epoch
        uint32 epoch;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice A controller's signed veto
    struct VetoRecoveryIntent {
        // the patient's key
        bytes32 patient;
        // the patient's round
        uint32 round;
        // the patient's epoch
        uint32 epoch;
        // last second at which the intent may be relayed
        uint64 deadline;
    }

    /// @notice One guardian's signature
    struct Approval {
        // position of the guardian in the Circle, from 0
        uint8 guardian;
        // over the RecoverIntent
        bytes signature;
    }

    /// @notice Thrown when a Circle is not the one that the controller committed to
    error CircleUnknown(bytes32 circle);

    /// @notice Thrown when a Circle breaks a bound, or its guardians are not in ascending order
    error CircleInvalid();

    /// @notice Thrown when there are fewer approvals than the threshold, or one stands twice or out of order
    error ApprovalsInvalid();

    /// @notice Thrown when a message is of another round than the patient's
    error RoundPassed(uint32 current, uint32 given);

    /// @notice Thrown when no recovery is pending
    error NoRecovery(bytes32 patient);

    /// @notice Thrown when a recovery is completed too early
    error RecoveryNotReady(uint64 readyAt);

    /// @notice The guardians were named, or there are none any more; a pending recovery is over
    event GuardiansSet(bytes32 indexed patient, bytes32 circle, uint32 round);

    /// @notice A recovery was asked for
    event RecoveryRequested(bytes32 indexed patient, address newController, uint64 readyAt, uint32 round);

    /// @notice A pending recovery was vetoed
    event RecoveryVetoed(bytes32 indexed patient, uint32 round);

    /// @notice Names the guardians; the caller must be the controller, and in custody the hospital must be active
    /// @param circle commitment to the Circle (circleOf); zero: there shall be none any more
    function setGuardians(bytes32 patient, bytes32 circle) external;

    /// @notice Names the guardians by the controller's signed intent
    function setGuardiansBySig(SetGuardiansIntent calldata intent, bytes calldata signature) external;

    /// @notice Asks for a recovery; one that is pending is replaced, and the delay begins anew
    /// @param approvals signatures of at least `threshold` guardians, in the order of the Circle
    /// @param taken the new controller's signature: a record cannot be lost to an address nobody holds
    function recover(RecoverIntent calldata intent, Circle calldata circle, Approval[] calldata approvals, bytes calldata taken)
        external;

    /// @notice Ends a pending recovery; the caller must be the controller, and in custody the hospital must be active
    function vetoRecovery(bytes32 patient) external;

    /// @notice Ends a pending recovery by the controller's signed intent
    function vetoRecoveryBySig(VetoRecoveryIntent calldata intent, bytes calldata signature) external;

    /// @notice Completes a recovery whose delay is over: the controller changes, custody and all grants end, the guardians stay
    function completeRecovery(bytes32 patient) external;

    /// @notice What stands about a patient's guardians
    function guardiansOf(bytes32 patient) external view returns (Guardianship memory);

    /// @notice The commitment of a Circle; reverts with CircleInvalid where no recovery could be made by it
    function circleOf(Circle calldata circle) external pure returns (bytes32);
}
