// The figure of a batch, and its end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Batch } from '../../../web/batch.js';

const MIB = 1024 * 1024;
const item = (key, phase, more = {}) => ({
  key,
  name: `${key}.txt`,
  file: { size: MIB },
  loaded: 0,
  ...more,
  state: { phase, record: phase === 'available' ? { id: key } : null },
});

test('the figure of a batch only grows, whatever is tried again, added or cancelled', () => {
  const batch = new Batch();
  let last = 0;
  let now = 0;
  // A generator of its own, so that a failure can be repeated.
  let seed = 20261126;
  const random = (n) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * n);
  };
  const phases = ['queued', 'hashing', 'creating', 'sending', 'waiting', 'looking', 'completing', 'confirming'];
  for (let round = 0; round < 5000; round += 1) {
    const key = random(3 + round / 100);
    batch.follow(item(key, phases[random(phases.length)], { loaded: random(MIB) }), (now += 100));
    assert.ok(!batch.endsNow(now));
    assert.ok(batch.percent >= last && batch.percent <= 99, `${last} % became ${batch.percent} %`);
    last = batch.percent;
  }
  for (let key = 0; key < 60; key += 1) {
    batch.follow(item(key, key % 10 === 0 ? 'failed' : 'available'), (now += 100));
  }
  assert.ok(batch.endsNow(now));
  assert.deepEqual([batch.percent, batch.all, batch.through, batch.failed.length], [100, 60, 60, 6]);
  assert.ok(!batch.endsNow(now + 1), 'it ends once');
});

test('the end of a batch stays, with what arrived and what did not, until something is sent again', () => {
  const batch = new Batch();
  // As when files come together of which one isn't allowed.
  batch.follow(item('large', 'failed'), 0);
  batch.follow(item('a', 'queued'), 0);
  batch.follow(item('b', 'queued'), 0);
  batch.follow(item('c', 'queued'), 0);
  assert.ok(!batch.endsNow(0));
  batch.follow(item('c', 'cancelled'), 1);
  batch.follow(item('a', 'available'), 2);
  batch.follow(item('b', 'available'), 3);
  assert.ok(batch.endsNow(3));
  batch.follow(item('a', 'available'), 9);
  assert.ok(!batch.endsNow(9));
  assert.equal(batch.endedAt, 3);
  assert.deepEqual(batch.arrived, [{ id: 'a' }, { id: 'b' }]);
  assert.deepEqual([batch.failed, batch.cancelled], [['large.txt'], 1]);
  batch.follow(item('d', 'queued'), 10);
  assert.deepEqual([batch.isOver, batch.all, batch.percent], [false, 1, 0]);
});

test('a file that is tried again after the end is a batch of its own, and so is one that fails at once', () => {
  const batch = new Batch();
  batch.follow(item('a', 'failed'), 0);
  assert.ok(batch.endsNow(0));
  batch.follow(item('a', 'queued'), 1);
  assert.ok(!batch.isOver);
  batch.follow(item('a', 'available'), 2);
  assert.ok(batch.endsNow(2));
  assert.deepEqual([batch.arrived.length, batch.failed], [1, []]);
  batch.follow(item('b', 'failed'), 3);
  assert.ok(batch.endsNow(3));
  assert.deepEqual([batch.arrived, batch.failed], [[], ['b.txt']]);
});

test('empty files count, and the time that is left follows what goes out', () => {
  const batch = new Batch();
  for (let key = 0; key < 4; key += 1) {
    batch.follow(item(key, 'queued', { file: { size: 0 } }), 0);
  }
  batch.follow(item(0, 'available', { file: { size: 0 } }), 0);
  assert.equal(batch.percent, 25);
  assert.equal(batch.secondsLeft, null);
  const large = new Batch();
  for (let second = 0; second <= 4; second += 1) {
    large.follow(item('a', 'sending', { file: { size: 10 * MIB }, loaded: second * MIB }), second * 1000);
  }
  assert.equal(Math.round(large.secondsLeft), 6);
});
