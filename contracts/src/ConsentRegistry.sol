// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IActorRegistry} from "./interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {ConsentIntents} from "./ConsentIntents.sol";

/// @title See IConsentRegistry: the interface is the manual
contract ConsentRegistry is IConsentRegistry, AccessControl {
    using ConsentIntents for *;

    /// @notice May register patients
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    /// @notice Longest time from now that broken glass stays open
    uint64 public constant GLASS_LIMIT = 4 hours + 10 minutes;

    /// @notice Where custodians are looked up
    IActorRegistry public immutable ACTORS;

    mapping(bytes32 patient => Patient) private _patients;
    mapping(bytes32 patient => mapping(bytes32 commitment => Grant)) private _grants;
    mapping(address signer => mapping(uint256 word => uint256 bits)) private _usedNonces;

    constructor(address admin, IActorRegistry actors) {
        if (admin == address(0) || address(actors) == address(0)) revert ZeroValue();
        ACTORS = actors;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(REGISTRAR_ROLE, admin);
    }

    /// @inheritdoc IConsentRegistry
    function registerPatient(bytes32 patient, address controller, bytes32 custodian) external onlyRole(REGISTRAR_ROLE) {
        if (patient == 0 || controller == address(0)) revert ZeroValue();
        if (_patients[patient].controller != address(0)) revert PatientExists(patient);
        if (ACTORS.actorOf(custodian).kind != IActorRegistry.Kind.Hospital || !ACTORS.isActive(custodian)) {
            revert CustodianNotActive(custodian);
        }
        _patients[patient] = Patient(controller, 0, custodian);
        emit PatientRegistered(patient, controller, custodian);
    }

    /// @inheritdoc IConsentRegistry
    function grant(bytes32 patient, bytes32 commitment, uint64 notBefore, uint64 notAfter) external {
        _onlyController(patient);
        _grant(patient, commitment, notBefore, notAfter);
    }

    /// @inheritdoc IConsentRegistry
    function grantBySig(GrantIntent calldata intent, bytes calldata signature) external {
        _useIntent(_controllerOf(intent.patient), intent.hash(), intent.nonce, intent.deadline, signature);
        _grant(intent.patient, intent.commitment, intent.notBefore, intent.notAfter);
    }

    /// @inheritdoc IConsentRegistry
    function breakGlass(bytes32 patient, bytes32 commitment, uint64 notBefore, uint64 notAfter)
        external
        onlyRole(REGISTRAR_ROLE)
    {
        _controllerOf(patient);
        bytes32 custodian = _patients[patient].custodian;
        if (!ACTORS.isActive(custodian)) revert CustodianNotActive(custodian);
        if (ACTORS.breakGlassPolicyOf(custodian) == 0) revert NoBreakGlassPolicy(custodian);
        if (notAfter > block.timestamp + GLASS_LIMIT) revert GlassTooLong(notAfter);
        _grant(patient, commitment, notBefore, notAfter);
        emit GlassBroken(patient, commitment);
    }

    /// @inheritdoc IConsentRegistry
    function revoke(bytes32 patient, bytes32 commitment) external {
        _onlyController(patient);
        _revoke(patient, commitment);
    }

    /// @inheritdoc IConsentRegistry
    function revokeBySig(RevokeIntent calldata intent, bytes calldata signature) external {
        _useIntent(_controllerOf(intent.patient), intent.hash(), intent.nonce, intent.deadline, signature);
        _revoke(intent.patient, intent.commitment);
    }

    /// @inheritdoc IConsentRegistry
    function revokeAll(bytes32 patient) external {
        _onlyController(patient);
        _revokeAll(patient);
    }

    /// @inheritdoc IConsentRegistry
    function revokeAllBySig(RevokeAllIntent calldata intent, bytes calldata signature) external {
        _useIntent(_controllerOf(intent.patient), intent.hash(), intent.nonce, intent.deadline, signature);
        _revokeAll(intent.patient);
    }

    /// @inheritdoc IConsentRegistry
    function handOver(HandOverIntent calldata intent, bytes calldata given, bytes calldata taken) external {
        address from = _controllerOf(intent.patient);
        if (intent.newController == address(0)) revert ZeroValue();
        bytes32 structHash = intent.hash();
        _useIntent(from, structHash, intent.nonce, intent.deadline, given);
        _checkSignature(intent.newController, structHash, taken);
        _patients[intent.patient].controller = intent.newController;
        emit ControllerChanged(intent.patient, from, intent.newController);
    }

    /// @inheritdoc IConsentRegistry
    function patientOf(bytes32 patient) external view returns (Patient memory) {
        return _patients[patient];
    }

    /// @inheritdoc IConsentRegistry
    function grantOf(bytes32 patient, bytes32 commitment) external view returns (Grant memory) {
        return _grants[patient][commitment];
    }

    /// @inheritdoc IConsentRegistry
    function isPermitted(bytes32 patient, bytes32 commitment) external view returns (bool) {
        Grant storage g = _grants[patient][commitment];
        return g.status == Status.Active && g.epoch == _patients[patient].epoch && block.timestamp >= g.notBefore
            && block.timestamp <= g.notAfter;
    }

    /// @inheritdoc IConsentRegistry
    function domainSeparator() public view returns (bytes32) {
        // Not cached: after a chain split the chain id changes, and a signature must not count on both sides.
        return ConsentIntents.domain(address(this));
    }

    function _grant(bytes32 patient, bytes32 commitment, uint64 notBefore, uint64 notAfter) private {
        if (commitment == 0) revert ZeroValue();
        if (notAfter < notBefore || notAfter < block.timestamp) revert PeriodInvalid(notBefore, notAfter);
        if (_grants[patient][commitment].status != Status.None) revert GrantExists(commitment);
        uint64 epoch = _patients[patient].epoch;
        _grants[patient][commitment] = Grant(Status.Active, notBefore, notAfter, epoch);
        emit ConsentGranted(patient, commitment, notBefore, notAfter, epoch);
    }

    function _revoke(bytes32 patient, bytes32 commitment) private {
        Grant storage g = _grants[patient][commitment];
        if (g.status != Status.Active) revert GrantNotActive(commitment);
        g.status = Status.Revoked;
        emit ConsentRevoked(patient, commitment);
    }

    function _revokeAll(bytes32 patient) private {
        uint64 epoch = ++_patients[patient].epoch;
        emit AllConsentsRevoked(patient, epoch);
    }

    function _controllerOf(bytes32 patient) private view returns (address controller) {
        controller = _patients[patient].controller;
        if (controller == address(0)) revert PatientUnknown(patient);
    }

    function _onlyController(bytes32 patient) private view {
        if (_controllerOf(patient) != msg.sender) revert NotController(msg.sender);
    }

    function _useIntent(address signer, bytes32 structHash, uint256 nonce, uint256 deadline, bytes calldata signature)
        private
    {
        if (block.timestamp > deadline) revert IntentExpired(deadline);
        uint256 bit = 1 << (nonce & 0xff);
        uint256 bits = _usedNonces[signer][nonce >> 8];
        if (bits & bit != 0) revert NonceUsed(nonce);
        // Marked before the signature check: a contract wallet is called there and must not re-enter with the same intent.
        _usedNonces[signer][nonce >> 8] = bits | bit;
        _checkSignature(signer, structHash, signature);
    }

    function _checkSignature(address signer, bytes32 structHash, bytes calldata signature) private view {
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domainSeparator(), structHash));
        if (signer.code.length == 0) {
            (address recovered, ECDSA.RecoverError error,) = ECDSA.tryRecover(digest, signature);
            if (error != ECDSA.RecoverError.NoError || recovered != signer) revert SignatureInvalid(signer);
            return;
        }
        // EIP-1271: a contract wallet says itself whether the signature is its own.
        (bool ok, bytes memory answer) = signer.staticcall(abi.encodeCall(IERC1271.isValidSignature, (digest, signature)));
        if (!ok || answer.length != 32 || abi.decode(answer, (bytes32)) != IERC1271.isValidSignature.selector) {
            revert SignatureInvalid(signer);
        }
    }
}
