// What the page remembers of uploads, and what becomes of those that were interrupted.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interrupted } from '../../../web/interrupted.js';
import { KeptUploads } from '../../../web/kept_uploads.js';

const DIGEST = 'f'.repeat(64);
const OTHER = 'e'.repeat(64);
const DAY_MS = 24 * 60 * 60 * 1000;
const settle = () => new Promise((resolve) => setImmediate(resolve));

function memory() {
  const entries = new Map();
  return {
    entries,
    all: async () => [...entries.values()],
    put: async (entry) => void entries.set(entry.id, entry),
    remove: async (id) => void entries.delete(id),
  };
}

const file = (more = {}) => ({ size: 5, lastModified: 7, type: 'text/plain', sha256: DIGEST, ...more });
const item = (key, phase, id, more = {}) => ({
  key,
  name: `${key}.txt`,
  file: file(),
  state: { phase, id, sha256: DIGEST, upload: { url: 'https://store/?X-Amz-Signature=secret' }, ...more },
});

function keeper(store, more = {}) {
  const after = (ms, run) => setImmediate(run);
  return new KeptUploads(store, { place: '/', owner: () => '', now: () => 0, after, page: 'p', ...more });
}

test('an upload is remembered while its record waits, and forgotten when it is through', async () => {
  for (const end of ['available', 'rejected', 'cancelled']) {
    const store = memory();
    const kept = keeper(store);
    kept.follow(item('a', 'queued', null));
    assert.equal(store.entries.size, 0);
    kept.follow(item('a', 'sending', 'id1'));
    kept.follow(item('a', 'failed', 'id1'));
    assert.deepEqual([...store.entries.keys()], ['id1']);
    // As when another record took the place of the one before.
    kept.follow(item('a', 'sending', 'id2'));
    assert.deepEqual([...store.entries.keys()], ['id2'], end);
    kept.follow(item('a', end, 'id2'));
    assert.equal(store.entries.size, 0, end);
  }
});

test('nothing secret is remembered, and progress writes nothing', async () => {
  const store = memory();
  let puts = 0;
  const kept = keeper({ ...store, put: async (entry) => store.put(entry, (puts += 1)) });
  for (let n = 0; n < 100; n += 1) {
    kept.follow(item('a', 'sending', 'id1'));
  }
  assert.equal(puts, 1);
  const text = JSON.stringify([...store.entries.values()]);
  assert.ok(!/http|secret|Signature|upload/i.test(text), text);
});

test('what is remembered belongs to one person at one service, and not for ever', async () => {
  const store = memory();
  keeper(store, { owner: () => 'ann' }).follow(item('a', 'sending', 'id1'));
  keeper(store, { owner: () => 'bob' }).follow(item('b', 'sending', 'id2'));
  keeper(store, { owner: () => 'ann', place: '/other/' }).follow(item('c', 'sending', 'id3'));
  keeper(store, { owner: () => 'ann', now: () => -8 * DAY_MS }).follow(item('d', 'sending', 'id4'));
  // As another version of the page may have left it.
  store.entries.set('id5', { id: 'id5', place: '/', owner: 'ann', keptAt: 0 });
  const found = async (owner) => (await keeper(store, { owner: () => owner }).load()).entries.map(({ id }) => id);
  assert.deepEqual(await found('ann'), ['id1']);
  assert.deepEqual(await found('bob'), ['id2']);
  assert.deepEqual(await found(''), []);
  assert.ok(!store.entries.has('id4'), 'too old');
  assert.ok(store.entries.has('id3'), 'of another service, which has it');
});

test('what waits for its turn is remembered in one entry, until it has begun', async () => {
  const store = memory();
  let puts = 0;
  const kept = keeper({ ...store, put: async (entry) => store.put(entry, (puts += 1)) });
  for (let key = 0; key < 5000; key += 1) {
    kept.follow(item(key, 'queued', null));
  }
  await settle();
  assert.equal(puts, 1);
  const { queues } = await kept.load();
  assert.deepEqual([queues[0].count, queues[0].files.length], [5000, 2000], 'all are counted, and so many named');
  for (let key = 0; key < 5000; key += 1) {
    kept.follow(item(key, key % 2 ? 'hashing' : 'cancelled', null));
  }
  await settle();
  await settle();
  assert.equal(store.entries.size, 0);
});

// A page on which uploads were interrupted, with a service that says this of their records.
async function page({ entries = [], queues = [], looks = {}, held = [], others = [] }) {
  const forgotten = [];
  const resumed = [];
  const posted = [];
  const channel = { postMessage: (message) => posted.push(message) };
  const interrupted = new Interrupted(
    {
      kept: { load: async () => ({ entries, queues }), forget: (id) => forgotten.push(id) },
      look: async (id) => looks[id] ?? { type: 'seen', record: { id, status: 'pending', createdAt: '2026-11-26T23:51:00Z' } },
      watch: () => {},
      sha256: async ({ sha256 }) => sha256 ?? Promise.reject(new Error('unreadable')),
      resume: (upload) => resumed.push(upload),
      held: () => held,
      channel,
      after: (ms, run) => setImmediate(run),
    },
    () => {},
  );
  const begun = interrupted.begin();
  if (others.length > 0) {
    channel.onmessage({ data: { held: others } });
  }
  await begun;
  return { interrupted, forgotten, resumed, posted, channel };
}

