// How much somebody has taken of what they may have: what the page says of it, and when it asks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Format } from '../../../web/format.js';
import { strings as de } from '../../../web/strings.de.js';
import { strings as en } from '../../../web/strings.en.js';
import { UseLine } from '../../../web/use_line.js';

const GIB = 1024 ** 3;

function lineIn(strings, locale) {
  const classes = new Set();
  const root = { textContent: '', hidden: true, classList: { toggle: (name, is) => (is ? classes.add(name) : classes.delete(name)) } };
  const timers = [];
  const asked = [];
  const ask = () => new Promise((answer) => asked.push(answer));
  const after = (_, run) => timers.push(run);
  const line = new UseLine(root, { strings, format: new Format({ strings, locale }), ask, after });
  return { root, classes, line, timers, asked };
}

test('it says how much is taken of what there may be, of bytes, of files or of both, in both languages', () => {
  const use = (used, limit) => ({ used, limit });
  const bytes = use(3.2 * GIB, 10 * GIB);
  for (const [quota, english, german] of [
    [{ bytes, files: use(12, 100) }, '3.2 GB of 10 GB used, 12 of 100 files', '3,2 GB von 10 GB belegt, 12 von 100 Dateien'],
    [{ bytes, files: null }, '3.2 GB of 10 GB used', '3,2 GB von 10 GB belegt'],
    [{ bytes: null, files: use(1200, 10_000) }, '1,200 of 10,000 files used', '1.200 von 10.000 Dateien belegt'],
    [{ bytes: null, files: use(0, 1) }, '0 of 1 file used', '0 von 1 Datei belegt'],
    [{ bytes: use(0, GIB), files: use(1, 1) }, '0 bytes of 1 GB used, 1 of 1 file', '0 Bytes von 1 GB belegt, 1 von 1 Datei'],
    // Where both would look the same, to the byte.
    [{ bytes: use(GIB - 1, GIB), files: null }, '1,073,741,823 bytes of 1,073,741,824 bytes used', '1.073.741.823 Bytes von 1.073.741.824 Bytes belegt'],
  ]) {
    for (const [strings, locale, expected] of [
      [en, 'en-GB', english],
      [de, 'de-DE', german],
    ]) {
      const { root, line } = lineIn(strings, locale);
      line.show(quota);
      assert.deepEqual([root.textContent, root.hidden], [expected, false]);
    }
  }
});

test('where nothing more fits it looks so, and where nothing is bounded, or nonsense is said, nothing is there', () => {
  const { root, classes, line } = lineIn(en, 'en-GB');
  line.show({ bytes: { used: 5, limit: 10 }, files: { used: 3, limit: 3 } });
  assert.ok(classes.has('is-full'));
  line.show({ bytes: { used: 5, limit: 10 }, files: { used: 2, limit: 3 } });
  assert.ok(!classes.has('is-full'));
  for (const quota of [null, {}, { bytes: null, files: null }, { bytes: { used: '5' }, files: 7 }]) {
    line.show(quota);
    assert.deepEqual([root.textContent, root.hidden], ['', true], JSON.stringify(quota));
  }
});

test('it asks again when other files count than before, once for all that change together, one question at a time', async () => {
  const { line, timers, asked } = lineIn(en, 'en-GB');
  const file = (size, status = 'available') => ({ size, status });
  const settle = () => new Promise(setImmediate);
  line.look([file(1)]);
  line.look([file(1)]);
  // What never counted, or no longer does.
  line.look([file(1), file(7, 'rejected'), file(8, 'expired')]);
  assert.equal(timers.length, 0, 'what was there first needs no question');
  line.look([file(1), file(2, 'pending')]);
  line.look([file(1), file(2, 'pending'), file(3)]);
  assert.equal(timers.length, 1);
  void timers[0]();
  assert.equal(asked.length, 1);
  // While that is asked.
  line.look([file(1)]);
  line.look([]);
  assert.equal(timers.length, 1);
  asked[0]();
  await settle();
  assert.equal(timers.length, 2);
  void timers[1]();
  asked[1]();
  await settle();
  assert.deepEqual([timers.length, asked.length], [2, 2]);
});
