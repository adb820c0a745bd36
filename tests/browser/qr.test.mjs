// The QR codes that the page makes, as a reader finds them: each size that there is. No browser is needed; the page's
// own dialog is in share.test.mjs. Started by tests/it/web_page.rs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QUIET_ZONE, qrCode, qrPath } from '../../web/qr.js';
import { readModules } from './qr_reader.mjs';

const LINK = 'http://192.168.100.100:8000/f/019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f';
// The most bytes that level M has room for.
const LONGEST = 2331;

test('a link is read as it was given, whatever letters it has', () => {
  for (const text of ['', 'x', LINK, 'http://[fd00::2]:8000/f/1', 'https://bücher.example/s/日本語–✓']) {
    assert.equal(readModules(qrCode(text)), text);
  }
  assert.equal(qrCode(LINK).length, 37, 'a usual link has large modules');
});

test('every size from the smallest to the largest is read', () => {
  const sizes = new Set();
  for (let length = 1; length <= LONGEST; length += length < 200 ? 6 : 23) {
    const text = 'https://files.example/s/Ab-9_'.repeat(90).slice(0, length);
    const code = qrCode(text);
    sizes.add(code.length);
    assert.equal(readModules(code), text, `${length} bytes`);
  }
  assert.equal(sizes.size, 40);
  assert.equal(readModules(qrCode('x'.repeat(LONGEST))), 'x'.repeat(LONGEST));
});

test('what has no room gives no code, and never one of a part of it', () => {
  assert.equal(qrCode('x'.repeat(LONGEST + 1)), null);
  assert.equal(qrCode('ü'.repeat(LONGEST)), null, 'bytes count, and not letters');
});

test('the path of a picture draws each dark module once, behind the light zone', () => {
  const code = qrCode(LINK);
  const drawn = code.map((row) => row.map(() => false));
  const path = qrPath(code);
  const runs = [...path.matchAll(/M(\d+) (\d+)h(\d+)v1h-(\d+)z/g)];
  assert.equal(runs.map(([run]) => run).join(''), path);
  for (const [, left, top, length, back] of runs.map((run) => run.map(Number))) {
    assert.equal(length, back);
    for (let x = left; x < left + length; x += 1) {
      assert.equal(drawn[top - QUIET_ZONE][x - QUIET_ZONE], false);
      drawn[top - QUIET_ZONE][x - QUIET_ZONE] = true;
    }
  }
  assert.deepEqual(drawn, code);
});
