// What each operation costs as a mined transaction: intrinsic gas, calldata and execution. Compares with gas.json and exits 1 where a
// figure grew or a goal is missed; `--write` writes gas.json.
'use strict';
const fs = require('fs');
const path = require('path');
const { keccak256, toHex } = require('viem');
const { withChain, deploy, send, account } = require('./lib/chain.cjs');
const { circle, batch, head, typedData } = require('./lib/messages.cjs');

const file = path.join(__dirname, '..', 'gas.json');
const goals = {
  'grant, wallet': 50_000,
  'grantBySig, wallet': 62_000,
  'revoke, wallet': 31_000,
  'revokeBySig, wallet': 43_000,
  'grantBatch of 50, wallet, each': 32_000,
  'anchor, after the first': 50_000,
};
const id = (text) => keccak256(toHex(text));
const many = (text, n) => Array.from({ length: n }, (_, i) => id(`${text} ${i}`));
const zero = `0x${'00'.repeat(32)}`;
const never = '0x0000000000000000000000000000000000000000';
const deadline = 4102444800n;
const accounts = Array.from({ length: 11 }, (_, i) => account(i));
const [admin, registrar, operator, custody, wallet, relayer, anchorer, next, ...guardians] = accounts;
const [hospital, other, doctor] = [id('hospital'), id('other hospital'), id('doctor')];

async function measure(client) {
  const gas = {};
  const run = async (name, from, contract, f, args, per = 1) => {
    const used = await send(client, from, contract, f, args);
    if (name) gas[name] = Math.ceil(used / per);
  };
  const deployed = async (name, args) => {
    const contract = await deploy(client, admin, name, args);
    gas[`deploy ${name}`] ??= contract.gas;
    return contract;
  };
  const actors = await deployed('ActorRegistry', [86400, admin.address, registrar.address]);
  const consents = await deployed('ConsentRegistry', [86400, admin.address, registrar.address, actors.address, never]);
  const anchors = await deployed('AnchorRegistry', [86400, admin.address, anchorer.address]);
  const at = { actors: actors.address, consents: consents.address };
  const sign = (who, type, message, where = at) => who.signTypedData(typedData(type, message, 1337, where));

  await actorGas(run, actors, sign);
  await consentGas(run, client, actors, consents, sign);
  await guardianGas(run, client, consents, sign);
  await upgradeGas(run, client, actors, consents, deployed);
  await anchorGas(run, anchors);
  return gas;
}

async function actorGas(run, actors, sign) {
  const endpoint = 'https://hospital.example/fhir';
  const first = [hospital, id('name'), id('address'), endpoint, operator.address];
  await run('registerHospital', registrar, actors, 'registerHospital', first);
  await run(null, registrar, actors, 'registerHospital', [other, id('name 2'), id('address 2'), endpoint, operator.address]);
  await run('registerInsurer', registrar, actors, 'registerInsurer', [id('insurer'), id('name 3')]);
  await run('registerPractitioner', operator, actors, 'registerPractitioner', [doctor, id('number'), hospital]);
  const practitioner = { id: id('doctor 2'), registrationNumberHash: id('number 2'), hospital, deadline };
  const by = async (type, message) => [message, await sign(operator, type, message)];
  await run('registerPractitionerBySig', relayer, actors, 'registerPractitionerBySig', await by('RegisterPractitioner', practitioner));
  await run('setStatus, operator', operator, actors, 'setStatus', [doctor, 2]);
  await run('setStatus, registrar', registrar, actors, 'setStatus', [doctor, 1]);
  const status = { id: practitioner.id, status: 2, nonce: 0n, deadline };
  await run('setStatusBySig', relayer, actors, 'setStatusBySig', await by('SetStatus', status));
  await run('setEncryptionKey, operator', operator, actors, 'setEncryptionKey', [hospital, id('key')]);
  await run('setEncryptionKeyBySig', relayer, actors, 'setEncryptionKeyBySig',
    await by('SetEncryptionKey', { id: doctor, key: id('key 2'), nonce: 1n, deadline }));
  await run('setOperator, operator', operator, actors, 'setOperator', [other, relayer.address]);
  await run('setOperatorBySig', relayer, actors, 'setOperatorBySig',
    await by('SetOperator', { hospital, operator: relayer.address, nonce: 2n, deadline }));
  await run('bindClient', registrar, actors, 'bindClient', [hospital, id('client')]);
  await run('unbindClient', registrar, actors, 'unbindClient', [id('client')]);
  await run('setBreakGlassPolicy', registrar, actors, 'setBreakGlassPolicy', [hospital, id('policy')]);
}

