// The messages and hashes of the contracts, written for viem from docs/formats and the interfaces' NatSpec, and from no Solidity code.
'use strict';
const { concat, encodePacked, keccak256, pad, toHex } = require('viem');

const fields = (text) => text.split(',').map((f) => ({ type: f.split(' ')[0], name: f.split(' ')[1] }));
const types = {
  Grant: fields('bytes32 patient,bytes32 commitment,uint32 epoch,uint64 deadline'),
  GrantBatch: fields('bytes32 patient,bytes32[] commitments,uint32 epoch,uint64 deadline'),
  Revoke: fields('bytes32 patient,bytes32 commitment,uint32 epoch,uint64 deadline'),
  RevokeAll: fields('bytes32 patient,uint32 epoch,uint64 deadline'),
  HandOver: fields('bytes32 patient,address newController,uint32 epoch,uint64 deadline'),
  SetGuardians: fields('bytes32 patient,bytes32 circle,uint32 round,uint32 epoch,uint64 deadline'),
  Recover: fields('bytes32 patient,address newController,uint32 round,uint32 epoch,uint64 deadline'),
  VetoRecovery: fields('bytes32 patient,uint32 round,uint32 epoch,uint64 deadline'),
  RegisterPractitioner: fields('bytes32 id,bytes32 registrationNumberHash,bytes32 hospital,uint64 deadline'),
  SetStatus: fields('bytes32 id,uint8 status,uint64 nonce,uint64 deadline'),
  SetEncryptionKey: fields('bytes32 id,bytes32 key,uint64 nonce,uint64 deadline'),
  SetOperator: fields('bytes32 hospital,address operator,uint64 nonce,uint64 deadline'),
};
const actorMessages = ['RegisterPractitioner', 'SetStatus', 'SetEncryptionKey', 'SetOperator'];

const typedData = (primaryType, message, chainId, contracts) => ({
  domain: {
    name: actorMessages.includes(primaryType) ? 'PmrGateway Actors' : 'PmrGateway Consent',
    version: '2',
    chainId,
    verifyingContract: actorMessages.includes(primaryType) ? contracts.actors : contracts.consents,
  },
  types: { [primaryType]: types[primaryType] },
  primaryType,
  message,
});

const commitment = (o) =>
  keccak256(
    encodePacked(['bytes1', 'bytes32', 'uint64', 'uint64', 'bytes32'], ['0x03', o.salt, o.notBefore, o.notAfter, o.termsHash]),
  );

const circle = (c) =>
  keccak256(
    concat(['0x04', c.salt, toHex(c.delay, { size: 8 }), toHex(c.threshold, { size: 1 }), ...c.guardians.map((g) => pad(g, { size: 32 }))]),
  );

const batch = (kind, root, sealedCid) => keccak256(concat([toHex(kind, { size: 1 }), root, keccak256(sealedCid)]));
const head = (before, hash) => keccak256(concat([before, hash]));

module.exports = { types, typedData, commitment, circle, batch, head };
