'use strict';
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const path = require('node:path');
const test = require('node:test');
const { keccak256, toHex } = require('viem');
const { withChain, deploy, send, mined, account, artifact } = require('../tools/lib/chain.cjs');
const { typedData } = require('../tools/lib/messages.cjs');

const vectors = (name) => require(`../../../tests/vectors/ledger2-${name}.json`);

test('the committed vectors are what their tool makes', () => {
  execFileSync('node', [path.join(__dirname, '..', 'tools', 'ledger2-vectors.cjs'), '--check']);
});

test('there is a vector of the calldata of every function of ours', () => {
  const { abi: administered } = artifact('AnchorRegistry');
  const inherited = administered.map((f) => f.name).filter((name) => !(name in vectors('calldata').AnchorRegistry));
  for (const contract of ['ActorRegistry', 'ConsentRegistry', 'AnchorRegistry']) {
    const own = artifact(contract).abi.filter((f) => f.type === 'function' && !inherited.includes(f.name) && !/^[A-Z_]+$/.test(f.name));
    for (const f of own) assert.ok(vectors('calldata')[contract][f.name], `${contract}.${f.name}`);
  }
});

test('an account of EIP-7702 revokes by the signature of its key', async () => {
  await withChain(async (client) => {
    const [admin, custody, wallet] = [account(0), account(1), account(2)];
    const id = (text) => keccak256(toHex(text));
    const deadline = 4102444800n;
    const actors = await deploy(client, admin, 'ActorRegistry', [0, admin.address, admin.address]);
    const never = '0x0000000000000000000000000000000000000000';
    const consents = await deploy(client, admin, 'ConsentRegistry', [0, admin.address, admin.address, actors.address, never]);
    const sign = (who, type, message) => who.signTypedData(typedData(type, message, 1337, { consents: consents.address }));
    await send(client, admin, actors, 'registerHospital', [id('h'), id('n'), id('a'), 'e', admin.address]);
    await send(client, admin, consents, 'registerPatient', [id('p'), custody.address, id('h')]);
    const handOver = { patient: id('p'), newController: wallet.address, epoch: 0, deadline };
    const both = [await sign(custody, 'HandOver', handOver), await sign(wallet, 'HandOver', handOver)];
    await send(client, admin, consents, 'handOver', [handOver, ...both]);
    await send(client, wallet, consents, 'grant', [id('p'), id('c')]);
    // Any code will do: this one knows no EIP-1271.
    const authorization = await client.signAuthorization({ account: wallet, contractAddress: actors.address });
    const set = await client.sendTransaction({ account: admin, to: admin.address, authorizationList: [authorization], gas: 200_000n });
    await mined(client, set, 'the authorization');
    assert.match(await client.getCode({ address: wallet.address }), /^0xef0100/);
    const revoke = { patient: id('p'), commitment: id('c'), epoch: 1, deadline };
    await send(client, admin, consents, 'revokeBySig', [revoke, await sign(wallet, 'Revoke', revoke)]);
    const call = { address: consents.address, abi: consents.abi, functionName: 'standingOf', args: [id('p'), id('c')] };
    assert.strictEqual(await client.readContract(call), 2);
  });
});
