// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {ActorRegistry} from "../src/ActorRegistry.sol";
import {IActorRegistry} from "../src/interfaces/IActorRegistry.sol";
import {Signer} from "./support/Signer.sol";

/// @title The registrar, two operators and a stranger set the status of two hospitals and four practitioners, also by signature
contract ActorHandler is Test {
    using Signer for *;

    ActorRegistry public immutable ACTORS;
    address private immutable REGISTRAR;
    uint256[3] private _keys;
    mapping(uint8 actor => bool) public struckOff;
    mapping(uint8 actor => bool) public heldByRegistrar;
    IActorRegistry.SetStatusIntent[] private _intents;
    bytes[] private _signatures;

    constructor(ActorRegistry actors, address registrar, uint256[3] memory keys) {
        (ACTORS, REGISTRAR, _keys) = (actors, registrar, keys);
    }

    /// Actors 0 and 1 are hospitals; 2 and 3 are practitioners of the first, 4 and 5 of the second.
    function id(uint8 actor) public pure returns (bytes32) {
        return bytes32(uint256(actor) + 1);
    }

    function byRegistrar(uint8 actor, uint8 status) external {
        (actor, status) = (actor % 6, status % 4);
        // Striking off is rare, or nobody would be left.
        if (status == 3 && uint256(keccak256(abi.encode(block.timestamp, actor))) % 8 != 0) status = 2;
        _set(REGISTRAR, actor, status, true);
    }

    function byOther(uint8 caller, uint8 actor, uint8 status) external {
        _set(vm.addr(_keys[caller % 3]), actor % 6, status % 4, false);
    }

    function sign(uint8 signer, uint8 actor, uint8 status, uint8 ahead) external {
        actor = actor % 6;
        uint64 nonce = ACTORS.actorOf(id(_hospitalOf(actor))).nonce + ahead % 2;
        IActorRegistry.SetStatusIntent memory i =
            IActorRegistry.SetStatusIntent(id(actor), IActorRegistry.Status(status % 4), nonce, type(uint64).max);
        _intents.push(i);
        _signatures.push(Signer.sign(_keys[signer % 3], ACTORS.domainSeparator(), i.hash()));
    }

    function relay(uint256 which) external {
        if (_intents.length == 0) return;
        which = which % _intents.length;
        IActorRegistry.SetStatusIntent memory i = _intents[which];
        uint64 nonce = ACTORS.actorOf(id(_hospitalOf(uint8(uint256(i.id)) - 1))).nonce;
        try ACTORS.setStatusBySig(i, _signatures[which]) {
            assertEq(i.nonce, nonce);
            _wasSet(uint8(uint256(i.id)) - 1, uint8(i.status), false);
        } catch {}
    }

    function pass() external {
        vm.warp(block.timestamp + 1);
    }

    function _set(address caller, uint8 actor, uint8 status, bool registrar) private {
        IActorRegistry.Actor memory was = ACTORS.actorOf(id(actor));
        bool own = actor > 1 && ACTORS.actorOf(was.hospital).operator == caller;
        vm.prank(caller);
        try ACTORS.setStatus(id(actor), IActorRegistry.Status(status)) {
            assertTrue(registrar || own);
            assertTrue(was.status != IActorRegistry.Status.StruckOff);
            _wasSet(actor, status, registrar);
        } catch {}
    }

    function _wasSet(uint8 actor, uint8 status, bool registrar) private {
        assertFalse(struckOff[actor], "nothing leads back");
        if (registrar) {
            (struckOff[actor], heldByRegistrar[actor]) = (status == 3, status == 2);
        } else {
            assertFalse(heldByRegistrar[actor], "the registrar's suspension was overruled");
            assertTrue(actor > 1 && status != 3);
        }
    }

    function _hospitalOf(uint8 actor) private pure returns (uint8) {
        return actor < 2 ? actor : actor / 2 - 1;
    }
}

contract ActorInvariantsTest is Test {
    ActorHandler private handler;
    ActorRegistry private actors;

    function setUp() public {
        uint256[3] memory keys = [uint256(keccak256("operator 1")), uint256(keccak256("operator 2")), uint256(keccak256("stranger"))];
        address registrar = makeAddr("registrar");
        actors = new ActorRegistry(1 days, makeAddr("admin"), registrar);
        handler = new ActorHandler(actors, registrar, keys);
        for (uint8 h = 0; h < 2; h++) {
            bytes32 hospital = handler.id(h);
            vm.prank(registrar);
            actors.registerHospital(hospital, "n", "a", "e", vm.addr(keys[h]));
            for (uint8 d = 2 + 2 * h; d < 4 + 2 * h; d++) {
                bytes32 practitioner = handler.id(d);
                vm.prank(vm.addr(keys[h]));
                actors.registerPractitioner(practitioner, "n", hospital);
            }
        }
        targetContract(address(handler));
    }

    function invariant_whoMayAct_isWhomNobodyAboveHolds() public view {
        whoWasStruckOffOrIsHeldByTheRegistrarIsNeverActive();
        aPractitionerIsActiveOnlyWhileTheHospitalIs();
    }

    function whoWasStruckOffOrIsHeldByTheRegistrarIsNeverActive() private view {
        for (uint8 a = 0; a < 6; a++) {
            if (handler.struckOff(a) || handler.heldByRegistrar(a)) assertFalse(actors.isActive(handler.id(a)));
            if (handler.struckOff(a)) {
                assertEq(uint8(actors.actorOf(handler.id(a)).status), uint8(IActorRegistry.Status.StruckOff));
            }
        }
    }

    function aPractitionerIsActiveOnlyWhileTheHospitalIs() private view {
        for (uint8 a = 2; a < 6; a++) {
            if (actors.isActive(handler.id(a))) assertTrue(actors.isActive(actors.actorOf(handler.id(a)).hospital));
        }
    }
}
