// Writes tests/vectors/ledger2-*.json with viem and signatures written here as text: what the Solidity code must agree with, and C# and
// TypeScript code besides. `--check` writes nothing and exits 1 where a file differs.
'use strict';
const fs = require('fs');
const path = require('path');
const { encodeFunctionData, hashDomain, hashTypedData, keccak256, parseAbi, toHex } = require('viem');
const { commitment, circle, batch, head, typedData } = require('./lib/messages.cjs');
const { account } = require('./lib/chain.cjs');

const folder = path.join(__dirname, '..', '..', '..', 'tests', 'vectors');
const fill = (byte, size = 32) => `0x${byte.repeat(size)}`;
const most = (1n << 64n) - 1n;
const [one, two, three, four] = ['11', '22', '33', '44'].map((b) => fill(b));
const [alice, bob] = [fill('a1', 20), fill('b2', 20)];
const signature = `0x${'55'.repeat(64)}1b`;

function commitments() {
  const opening = (salt, notBefore, notAfter, termsHash) => ({ salt, notBefore, notAfter, termsHash });
  const openings = [
    opening(one, 0n, most, two),
    opening(one, 1700000000n, 1800000000n, two),
    opening(fill('00'), 0n, 0n, fill('00')),
    opening(fill('ff'), most, most, fill('ff')),
    opening(three, 1n, 256n, keccak256(toHex('terms'))),
  ];
  const circles = [
    { salt: one, delay: 86400n, threshold: 1, guardians: [alice] },
    { salt: two, delay: 7776000n, threshold: 2, guardians: [fill('01', 20), alice, bob] },
    { salt: three, delay: 259200n, threshold: 16, guardians: Array.from({ length: 16 }, (_, i) => toHex(i + 1, { size: 20 })) },
  ];
  return {
    format: 'docs/formats/consent-terms.md',
    openings: openings.map((o) => ({ ...o, commitment: commitment(o) })),
    circles: circles.map((c) => ({ ...c, commitment: circle(c) })),
  };
}

const deadline = 4102444800n;
const messages = {
  Grant: { patient: one, commitment: two, epoch: 3, deadline },
  GrantBatch: { patient: one, commitments: [two, three, four], epoch: 3, deadline },
  Revoke: { patient: one, commitment: two, epoch: 3, deadline },
  RevokeAll: { patient: one, epoch: 3, deadline },
  HandOver: { patient: one, newController: alice, epoch: 3, deadline },
  SetGuardians: { patient: one, circle: two, round: 5, epoch: 3, deadline },
  Recover: { patient: one, newController: alice, round: 5, epoch: 3, deadline },
  VetoRecovery: { patient: one, round: 5, epoch: 3, deadline },
  RegisterPractitioner: { id: one, registrationNumberHash: two, hospital: three, deadline },
  SetStatus: { id: one, status: 2, nonce: 7n, deadline },
  SetEncryptionKey: { id: one, key: two, nonce: 7n, deadline },
  SetOperator: { hospital: one, operator: bob, nonce: 7n, deadline },
};

async function digests() {
  const contracts = { consents: fill('c0', 20), actors: fill('ac', 20) };
  const signer = account(0);
  const of = {};
  for (const [name, message] of Object.entries(messages)) {
    const typed = typedData(name, message, 1337, contracts);
    of[name] = { message, digest: hashTypedData(typed), signature: await signer.signTypedData(typed) };
  }
  const domain = (name) => {
    const { domain: d } = typedData(name, messages[name], 1337, contracts);
    const types = { EIP712Domain: ['string name', 'string version', 'uint256 chainId', 'address verifyingContract'].map(
      (f) => ({ type: f.split(' ')[0], name: f.split(' ')[1] })) };
    return { ...d, separator: hashDomain({ domain: d, types }) };
  };
  return { format: 'EIP-712', signer: signer.address, consents: domain('Grant'), actors: domain('SetStatus'), messages: of };
}

