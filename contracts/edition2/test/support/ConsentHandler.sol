// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActorRegistry} from "../../src/ActorRegistry.sol";
import {ConsentRegistry} from "../../src/ConsentRegistry.sol";
import {IActorRegistry} from "../../src/interfaces/IActorRegistry.sol";
import {IConsentRegistry} from "../../src/interfaces/IConsentRegistry.sol";
import {IGuardians} from "../../src/interfaces/IGuardians.sol";
import {Signer} from "./Signer.sol";
import {ConsentModel} from "./ConsentModel.sol";

/// @title Patient, hospital, guardians, admin, registrar, relayer and stranger do what they like, in two registries
/// @notice Each call must succeed exactly where the model says so.
contract ConsentHandler is ConsentModel {
    using Signer for *;

    struct Message {
        uint8 registry;
        bool isGrant;
        uint8 patient;
        uint8 commitment;
        uint32 epoch;
        address signer;
        bytes data;
    }

    ConsentRegistry[2] public registries;
    ActorRegistry private immutable ACTORS;
    address private immutable REGISTRAR;
    address private immutable ADMIN;
    bytes32 private immutable HOSPITAL;
    bytes32 private immutable DOCTOR;
    uint256[6] private _keys;
    IGuardians.Circle private _circle;
    Message[] private _messages;
    uint32[2] private _lastEpoch;

    constructor(
        ConsentRegistry[2] memory registries_,
        ActorRegistry actors,
        address registrar,
        address admin,
        bytes32[2] memory patients_,
        bytes32[2] memory hospitalAndDoctor,
        uint256[6] memory keys
    ) ConsentModel(patients_) {
        (registries, ACTORS, REGISTRAR, ADMIN, _keys) = (registries_, actors, registrar, admin, keys);
        (HOSPITAL, DOCTOR) = (hospitalAndDoctor[0], hospitalAndDoctor[1]);
        (_circle.salt, _circle.delay, _circle.threshold) = ("salt", 1 days, 2);
        (address a, address b) = (vm.addr(keys[4]), vm.addr(keys[5]));
        _circle.guardians.push(a < b ? a : b);
        _circle.guardians.push(a < b ? b : a);
        for (uint8 p = 0; p < 2; p++) {
            IConsentRegistry.Patient memory patient = registries_[0].patientOf(patients_[p]);
            _begin(p, patient.controller, patient.inCustody);
        }
    }

    function grant(uint8 actor, uint8 p, uint8 c) external {
        (p, c) = (p % 2, c % COMMITMENTS);
        address who = _who(actor);
        bool allowed = who == patient[p].controller && _mayGive(p) && _fresh(p, c);
        _call(_now(), who, abi.encodeCall(IConsentRegistry.grant, (patients[p], commitments[c])), allowed);
        if (allowed) _granted(p, c, who, 0);
    }

    /// The one grant that a registry with a successor does not refuse: the model does not hear of it.
    function grantLate(uint8 actor, uint8 p, uint8 c) external {
        if (!migrated) return;
        (p, c) = (p % 2, c % COMMITMENTS);
        address who = _who(actor);
        bool allowed = who == patient[p].firstController && (!patient[p].firstCustody || hospitalActive);
        allowed = allowed && slot[0][p][c].kind == Kind.None;
        _call(0, who, abi.encodeCall(IConsentRegistry.grant, (patients[p], commitments[c])), allowed);
        if (allowed) (slot[0][p][c].kind, slot[0][p][c].maker) = (Kind.Late, who);
    }

    function revoke(uint8 actor, uint8 p, uint8 c, bool inFirst) external {
        (p, c) = (p % 2, c % COMMITMENTS);
        uint8 r = inFirst ? 0 : _now();
        address who = _who(actor);
        bool allowed = (who == _controllerIn(r, p) || who == slot[r][p][c].maker) && !slot[r][p][c].revoked;
        _call(r, who, abi.encodeCall(IConsentRegistry.revoke, (patients[p], commitments[c])), allowed);
        if (allowed) _revoked(r, p, c);
    }

    function revokeAll(uint8 actor, uint8 p, bool inFirst) external {
        p = p % 2;
        uint8 r = inFirst ? 0 : _now();
        address who = _who(actor);
        bool allowed = who == _controllerIn(r, p);
        _call(r, who, abi.encodeCall(IConsentRegistry.revokeAll, (patients[p])), allowed);
        if (allowed) _allRevoked(r, p);
    }

    /// Signs a message, by whomever, for whichever registry and epoch; it may be relayed later, and again.
    function sign(uint8 signer, uint8 p, uint8 c, bool isGrant, bool inFirst, uint8 stale) external {
        (p, c) = (p % 2, c % COMMITMENTS);
        uint8 r = inFirst ? 0 : _now();
        uint32 epoch = registries[r].patientOf(patients[p]).epoch + (stale % 8 == 0 ? 1 : 0);
        bytes32 domain = registries[r].domainSeparator();
        uint256 key = _keys[signer % 6];
        bytes memory data;
        if (isGrant) {
            IConsentRegistry.GrantIntent memory g =
                IConsentRegistry.GrantIntent(patients[p], commitments[c], epoch, type(uint64).max);
            data = abi.encodeCall(IConsentRegistry.grantBySig, (g, Signer.sign(key, domain, g.hash())));
        } else {
            IConsentRegistry.RevokeIntent memory v =
                IConsentRegistry.RevokeIntent(patients[p], commitments[c], epoch, type(uint64).max);
            data = abi.encodeCall(IConsentRegistry.revokeBySig, (v, Signer.sign(key, domain, v.hash())));
        }
        _messages.push(Message(r, isGrant, p, c, epoch, vm.addr(key), data));
    }

    function relay(uint8 relayer, uint256 which, bool inFirst) external {
        if (_messages.length == 0) return;
        Message memory m = _messages[which % _messages.length];
        // Anybody may carry a message to the other registry; it is not of that one.
        uint8 r = inFirst ? 0 : _now();
        (uint8 p, uint8 c) = (m.patient, m.commitment);
        bool allowed = r == m.registry && m.signer == _controllerIn(r, p)
            && m.epoch == registries[r].patientOf(patients[p]).epoch;
        if (m.isGrant) allowed = allowed && r == _now() && _mayGive(p) && _fresh(p, c);
        else allowed = allowed && !slot[r][p][c].revoked;
        _call(r, _who(relayer), m.data, allowed);
        if (allowed && m.isGrant) _granted(p, c, m.signer, 0);
        if (allowed && !m.isGrant) _revoked(r, p, c);
    }

    function handOver(uint8 giver, uint8 taker, uint8 p) external {
        p = p % 2;
        IConsentRegistry.HandOverIntent memory i =
            IConsentRegistry.HandOverIntent(patients[p], _who(taker), _epochNow(p), type(uint64).max);
        bytes memory given = _sign(giver, i.hash());
        bytes memory taken = _sign(taker, i.hash());
        bool allowed = _who(giver) == patient[p].controller && _who(taker) != _who(giver) && _mayGive(p);
        _call(_now(), _who(3), abi.encodeCall(IConsentRegistry.handOver, (i, given, taken)), allowed);
        if (!allowed) return;
        patient[p].circle = false;
        _controllerChanged(p, _who(taker));
    }

    function setGuardians(uint8 actor, uint8 p, bool some) external {
        p = p % 2;
        address who = _who(actor);
        bytes32 circle = some ? registries[0].circleOf(_circle) : bytes32(0);
        bool allowed = who == patient[p].controller && _mayGive(p);
        _call(_now(), who, abi.encodeCall(IGuardians.setGuardians, (patients[p], circle)), allowed);
        if (allowed) (patient[p].circle, patient[p].pending) = (some, address(0));
    }

    function recover(uint8 first, uint8 second, uint8 taker, uint8 p) external {
        p = p % 2;
        uint32 round = registries[_now()].guardiansOf(patients[p]).round;
        IGuardians.RecoverIntent memory i =
            IGuardians.RecoverIntent(patients[p], _who(taker), round, _epochNow(p), type(uint64).max);
        IGuardians.Approval[] memory a = new IGuardians.Approval[](2);
        // Most of the time the guardians themselves.
        uint8 shift = vm.addr(_keys[4]) == _circle.guardians[0] ? 0 : 1;
        uint8 x = first % 4 == 0 ? second % 6 : 4 + shift;
        a[0] = IGuardians.Approval(0, _sign(x, i.hash()));
        a[1] = IGuardians.Approval(1, _sign(5 - shift, i.hash()));
        bool allowed = patient[p].circle && _who(x) == _circle.guardians[0] && _who(taker) != patient[p].controller;
        bytes memory data = abi.encodeCall(IGuardians.recover, (i, _circle, a, _sign(taker, i.hash())));
        _call(_now(), _who(3), data, allowed);
        if (allowed) (patient[p].pending, patient[p].readyAt) = (_who(taker), block.timestamp + 1 days);
    }

    function vetoRecovery(uint8 actor, uint8 p) external {
        p = p % 2;
        bool allowed = _who(actor) == patient[p].controller && patient[p].pending != address(0) && _mayGive(p);
        _call(_now(), _who(actor), abi.encodeCall(IGuardians.vetoRecovery, (patients[p])), allowed);
        if (allowed) patient[p].pending = address(0);
    }

    function completeRecovery(uint8 actor, uint8 p) external {
        p = p % 2;
        bool allowed = patient[p].pending != address(0) && block.timestamp >= patient[p].readyAt;
        _call(_now(), _who(actor), abi.encodeCall(IGuardians.completeRecovery, (patients[p])), allowed);
        if (allowed) _controllerChanged(p, patient[p].pending);
    }

    function breakGlass(uint8 p, uint8 c) external {
        (p, c) = (p % 2, c % COMMITMENTS);
        bool allowed = hospitalActive && _fresh(p, c);
        _call(_now(), REGISTRAR, abi.encodeCall(IConsentRegistry.breakGlass, (patients[p], commitments[c], DOCTOR)), allowed);
        if (allowed) _granted(p, c, address(0), block.timestamp + 4 hours);
    }

    function setHospital(bool active) external {
        if (active == hospitalActive) return;
        vm.prank(REGISTRAR);
        ACTORS.setStatus(HOSPITAL, active ? IActorRegistry.Status.Active : IActorRegistry.Status.Suspended);
        hospitalActive = active;
    }

    function warp(uint16 time) external {
        vm.warp(block.timestamp + uint256(time) + 1);
    }

    function migrate(uint8 rarely) external {
        if (migrated || rarely % 8 != 0) return;
        // A grant of the same second would be late: this is the next block.
        vm.warp(block.timestamp + 1);
        vm.prank(ADMIN);
        registries[0].setSuccessor(registries[1]);
        _migrated();
    }

    function standing(uint8 r, uint8 p, uint8 c) external view returns (IConsentRegistry.Standing) {
        return registries[r].standingOf(patients[p], commitments[c]);
    }

    function _call(uint8 r, address who, bytes memory data, bool allowed) private {
        vm.prank(who);
        (bool ok,) = address(registries[r]).call(data);
        assertEq(ok, allowed, "the model says otherwise");
        for (uint8 p = 0; p < 2; p++) {
            uint32 epoch = _epochNow(p);
            assertGe(epoch, _lastEpoch[p], "an epoch fell");
            _lastEpoch[p] = epoch;
        }
    }

    function _epochNow(uint8 p) private view returns (uint32) {
        return registries[_now()].patientOf(patients[p]).epoch;
    }

    function _who(uint8 actor) private view returns (address) {
        return vm.addr(_keys[actor % 6]);
    }

    function _sign(uint8 actor, bytes32 structHash) private view returns (bytes memory) {
        return Signer.sign(_keys[actor % 6], registries[_now()].domainSeparator(), structHash);
    }
}
