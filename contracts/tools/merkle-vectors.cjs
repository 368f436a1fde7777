// Writes tests/vectors/merkle.json with an implementation of its own (recursive, RFC 9162 section 2.1), so that the C# and
// the Solidity code are held against a third one.
'use strict';
const fs = require('fs');
const path = require('path');
const { keccak256 } = require('js-sha3');

const hash = (...parts) => '0x' + keccak256(Buffer.from(parts.map((p) => p.replace('0x', '')).join(''), 'hex'));
const node = (l, r) => hash('01', l, r);

function split(count) {
  let k = 1;
  while (k * 2 < count) k *= 2;
  return k;
}

function root(leaves) {
  if (leaves.length === 1) return leaves[0];
  const k = split(leaves.length);
  return node(root(leaves.slice(0, k)), root(leaves.slice(k)));
}

function pathTo(leaves, index) {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...pathTo(leaves.slice(0, k), index), root(leaves.slice(k))]
    : [...pathTo(leaves.slice(k), index - k), root(leaves.slice(0, k))];
}

const proofs = [];
const trees = [];
for (const count of [1, 2, 3, 4, 5, 7, 8, 9, 13, 64, 100]) {
  const leaves = Array.from({ length: count }, (_, i) => hash(Buffer.from(`leaf ${count} ${i}`).toString('hex')));
  trees.push({ count, leaves, root: root(leaves) });
  for (const index of new Set([0, 1, count >> 1, count - 2, count - 1])) {
    if (index < 0 || index >= count) continue;
    const proof = { count, index, leaf: leaves[index], path: pathTo(leaves, index), root: root(leaves) };
    proofs.push({ ...proof, valid: true });
    if (count > 1) proofs.push({ ...proof, index: index === 0 ? 1 : index - 1, valid: false });
    proofs.push({ ...proof, path: [...proof.path, leaves[0]], valid: false });
    if (proof.path.length > 0) proofs.push({ ...proof, path: proof.path.slice(1), valid: false });
  }
}
const [cidDigest, keyCommitment, contentCommitment] = ['cid', 'key', 'content'].map((s) => hash(Buffer.from(s).toString('hex')));
const leaf = { cidDigest, keyCommitment, contentCommitment, hash: hash('00', cidDigest, keyCommitment, contentCommitment) };
const text = JSON.stringify({ format: 'docs/formats/anchor.md', total: proofs.length, leaf, trees, proofs }, null, 1) + '\n';
fs.writeFileSync(path.join(__dirname, '..', '..', 'tests', 'vectors', 'merkle.json'), text);
