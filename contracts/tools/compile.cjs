// Compiles the contracts with the npm solc and the settings of foundry.toml, and writes artifacts/NAME.json
// (abi, bytecode). `--check` writes nothing and exits 1 where an artifact differs.
'use strict';
const fs = require('fs');
const path = require('path');
const solc = require('solc');

const root = path.join(__dirname, '..');
const editions = [root, path.join(root, 'edition2')];
const contracts = ['ActorRegistry', 'ConsentRegistry', 'AnchorRegistry'];

// The contracts of a folder, by name.
function compile(folder) {
  const read = (file) => fs.readFileSync(path.join(folder, file), 'utf8');
  const resolveImport = (name) => {
    try {
      return { contents: name.startsWith('@') ? fs.readFileSync(path.join(root, 'node_modules', name), 'utf8') : read(name) };
    } catch (e) {
      return { error: e.message };
    }
  };
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries(contracts.map((name) => [`src/${name}.sol`, { content: read(`src/${name}.sol`) }])),
    settings: {
      evmVersion: 'paris',
      optimizer: { enabled: true, runs: 1000 },
      metadata: { bytecodeHash: 'none', appendCBOR: false },
      outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: resolveImport }));
  const errors = (output.errors ?? []).filter((e) => e.severity === 'error');
  if (errors.length > 0) throw new Error(errors.map((e) => e.formattedMessage).join('\n'));
  return Object.fromEntries(
    contracts.map((name) => {
      const { abi, evm } = output.contracts[`src/${name}.sol`][name];
      const artifact = { contractName: name, compiler: solc.version(), abi, bytecode: '0x' + evm.bytecode.object };
      return [name, JSON.stringify(artifact, null, 1) + '\n'];
    }),
  );
}

function main() {
  const check = process.argv.includes('--check');
  let differs = false;
  for (const folder of editions) {
    fs.mkdirSync(path.join(folder, 'artifacts'), { recursive: true });
    for (const [name, text] of Object.entries(compile(folder))) {
      const file = path.join(folder, 'artifacts', `${name}.json`);
      if (!check) {
        fs.writeFileSync(file, text);
      } else if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) {
        differs = true;
        process.stderr.write(`${file} differs from its source: run 'npm run compile' in contracts/\n`);
      }
    }
  }
  process.exit(differs ? 1 : 0);
}

if (require.main === module) main();
module.exports = { compile, editions };