const [inCustody, byWallet] = [id('patient in custody'), id('patient with a wallet')];

async function consentGas(run, client, actors, consents, sign) {
  const call = (name, from, f, args, per) => run(name, from, consents, f, args, per);
  const relay = async (name, who, f, type, message, per) => call(name, relayer, f, [message, await sign(who, type, message)], per);
  await call('registerPatient', registrar, 'registerPatient', [inCustody, custody.address, hospital]);
  await call('registerPatients of 50, each', registrar, 'registerPatients', [many('patient', 50), custody.address, hospital], 50);
  await call(null, registrar, 'registerPatient', [byWallet, custody.address, hospital]);
  const handOver = { patient: byWallet, newController: wallet.address, epoch: 0n, deadline };
  const both = [await sign(custody, 'HandOver', handOver), await sign(wallet, 'HandOver', handOver)];
  await call('handOver', relayer, 'handOver', [handOver, ...both]);
  for (const [who, key, patient, epoch] of [['wallet', wallet, byWallet, 1n], ['custody', custody, inCustody, 0n]]) {
    const c = many(`grant ${who}`, 8);
    const [batch1, batch2] = [many(`batch 1 ${who}`, 50), many(`batch 2 ${who}`, 50)];
    await call(`grant, ${who}`, key, 'grant', [patient, c[0]]);
    await relay(`grantBySig, ${who}`, key, 'grantBySig', 'Grant', { patient, commitment: c[1], epoch, deadline });
    await call(`grantBatch of 50, ${who}, each`, key, 'grantBatch', [patient, batch1], 50);
    await relay(`grantBatchBySig of 50, ${who}, each`, key, 'grantBatchBySig', 'GrantBatch',
      { patient, commitments: batch2, epoch, deadline }, 50);
    await call(`breakGlass, ${who}`, registrar, 'breakGlass', [patient, c[2], doctor]);
    await call(`revoke, ${who}`, key, 'revoke', [patient, c[0]]);
    await relay(`revokeBySig, ${who}`, key, 'revokeBySig', 'Revoke', { patient, commitment: c[1], epoch, deadline });
    await call(`revoke before the grant, ${who}`, key, 'revoke', [patient, c[3]]);
    await call(`revokeAll, ${who}`, key, 'revokeAll', [patient]);
    await relay(`revokeAllBySig, ${who}`, key, 'revokeAllBySig', 'RevokeAll', { patient, epoch: epoch + 1n, deadline });
  }
}