const entry = (id, more = {}) => ({ id, name: `${id}.txt`, size: 5, lastModified: 7, sha256: DIGEST, ...more });
const ids = ({ interrupted }) => interrupted.items.map((one) => one.entry.id);

test('what still waits for its bytes is interrupted, and what is through is forgotten', async () => {
  const at = await page({
    entries: ['waits', 'there', 'over', 'gone', 'away', 'scanned'].map((id) => entry(id)),
    looks: {
      there: { type: 'seen', record: { id: 'there', status: 'available' } },
      over: { type: 'seen', record: { id: 'over', status: 'expired' } },
      gone: { type: 'gone' },
      away: { type: 'lost' },
      scanned: { type: 'seen', record: { id: 'scanned', status: 'pending', stage: 'scanning' } },
    },
  });
  assert.deepEqual(ids(at), ['waits', 'away']);
  assert.deepEqual(at.forgotten, ['there', 'over', 'gone']);
  at.interrupted.seen({ id: 'waits', status: 'available' });
  at.interrupted.gone('away');
  assert.deepEqual([ids(at), at.forgotten.slice(3)], [[], ['waits', 'away']]);
});

test('what another tab is sending is not interrupted, and what this one goes on with is not in the other', async () => {
  const at = await page({ entries: [entry('a'), entry('b'), entry('c')], others: ['a'], held: ['b'] });
  assert.deepEqual(ids(at), ['c']);
  assert.ok(await at.interrupted.offer('c', file()));
  assert.deepEqual(at.posted, [{ ask: true }, { held: ['c'] }]);
  at.channel.onmessage({ data: { ask: true } });
  assert.deepEqual(at.posted.at(-1), { held: ['b'] });
  const later = await page({ entries: [entry('a')] });
  later.channel.onmessage({ data: { held: ['a'] } });
  assert.deepEqual([ids(later), later.forgotten], [[], []]);
});

test('it goes on with the same bytes only, whatever the file is called by now', async () => {
  const at = await page({ entries: [entry('a')] });
  const problem = () => at.interrupted.items[0].problem;
  assert.ok(!(await at.interrupted.offer('a', file({ size: 6 }))));
  assert.deepEqual(problem(), { code: 'otherSize', size: 6, expected: 5 });
  assert.ok(!(await at.interrupted.offer('a', file({ sha256: OTHER }))));
  assert.deepEqual(problem(), { code: 'otherFile' });
  assert.ok(!(await at.interrupted.offer('a', file({ sha256: null }))));
  assert.deepEqual(problem(), { code: 'unreadable' });
  assert.deepEqual([at.resumed, ids(at)], [[], ['a']]);
  const same = file({ lastModified: 99 });
  assert.ok(await at.interrupted.offer('a', same));
  assert.deepEqual(at.resumed, [{ name: 'a.txt', file: same, id: 'a', sha256: DIGEST }]);
  assert.deepEqual([ids(at), at.forgotten], [[], []], 'it is remembered until it is through');
});

test('of files that are dropped the same ones go on, and the others are new', async () => {
  const at = await page({ entries: [entry('a'), entry('b'), entry('c')] });
  const named = [
    { name: 'a.txt', file: file() },
    { name: 'b.txt', file: file({ sha256: OTHER }) },
    { name: 'c.txt', file: file({ lastModified: 8 }) },
    { name: 'd.txt', file: file() },
  ];
  assert.deepEqual(await at.interrupted.take(named), named.slice(1));
  assert.deepEqual(at.resumed.map(({ id }) => id), ['a']);
  assert.deepEqual(at.interrupted.items.map((one) => [one.entry.id, one.problem]), [['b', null], ['c', null]]);
});

test('what never had its turn is named until it is chosen again or put away', async () => {
  const queue = (id, names) => ({ id, count: names.length, files: names.map((name) => ({ name, size: 5, lastModified: 7 })) });
  const at = await page({ queues: [queue('queue a', ['a', 'b', 'c']), queue('queue b', ['d'])], others: ['queue b'] });
  assert.deepEqual(at.interrupted.notBegun, { count: 3, names: ['a', 'b', 'c'] });
  const named = [{ name: 'a', file: file() }, { name: 'b', file: file({ size: 6 }) }];
  assert.deepEqual(await at.interrupted.take(named), named, 'they are new to the service');
  assert.deepEqual(at.interrupted.notBegun, { count: 2, names: ['b', 'c'] });
  await at.interrupted.take([{ name: 'b', file: file() }, { name: 'c', file: file() }]);
  assert.deepEqual([at.interrupted.notBegun.count, at.forgotten], [0, ['queue a']]);
  const later = await page({ queues: [queue('queue a', ['a'])] });
  later.interrupted.forgetNotBegun();
  assert.deepEqual([later.interrupted.notBegun.count, later.forgotten], [0, ['queue a']]);
});

test('what arrives or is deleted while the file is read does not go on', async () => {
  const at = await page({ entries: [entry('a')] });
  const offered = at.interrupted.offer('a', file());
  at.interrupted.gone('a');
  assert.equal(await offered, false);
  await settle();
  assert.deepEqual(at.resumed, []);
});
