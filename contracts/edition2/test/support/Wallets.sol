// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// A contract wallet that accepts one digest.
contract Wallet1271 {
    bytes32 public accepted;

    function accept(bytes32 digest) external {
        accepted = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == accepted ? bytes4(0x1626ba7e) : bytes4(0);
    }
}

/// A contract wallet that answers every question by a call of its own choice, and then yes.
contract ReentrantWallet1271 {
    address private target;
    bytes private data;

    function plan(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        (bool ok,) = target.call(data);
        require(ok, "refused");
        return bytes4(0x1626ba7e);
    }
}

/// Contracts whose answers are none: too short, too long a revert, the right four bytes behind other ones.
contract OddWallet1271 {
    enum Answer {
        Short,
        Bomb,
        Shifted,
        True
    }

    Answer private immutable ANSWER;

    constructor(Answer answer) {
        ANSWER = answer;
    }

    fallback() external {
        Answer answer = ANSWER;
        assembly {
            mstore(0, 0x1626ba7e00000000000000000000000000000000000000000000000000000000)
            if eq(answer, 0) { return(0, 4) }
            if eq(answer, 1) { revert(0, 100000) }
            if eq(answer, 2) { mstore(0, 0x1626ba7e) }
            if eq(answer, 3) { mstore(0, 1) }
            return(0, 32)
        }
    }
}
