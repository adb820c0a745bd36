// Receipts and files that are checked in the browser, without one.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { Api } from '../../../web/api.js';
import { compare } from '../../../web/check_file.js';
import { MAX_RECEIPT_CHARS, readReceipt, verify } from '../../../web/jws.js';

const HEADER = { alg: 'Ed25519', typ: 'file-share-receipt+jwt', kid: 'k' };
const CLAIMS = {
  iss: 'https://files.example.org',
  jti: '019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f',
  displayName: 'résumé 🎉.pdf',
  size: 5,
  sha256: 'ab'.repeat(32),
  uploadedAt: '2026-01-31T09:05:01.528Z',
  iat: 1769850360,
};

const mine = generateKeyPairSync('ed25519');
const others = generateKeyPairSync('ed25519');
const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const jwk = ({ publicKey }, kid = 'k') => ({ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'Ed25519' });

function signed(header = HEADER, claims = CLAIMS, { privateKey } = mine) {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`;
}

test('a receipt is genuine if a key of the service has signed it, and by nothing else', async () => {
  const receipt = readReceipt(`\n${signed().replaceAll('.', '.\r\n')}\n`);
  assert.deepEqual(receipt.claims, CLAIMS);
  assert.equal(receipt.text, signed());
  for (const [keys, said] of [
    [[jwk(mine)], 'genuine'],
    [[jwk(others), jwk(mine)], 'genuine'],
    [[jwk(others)], 'notGenuine'],
    [[jwk(mine, 'another')], 'notGenuine'],
    [[{ ...jwk(mine), crv: 'Ed448' }], 'notGenuine'],
    [[{ ...jwk(mine), x: 'AA' }], 'notGenuine'],
    [[], 'notGenuine'],
  ]) {
    assert.equal(await verify(receipt, keys), said);
  }
});

test('a receipt that was changed in any field isn’t genuine', async () => {
  const [header, , signature] = signed().split('.');
  for (const [field, value] of Object.entries(CLAIMS)) {
    const other = typeof value === 'number' ? value + 1 : value.replace(/.$/, field === 'sha256' ? '0' : 'Z');
    const claims = { ...CLAIMS, [field]: field === 'uploadedAt' ? '2026-01-31T09:05:01.529Z' : other };
    const receipt = readReceipt(`${header}.${part(claims)}.${signature}`);
    assert.notDeepEqual(receipt.claims, CLAIMS, field);
    assert.equal(await verify(receipt, [jwk(mine)]), 'notGenuine', field);
  }
});

test('what is no receipt is none, whatever it says of itself', () => {
  const [header, claims, signature] = signed().split('.');
  for (const text of [
    '',
    'a.b',
    'a.b.c',
    `${header}.${claims}`,
    `${header}.${claims}.`,
    `${header}.${claims}.${signature}.`,
    `${header}.${claims}.${signature}=`,
    signed({ ...HEADER, alg: 'none' }),
    signed({ ...HEADER, alg: 'HS256' }),
    signed({ ...HEADER, alg: 'EdDSA' }),
    signed({ ...HEADER, typ: 'JWT' }),
    signed({ ...HEADER, crit: ['b64'] }),
    signed({ ...HEADER, kid: 7 }),
    signed('null'),
    signed('[]'),
    signed('{'),
    signed(HEADER, 'null'),
    signed(HEADER, { ...CLAIMS, size: '5' }),
    signed(HEADER, { ...CLAIMS, size: -1 }),
    signed(HEADER, { ...CLAIMS, size: 1e300 }),
    signed(HEADER, { ...CLAIMS, sha256: 'AB'.repeat(32) }),
    signed(HEADER, { ...CLAIMS, uploadedAt: 'yesterday' }),
    signed(HEADER, { ...CLAIMS, displayName: null }),
    signed(HEADER, { ...CLAIMS, displayName: 'a'.repeat(MAX_RECEIPT_CHARS) }),
    'A'.repeat(5_000_000),
  ]) {
    assert.equal(readReceipt(text), null, text.slice(0, 100));
  }
});

test('a browser that can’t check signatures says so, and doesn’t say that one is wrong', async () => {
  const receipt = readReceipt(signed());
  assert.equal(await verify(receipt, [jwk(mine)], null), 'insecure');
  const old = {
    importKey() {
      throw new DOMException('no such algorithm', 'NotSupportedError');
    },
  };
  assert.equal(await verify(receipt, [jwk(mine)], old), 'unsupported');
});

test('a file is compared piece by piece, and not at all if it is longer', async () => {
  const content = Buffer.alloc(3 * 1024 * 1024 + 7, 'x');
  const record = { size: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  let longest = 0;
  const watched = (blob) => ({
    size: blob.size,
    slice(from, to) {
      longest = Math.max(longest, to - from);
      return blob.slice(from, to);
    },
  });
  assert.equal(await compare(watched(new Blob([content])), record), 'same');
  assert.equal(longest, 1024 * 1024);
  content[2_000_000] = 0;
  assert.equal(await compare(watched(new Blob([content])), record), 'different');
  const longer = { size: content.length + 1, slice: () => assert.fail('it was read') };
  assert.equal(await compare(longer, record), 'different');
  const gone = { size: content.length, slice: () => ({ arrayBuffer: () => Promise.reject(new Error('gone')) }) };
  assert.equal(await compare(gone, record), 'unreadable');
});

test('only the service gives receipts and keys', async (t) => {
  const { fetch } = globalThis;
  t.after(() => {
    globalThis.fetch = fetch;
  });
  const answering = (status, type, body) => {
    globalThis.fetch = async () => new Response(body, { status, headers: { 'Content-Type': type } });
    return new Api(new URL('http://service/'));
  };
  const problem = (code) => JSON.stringify({ code, detail: 'd' });
  for (const [status, type, body, said] of [
    [200, 'application/jose', 'a.b.c', 'receipt'],
    [200, 'application/jose', '', 'lost'],
    [200, 'text/html', '<html>', 'lost'],
    [502, 'application/jose', 'a.b.c', 'lost'],
    [409, 'application/problem+json', problem('receipts_unavailable'), 'refused'],
    [404, 'application/problem+json', problem('file_not_found'), 'gone'],
  ]) {
    assert.equal((await answering(status, type, body).receipt('a')).type, said, body);
  }
  for (const [status, type, body, said] of [
    [200, 'application/json', '{"keys":[]}', 'keys'],
    [200, 'application/json', '{}', 'lost'],
    [200, 'text/html', '<html>', 'lost'],
  ]) {
    assert.equal((await answering(status, type, body).receiptKeys()).type, said, body);
  }
});
