'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { compile, editions } = require('../tools/compile.cjs');

for (const folder of editions) {
  const compiled = compile(folder);

  test(`the committed artifacts of ${path.basename(folder)} are what the sources compile to`, () => {
    assert.ok(Object.keys(compiled).length === 3);
    for (const [name, text] of Object.entries(compiled)) {
      const committed = fs.readFileSync(path.join(folder, 'artifacts', `${name}.json`), 'utf8');
      assert.strictEqual(committed, text, `artifacts/${name}.json`);
    }
  });

  test(`each contract of ${path.basename(folder)} fits into the 24,576 bytes of EIP-170`, () => {
    for (const text of Object.values(compiled)) {
      const { contractName, bytecode } = JSON.parse(text);
      assert.ok((bytecode.length - 2) / 2 < 24576, contractName);
    }
  });
}
