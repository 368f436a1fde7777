'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { compile } = require('../tools/compile.cjs');

test('the committed artifacts are what the sources compile to', () => {
  const compiled = compile();
  assert.ok(Object.keys(compiled).length === 3);
  for (const [name, text] of Object.entries(compiled)) {
    const committed = fs.readFileSync(path.join(__dirname, '..', 'artifacts', `${name}.json`), 'utf8');
    assert.strictEqual(committed, text, `artifacts/${name}.json`);
  }
});

test('each contract fits into the 24,576 bytes of EIP-170', () => {
  for (const text of Object.values(compile())) {
    const { contractName, bytecode } = JSON.parse(text);
    assert.ok((bytecode.length - 2) / 2 < 24576, contractName);
  }
});
