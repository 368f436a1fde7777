// Writes tests/vectors/envelope.json with Node's crypto: sealed bodies that the gateway must open, and broken ones that it must refuse.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const SEGMENT = 1 << 20;
const bytes = (seed, n) => {
  const parts = [];
  for (let i = 0; i * 32 < n; i++) parts.push(crypto.createHash('sha256').update(`${seed} ${i}`).digest());
  return Buffer.concat(parts).subarray(0, n);
};
const sha256 = (b) => crypto.createHash('sha256').update(b).digest('hex');

function seal(dataKey, context, plaintext, salt, prefix) {
  const key = Buffer.from(crypto.hkdfSync('sha256', dataKey, salt, Buffer.from(context), 32));
  const first = SEGMENT - 40 - 16;
  const next = SEGMENT - 16;
  const texts = [plaintext.subarray(0, first)];
  for (let at = first; at < plaintext.length; at += next) texts.push(plaintext.subarray(at, at + next));
  const segments = texts.map((text, i) => {
    const nonce = Buffer.concat([prefix, Buffer.alloc(5)]);
    nonce.writeUInt32BE(i, 7);
    nonce[11] = i === texts.length - 1 ? 1 : 0;
    const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce);
    return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
  });
  return Buffer.concat([Buffer.from([0x28]), salt, prefix, ...segments]);
}

// HKDF-Expand alone (RFC 5869, section 2.3), one block.
const expand = (prk, info) => crypto.createHmac('sha256', prk).update(Buffer.concat([Buffer.from(info), Buffer.from([1])])).digest('hex');

const vectors = [0, 1, 1000, SEGMENT - 56, SEGMENT - 55, 2 * SEGMENT - 72, 2 * SEGMENT - 71, 3_000_000].map((size, i) => {
  const [dataKey, salt, prefix] = [bytes(`key ${i}`, 32), bytes(`salt ${i}`, 32), bytes(`prefix ${i}`, 7)];
  const context = `pmr/1|Binary/vector-${i}|${i + 1}`;
  const body = seal(dataKey, context, bytes(`text ${i}`, size), salt, prefix);
  return {
    size,
    plaintext: `text ${i}`,
    context,
    dataKey: dataKey.toString('hex'),
    salt: salt.toString('hex'),
    prefix: prefix.toString('hex'),
    keyCommitment: expand(dataKey, 'pmr/1 commit'),
    bodySize: body.length,
    bodySha256: sha256(body),
    body: size <= 1000 ? body.toString('hex') : undefined,
  };
});
const good = vectors[2];
const body = Buffer.from(good.body, 'hex');
const flip = (at) => {
  const b = Buffer.from(body);
  b[at] ^= 1;
  return b;
};
const refusals = {
  'header length': flip(0),
  'salt changed': flip(1),
  'prefix changed': flip(33),
  'text changed': flip(40),
  'tag changed': flip(body.length - 1),
  'cut off': body.subarray(0, body.length - 1),
  'cut off in the header': body.subarray(0, 30),
  'bytes behind the end': Buffer.concat([body, Buffer.from([0])]),
  empty: Buffer.alloc(0),
};
const text = JSON.stringify(
  {
    format: 'docs/formats/envelope.md',
    plaintext: 'sha256(seed || " " || i) for i = 0, 1, ..., cut to size',
    vectors,
    refusals: Object.entries(refusals)
      .map(([name, b]) => ({ name, context: good.context, dataKey: good.dataKey, body: b.toString('hex') })),
  },
  null,
  1,
);
fs.writeFileSync(path.join(__dirname, '..', '..', 'tests', 'vectors', 'envelope.json'), text + '\n');