const structs = [
  'struct Opening { bytes32 salt; uint64 notBefore; uint64 notAfter; bytes32 termsHash; }',
  'struct GrantIntent { bytes32 patient; bytes32 commitment; uint32 epoch; uint64 deadline; }',
  'struct GrantBatchIntent { bytes32 patient; bytes32[] commitments; uint32 epoch; uint64 deadline; }',
  'struct RevokeIntent { bytes32 patient; bytes32 commitment; uint32 epoch; uint64 deadline; }',
  'struct RevokeAllIntent { bytes32 patient; uint32 epoch; uint64 deadline; }',
  'struct HandOverIntent { bytes32 patient; address newController; uint32 epoch; uint64 deadline; }',
  'struct Circle { bytes32 salt; uint64 delay; uint8 threshold; address[] guardians; }',
  'struct SetGuardiansIntent { bytes32 patient; bytes32 circle; uint32 round; uint32 epoch; uint64 deadline; }',
  'struct RecoverIntent { bytes32 patient; address newController; uint32 round; uint32 epoch; uint64 deadline; }',
  'struct VetoRecoveryIntent { bytes32 patient; uint32 round; uint32 epoch; uint64 deadline; }',
  'struct Approval { uint8 guardian; bytes signature; }',
  'struct RegisterPractitionerIntent { bytes32 id; bytes32 registrationNumberHash; bytes32 hospital; uint64 deadline; }',
  'struct SetStatusIntent { bytes32 id; uint8 status; uint64 nonce; uint64 deadline; }',
  'struct SetEncryptionKeyIntent { bytes32 id; bytes32 key; uint64 nonce; uint64 deadline; }',
  'struct SetOperatorIntent { bytes32 hospital; address operator; uint64 nonce; uint64 deadline; }',
  'struct Batch { uint8 kind; bytes32 root; bytes sealedCid; }',
];
const opening = { salt: one, notBefore: 1n, notAfter: most, termsHash: two };
const guardians = { salt: one, delay: 86400n, threshold: 2, guardians: [alice, bob] };
const approvals = [{ guardian: 0, signature }, { guardian: 1, signature }];
const batches = [{ kind: 0, root: two, sealedCid: '0x0102' }, { kind: 2, root: three, sealedCid: fill('03', 64) }];
const calls = {
  ActorRegistry: {
    'registerHospital(bytes32,bytes32,bytes32,string,address)': [one, two, three, 'https://h.example/fhir', alice],
    'registerInsurer(bytes32,bytes32)': [one, two],
    'registerPractitioner(bytes32,bytes32,bytes32)': [one, two, three],
    'registerPractitionerBySig(RegisterPractitionerIntent,bytes)': [messages.RegisterPractitioner, signature],
    'setStatus(bytes32,uint8)': [one, 3],
    'setStatusBySig(SetStatusIntent,bytes)': [messages.SetStatus, signature],
    'setEncryptionKey(bytes32,bytes32)': [one, two],
    'setEncryptionKeyBySig(SetEncryptionKeyIntent,bytes)': [messages.SetEncryptionKey, signature],
    'setOperator(bytes32,address)': [one, alice],
    'setOperatorBySig(SetOperatorIntent,bytes)': [messages.SetOperator, signature],
    'bindClient(bytes32,bytes32)': [one, two],
    'unbindClient(bytes32)': [one],
    'setBreakGlassPolicy(bytes32,bytes32)': [one, two],
    'breakGlassPolicyOf(bytes32)': [one],
    'actorOf(bytes32)': [one],
    'actorOfClient(bytes32)': [one],
    'isActive(bytes32)': [one],
    'domainSeparator()': [],
  },
  ConsentRegistry: {
    'registerPatient(bytes32,address,bytes32)': [one, alice, two],
    'registerPatients(bytes32[],address,bytes32)': [[one, two], alice, three],
    'grant(bytes32,bytes32)': [one, two],
    'grantBatch(bytes32,bytes32[])': [one, [two, three]],
    'grantBySig(GrantIntent,bytes)': [messages.Grant, signature],
    'grantBatchBySig(GrantBatchIntent,bytes)': [messages.GrantBatch, signature],
    'breakGlass(bytes32,bytes32,bytes32)': [one, two, three],
    'revoke(bytes32,bytes32)': [one, two],
    'revokeBySig(RevokeIntent,bytes)': [messages.Revoke, signature],
    'revokeAll(bytes32)': [one],
    'revokeAllBySig(RevokeAllIntent,bytes)': [messages.RevokeAll, signature],
    'handOver(HandOverIntent,bytes,bytes)': [messages.HandOver, signature, signature],
    'moveCustody(bytes32,address,bytes32)': [one, alice, two],
    'setSuccessor(address)': [alice],
    'setGuardians(bytes32,bytes32)': [one, two],
    'setGuardiansBySig(SetGuardiansIntent,bytes)': [messages.SetGuardians, signature],
    'recover(RecoverIntent,Circle,Approval[],bytes)': [messages.Recover, guardians, approvals, signature],
    'vetoRecovery(bytes32)': [one],
    'vetoRecoveryBySig(VetoRecoveryIntent,bytes)': [messages.VetoRecovery, signature],
    'completeRecovery(bytes32)': [one],
    'check(bytes32,Opening)': [one, opening],
    'standingOf(bytes32,bytes32)': [one, two],
    'commitmentOf(Opening)': [opening],
    'patientOf(bytes32)': [one],
    'grantOf(bytes32,bytes32)': [one, two],
    'guardiansOf(bytes32)': [one],
    'circleOf(Circle)': [guardians],
    'successor()': [],
    'succeededAt()': [],
    'PREDECESSOR()': [],
    'domainSeparator()': [],
  },
  AnchorRegistry: {
    'anchor(bytes32,bytes32,uint8,bytes32,bytes)': [one, two, 1, three, '0x0102'],
    'anchorMany(bytes32,bytes32,Batch[])': [one, two, batches],
    'headOf(bytes32)': [one],
    'verify(bytes32,bytes32,uint8,bytes32,bytes32,bytes32[])': [one, two, 0, three, four, [one, two]],
    'batchOf(uint8,bytes32,bytes32)': [2, one, two],
    'verifyLeaf(bytes32,bytes32,uint32,uint32,bytes32[])': [one, two, 3, 16, [three, four]],
    'leafOf(bytes32,bytes32,bytes32)': [one, two, three],
  },
};

