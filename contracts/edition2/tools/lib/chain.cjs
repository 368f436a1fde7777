// An anvil of one's own, and calls of the contracts on it.
'use strict';
const fs = require('fs');
const net = require('net');
const path = require('path');
const { spawn } = require('child_process');
const viem = require('viem');
const { mnemonicToAccount } = require('viem/accounts');

const root = path.join(__dirname, '..', '..');
const chain = { id: 1337, name: 'pmr', nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 }, rpcUrls: { default: { http: [] } } };
const account = (i) => mnemonicToAccount('test test test test test test test test test test test junk', { addressIndex: i });
const artifact = (name) => JSON.parse(fs.readFileSync(path.join(root, 'artifacts', `${name}.json`), 'utf8'));

const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

// Runs work on a new chain whose first block has a fixed time, and stops the node whatever happens.
async function withChain(work) {
  const port = await freePort();
  const flags = `--quiet --host 127.0.0.1 -p ${port} --chain-id 1337 --hardfork prague --max-persisted-states 0 --timestamp 1800000000`;
  const node = spawn(path.join(root, '..', 'node_modules', '.bin', 'anvil'), flags.split(' '), { stdio: 'inherit' });
  try {
    const transport = viem.http(`http://127.0.0.1:${port}`, { retryCount: 40, retryDelay: 50 });
    const client = viem.createTestClient({ chain, transport, mode: 'anvil', pollingInterval: 5, cacheTime: 0 })
      .extend(viem.publicActions).extend(viem.walletActions);
    await client.getChainId();
    return await work(client);
  } finally {
    node.kill();
  }
}

async function mined(client, hash, what) {
  const receipt = await client.waitForTransactionReceipt({ hash, pollingInterval: 5 });
  if (receipt.status !== 'success') throw new Error(`${what} reverted`);
  return receipt;
}

async function deploy(client, from, name, args) {
  const { abi, bytecode } = artifact(name);
  const receipt = await mined(client, await client.deployContract({ account: from, abi, bytecode, args }), name);
  return { name, abi, address: receipt.contractAddress, gas: Number(receipt.gasUsed) };
}

// The gas limit is fixed: estimates differ from node to node, and what is used does not.
async function send(client, from, contract, functionName, args) {
  const call = { account: from, address: contract.address, abi: contract.abi, functionName, args };
  await client.simulateContract(call);
  const receipt = await mined(client, await client.writeContract({ ...call, gas: 5_000_000n }), functionName);
  return Number(receipt.gasUsed);
}

module.exports = { withChain, deploy, send, mined, account, artifact };
