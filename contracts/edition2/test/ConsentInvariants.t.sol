// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ConsentRegistry} from "../src/ConsentRegistry.sol";
import {IConsentRegistry} from "../src/interfaces/IConsentRegistry.sol";
import {ConsentFixture} from "./support/ConsentFixture.sol";
import {ConsentHandler} from "./support/ConsentHandler.sol";

/// @dev The handler asserts of each call that it succeeds exactly for whom the model lets it: nobody but the controller or its signature
/// grants, revokes or names guardians; custody gives only while the hospital is active; a recovery is never complete before its delay;
/// a message counts once, in its epoch and registry; a commitment is granted once; an epoch never falls.
contract ConsentInvariantsTest is ConsentFixture {
    ConsentHandler private handler;

    function setUp() public override {
        super.setUp();
        ConsentRegistry next = new ConsentRegistry(1 days, admin, registrar, actors, consents);
        uint256[6] memory keys =
            [walletKey, custodyKey, nextWalletKey, uint256(keccak256("stranger")), uint256(keccak256("g1")), uint256(keccak256("g2"))];
        handler = new ConsentHandler(
            [consents, next], actors, registrar, admin, [PATIENT, IN_CUSTODY], [HOSPITAL, DOCTOR], keys
        );
        targetContract(address(handler));
    }

    function invariant_whatStands_isWhatTheModelSays() public view {
        aGrantPermitsExactlyWhileItStands();
        aRegistryWithASuccessorPermitsNothingThatThisOneDoesNot();
        theControllerIsWhomTheModelSays();
    }

    function aGrantPermitsExactlyWhileItStands() private view {
        uint8 r = handler.migrated() ? 1 : 0;
        for (uint8 p = 0; p < 2; p++) {
            for (uint8 c = 0; c < handler.COMMITMENTS(); c++) {
                bool permits = handler.standing(r, p, c) == IConsentRegistry.Standing.Permitted;
                assertEq(permits, handler.permits(p, c));
            }
        }
    }

    function aRegistryWithASuccessorPermitsNothingThatThisOneDoesNot() private view {
        if (!handler.migrated()) return;
        for (uint8 p = 0; p < 2; p++) {
            for (uint8 c = 0; c < handler.COMMITMENTS(); c++) {
                if (handler.standing(0, p, c) == IConsentRegistry.Standing.Permitted) assertTrue(handler.permits(p, c));
            }
        }
    }

    function theControllerIsWhomTheModelSays() private view {
        ConsentRegistry registry = handler.registries(handler.migrated() ? 1 : 0);
        for (uint8 p = 0; p < 2; p++) {
            (address controller, bool custody,,,,,,,) = handler.patient(p);
            IConsentRegistry.Patient memory patient = registry.patientOf(handler.patients(p));
            assertEq(patient.controller, controller);
            assertEq(patient.inCustody, custody);
            assertEq(patient.custodian, HOSPITAL);
        }
    }
}
