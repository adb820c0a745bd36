// The list of a box as its owner's page reads it: how far, how often, and what it makes of what is missing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoxFiles, MAX_NEVER, MAX_PAGES } from '../../../web/box_files.js';

const PAGE = 100;
const box = (more = {}) => ({ id: 'b', opensAt: null, dueAt: null, closesAt: null, overrides: [], ...more });
const idOf = (number) => String(number).padStart(6, '0');
const file = (number, more = {}) => ({ id: idOf(number), status: 'available', late: false, ...more });
const filesTo = (count) => Array.from({ length: count }, (_, at) => file(at + 1));

// A service with these files, the newest first. `away` are the pages that can't be had.
function service(files) {
  const there = { files, asked: 0, away: new Set(), now: 0 };
  const page = async (_, cursor) => {
    there.asked += 1;
    const from = Number(cursor ?? 0);
    if (there.away.has(from / PAGE)) {
      return { type: 'lost', retryAfterMs: 0 };
    }
    const all = [...there.files].sort((one, other) => (one.id < other.id ? 1 : -1));
    const end = from + PAGE;
    return { type: 'page', files: all.slice(from, end), nextCursor: end < all.length ? String(end) : null };
  };
  there.box = new BoxFiles({ files: page, now: () => there.now, after: (_, run) => setImmediate(run) });
  return there;
}

async function readBy(there, now = box(), options = {}) {
  there.asked = 0;
  const event = await there.box.read(now, options);
  return [event.type, there.asked];
}

const statusOf = (there, number) => there.box.all.find(({ id }) => id === idOf(number))?.status;

test('what is new is in the first page, and the rest isn’t read again for it', async () => {
  const there = service(filesTo(230));
  assert.deepEqual(await readBy(there), ['read', 3]);
  assert.deepEqual([there.box.all.length, there.box.isWhole], [230, true]);
  assert.deepEqual(await readBy(there), ['read', 1]);
  there.files.push(file(231));
  assert.deepEqual(await readBy(there), ['read', 2]);
  assert.equal(there.box.all.length, 231);
  assert.equal(there.box.all[0].id, idOf(231));
});

test('what is on its way is looked at each time, however many came after it', async () => {
  const there = service(filesTo(230));
  there.files[4] = file(5, { status: 'pending' });
  await readBy(there);
  assert.equal(statusOf(there, 5), 'pending');
  there.files[4] = file(5);
  assert.deepEqual(await readBy(there), ['read', 3]);
  assert.equal(statusOf(there, 5), 'available');
  assert.deepEqual(await readBy(there), ['read', 1], 'and no longer');
});

test('whoever keeps something on its way at the end of a long list makes nobody read all of it each time', async () => {
  const there = service(filesTo(1100));
  there.files[4] = file(5, { status: 'pending' });
  assert.deepEqual(await readBy(there), ['read', 11]);
  there.files[4] = file(5);
  assert.deepEqual(await readBy(there), ['read', 1]);
  there.now = 2 * 60_000 - 1;
  assert.deepEqual(await readBy(there), ['read', 1]);
  there.now += 1;
  assert.deepEqual(await readBy(there), ['read', 11]);
  assert.equal(statusOf(there, 5), 'available');
  there.files[6] = file(7, { status: 'rejected' });
  assert.deepEqual(await readBy(there, box(), { whole: true }), ['read', 11], 'when somebody asks for it');
});

test('other times of the box are a reason to read all of it again', async () => {
  const there = service(filesTo(230));
  await readBy(there);
  there.files = there.files.map((one) => ({ ...one, late: true }));
  for (const change of [{ dueAt: '2026-01-01T00:00:00Z' }, { overrides: [{ submitter: 'Ada', dueAt: null, closesAt: null }] }]) {
    assert.deepEqual(await readBy(there, box(change)), ['read', 3], JSON.stringify(change));
    assert.equal(there.box.all.filter(({ late }) => late).length, 230);
    assert.deepEqual(await readBy(there, box(change)), ['read', 1]);
  }
});

test('what was deleted leaves the list when all of it is read, and after some minutes it is', async () => {
  const there = service(filesTo(230));
  await readBy(there);
  there.files = there.files.filter(({ id }) => id !== idOf(2));
  assert.deepEqual(await readBy(there, box(), { whole: true }), ['read', 3]);
  assert.deepEqual([there.box.all.length, statusOf(there, 2)], [229, undefined]);
  there.files = there.files.filter(({ id }) => id !== idOf(3));
  there.now = 5 * 60_000;
  assert.deepEqual(await readBy(there), ['read', 3]);
  assert.equal(there.box.all.length, 228);
  // Of what is newest at once.
  there.files = there.files.filter(({ id }) => id !== idOf(230));
  await readBy(there);
  assert.equal(there.box.all.length, 227);
});

test('a list that can’t be read to its end isn’t called whole, and takes nothing from what was known', async () => {
  const there = service(filesTo(130));
  there.away.add(1);
  assert.equal((await readBy(there))[0], 'lost');
  assert.deepEqual([there.box.all.length, there.box.isWhole], [100, false]);
  there.away.clear();
  assert.equal((await readBy(there))[0], 'read');
  assert.deepEqual([there.box.all.length, there.box.isWhole], [130, true]);
  there.away.add(1);
  there.files = there.files.slice(1);
  assert.equal((await readBy(there, box(), { whole: true }))[0], 'lost');
  assert.equal(there.box.all.length, 130);
});

test('a page that couldn’t be had is asked for again, some times', async () => {
  const there = service(filesTo(130));
  there.away.add(1);
  const reading = readBy(there);
  setImmediate(() => setImmediate(() => there.away.clear()));
  assert.equal((await reading)[0], 'read');
});

test('who floods a box with what never arrives hides nothing that was handed in', async () => {
  const never = Array.from({ length: 11_303 }, (_, at) => file(at + 2, { status: 'expired' }));
  const there = service([file(1), ...never]);
  assert.deepEqual(await readBy(there), ['read', 114]);
  assert.deepEqual([there.box.isWhole, statusOf(there, 1)], [true, 'available']);
  assert.equal(there.box.all.length, 1 + MAX_NEVER);
  assert.equal(there.box.unlisted, 11_303 - MAX_NEVER);
  assert.deepEqual(await readBy(there), ['read', 1], 'nor is all of it read each time');
});

test('a list without an end is left at a bound, and not called whole', async () => {
  const there = service([]);
  const [{ id }] = [box()];
  let number = 999_999;
  const endless = new BoxFiles({
    files: async () => ({ type: 'page', files: [file((number -= 1), { status: 'expired' })], nextCursor: 'more' }),
    now: () => there.now,
    after: (_, run) => setImmediate(run),
  });
  assert.equal((await endless.read(box({ id }))).type, 'tooMany');
  assert.deepEqual([endless.isWhole, 999_999 - number], [false, MAX_PAGES]);
});

test('what is read while another box is opened, or while it is read anew, changes nothing', async () => {
  const there = service(filesTo(130));
  const first = there.box.read(box());
  there.box.reset();
  assert.equal((await first).type, 'superseded');
  assert.equal(there.box.all.length, 0);
  const [one, other] = [there.box.read(box()), there.box.read(box())];
  assert.deepEqual([(await one).type, (await other).type], ['superseded', 'read']);
});