function calldata() {
  const encode = ([text, args]) => {
    const name = text.slice(0, text.indexOf('('));
    const abi = parseAbi([...structs, `function ${text}`]);
    return [name, { function: text, args, calldata: encodeFunctionData({ abi, functionName: name, args }) }];
  };
  const all = Object.entries(calls).map(([contract, of]) => [contract, Object.fromEntries(Object.entries(of).map(encode))]);
  return { format: 'Solidity ABI; structs are tuples in the order of their fields', ...Object.fromEntries(all) };
}

function anchors() {
  let at = fill('00');
  const chain = [0, 0, 1, 2, 0].map((kind, i) => {
    const root = keccak256(toHex(`root ${i}`));
    const sealedCid = i === 3 ? '0x' : toHex(`sealed cid ${i}`);
    const hash = batch(kind, root, sealedCid);
    const before = at;
    at = head(before, hash);
    return { kind, root, sealedCid, sealedCidHash: keccak256(sealedCid), headBefore: before, batch: hash, head: at };
  });
  return { format: 'docs/formats/anchor.md', total: chain.length, chain };
}

async function main() {
  const files = { commitments: commitments(), messages: await digests(), calldata: calldata(), anchors: anchors() };
  let differs = false;
  for (const [name, value] of Object.entries(files)) {
    const file = path.join(folder, `ledger2-${name}.json`);
    // Numbers that JSON cannot hold exactly are texts.
    const text = JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? v.toString() : v), 1) + '\n';
    if (!process.argv.includes('--check')) fs.writeFileSync(file, text);
    else if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) {
      differs = true;
      process.stderr.write(`${file} differs from what tools/ledger2-vectors.cjs makes\n`);
    }
  }
  process.exitCode = differs ? 1 : 0;
}

main();