async function guardianGas(run, client, consents, sign) {
  const patient = byWallet;
  const sorted = [...guardians].sort((a, b) => (BigInt(a.address) < BigInt(b.address) ? -1 : 1));
  const opening = { salt: id('circle'), delay: 86400n, threshold: 2, guardians: sorted.map((g) => g.address) };
  const epoch = 3n;
  await run('setGuardians', wallet, consents, 'setGuardians', [patient, circle(opening)]);
  const named = { patient, circle: circle(opening), round: 1, epoch, deadline };
  await run('setGuardiansBySig', relayer, consents, 'setGuardiansBySig', [named, await sign(wallet, 'SetGuardians', named)]);
  const recover = async (name, round) => {
    const intent = { patient, newController: next.address, round, epoch, deadline };
    const approvals = await Promise.all([0, 2].map(async (g) => ({ guardian: g, signature: await sign(sorted[g], 'Recover', intent) })));
    await run(name, relayer, consents, 'recover', [intent, opening, approvals, await sign(next, 'Recover', intent)]);
  };
  await recover('recover, 2 of 3', 2);
  await run('vetoRecovery', wallet, consents, 'vetoRecovery', [patient]);
  await recover(null, 4);
  const veto = { patient, round: 5, epoch, deadline };
  await run('vetoRecoveryBySig', relayer, consents, 'vetoRecoveryBySig', [veto, await sign(wallet, 'VetoRecovery', veto)]);
  await recover(null, 6);
  await client.increaseTime({ seconds: 86401 });
  await client.mine({ blocks: 1 });
  await run('completeRecovery', relayer, consents, 'completeRecovery', [patient]);
}

async function upgradeGas(run, client, actors, consents, deployed) {
  const [before, after] = many('grant across registries', 2);
  await run(null, next, consents, 'grant', [byWallet, before]);
  const successor = await deployed('ConsentRegistry', [86400, admin.address, registrar.address, actors.address, consents.address]);
  await run('setSuccessor', admin, consents, 'setSuccessor', [successor.address]);
  await run('successor: first grant of a patient', next, successor, 'grant', [byWallet, after]);
  await run('successor: later grant', next, successor, 'grant', [byWallet, id('third grant')]);
  await run('successor: revoke an older grant', next, successor, 'revoke', [byWallet, before]);
  await run('successor: revoke a grant of its own', next, successor, 'revoke', [byWallet, after]);
  await run(null, registrar, actors, 'setStatus', [hospital, 3]);
  await run('moveCustody', admin, successor, 'moveCustody', [id('patient 7'), wallet.address, other]);
}

async function anchorGas(run, anchors) {
  const cid = (i) => `0x${id(`cid ${i}`).slice(2)}${id(`cid tail ${i}`).slice(2)}`;
  let at = zero;
  const one = async (name, kind, i) => {
    await run(name, anchorer, anchors, 'anchor', [hospital, at, kind, id(`root ${i}`), cid(i)]);
    at = head(at, batch(kind, id(`root ${i}`), cid(i)));
  };
  await one('anchor, the first', 0, 0);
  await one('anchor, after the first', 0, 1);
  await one('anchor, audit', 1, 2);
  await one('anchor, one record', 2, 3);
  const batches = many('root of many', 10).map((root, i) => ({ kind: 0, root, sealedCid: cid(i) }));
  await run('anchorMany of 10, each', anchorer, anchors, 'anchorMany', [hospital, at, batches], 10);
}

async function main() {
  const gas = await withChain(measure);
  const write = process.argv.includes('--write');
  const before = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
  const bad = [];
  for (const [name, used] of Object.entries(gas)) {
    if (!write && !(used <= before[name])) bad.push(`${name}: ${used}, and gas.json says ${before[name] ?? 'nothing'}`);
    if (used > goals[name]) bad.push(`${name}: ${used} is over the goal of ${goals[name]}`);
    const notes = [goals[name] && `goal ${goals[name]}`, before[name] && before[name] !== used && `was ${before[name]}`];
    process.stdout.write(`${name.padEnd(44)}${String(used).padStart(10)}  ${notes.filter(Boolean).join(', ')}\n`);
  }
  if (!write) Object.keys(before).filter((name) => !(name in gas)).forEach((name) => bad.push(`${name}: not measured any more`));
  if (write) fs.writeFileSync(file, JSON.stringify(gas, null, 1) + '\n');
  bad.forEach((line) => process.stderr.write(`${line}\n`));
  process.stdout.write(`GAS ${Object.keys(gas).length} figures, ${bad.length} wrong\n`);
  process.exit(bad.length ? 1 : 0);
}

main();
