// Finding, sorting and selecting in a long list, and doing the same with many files.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arrangement } from '../../../web/arrangement.js';
import { forEach } from '../../../web/for_each.js';
import { getOlderAhead } from '../../../web/older_ahead.js';
import { RowWindow } from '../../../web/row_window.js';
import { Selection } from '../../../web/selection.js';

const record = (filename, size = 1) => ({ id: filename, filename, displayName: filename, size });
const names = (records) => records.map(({ filename }) => filename);

test('files are found by parts of their names, in any order, whatever their case, accents and width', () => {
  const records = ['Résumé Anna.pdf', 'resume-bob.PDF', 'ﬁnal ２.txt', 'محاضرة ١.pdf', 'notes.md'].map((name) => record(name));
  const find = (query) => {
    const arrangement = new Arrangement('en');
    arrangement.query = query;
    return names(arrangement.of(records));
  };
  assert.deepEqual(find('RESUME'), ['Résumé Anna.pdf', 'resume-bob.PDF']);
  assert.deepEqual(find('pdf anna'), ['Résumé Anna.pdf']);
  assert.deepEqual(find('final 2'), ['ﬁnal ２.txt']);
  assert.deepEqual(find('محاضرة'), ['محاضرة ١.pdf']);
  assert.deepEqual(find('.*'), [], 'it is no pattern');
  assert.deepEqual(find('  '), names(records), 'nothing is looked for');
  assert.deepEqual(find('x'.repeat(10_000)), []);
});

test('files are sorted by name as people count, by size and by age, and never in place', () => {
  const records = [record('b 10.txt', 5), record('b 9.txt', 50), record('Ä.txt', 7)];
  const sorted = (order) => {
    const arrangement = new Arrangement('de');
    arrangement.order = order;
    return names(arrangement.of(records));
  };
  assert.deepEqual(sorted('name'), ['Ä.txt', 'b 9.txt', 'b 10.txt']);
  assert.deepEqual(sorted('largest'), ['b 9.txt', 'Ä.txt', 'b 10.txt']);
  assert.deepEqual(sorted('oldest'), ['Ä.txt', 'b 9.txt', 'b 10.txt']);
  assert.deepEqual(sorted('nonsense'), ['b 10.txt', 'b 9.txt', 'Ä.txt']);
  assert.deepEqual(names(records), ['b 10.txt', 'b 9.txt', 'Ä.txt']);
});

test('a range is selected from where one was before, and what is gone is selected no more', () => {
  const ids = ['a', 'b', 'c', 'd', 'e'];
  const selection = new Selection();
  selection.start();
  selection.set('d', true);
  selection.set('b', true, { isRange: true, ids });
  assert.deepEqual(selection.of(ids.map((id) => ({ id }))).map(({ id }) => id), ['b', 'c', 'd']);
  selection.set('c', false);
  selection.keep(['a', 'b', 'c', 'e']);
  assert.deepEqual([selection.size, selection.has('b'), selection.has('d')], [1, true, false]);
  // The one before isn't shown any more.
  selection.set('e', true, { isRange: true, ids: ['a', 'b', 'e'] });
  assert.deepEqual([selection.has('a'), selection.has('e')], [false, true]);
  selection.end();
  assert.deepEqual([selection.isOn, selection.size], [false, 0]);
});

test('the same is done with many files, three at a time, again after a pause where it must, and failures stop nothing', async () => {
  const ids = Array.from({ length: 30 }, (_, at) => at);
  let now = 0;
  let most = 0;
  const tries = new Map();
  const pauses = [];
  const done = [];
  const work = async (id) => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
    tries.set(id, (tries.get(id) ?? 0) + 1);
    if (id === 7) {
      return { type: 'refused' };
    }
    if (id === 9) {
      return { type: 'lost', retryAfterMs: 3_600_000 };
    }
    return id === 5 && tries.get(5) < 3 ? { type: 'lost' } : { type: 'deleted' };
  };
  const after = (ms, run) => {
    pauses.push(ms);
    setImmediate(run);
  };
  const failed = await forEach(ids, work, { done: 'deleted', after, onDone: (id) => done.push(id) });
  assert.deepEqual(failed.sort(), [7, 9]);
  assert.equal(done.length, 28);
  assert.equal(most, 3);
  assert.deepEqual([tries.get(7), tries.get(9), tries.get(5)], [1, 4, 3]);
  assert.ok(Math.max(...pauses) <= 30_000, `${pauses}`);
});

test('of a long list there are the rows that one sees and some around them, wherever one is', () => {
  const rows = new RowWindow();
  assert.deepEqual(rows.range(300, () => assert.fail('nothing is measured')), { from: 0, to: 300 });
  rows.measure(100, 7000);
  for (const [length, seen] of [[301, 900], [5000, 900], [10_000, 4000]]) {
    for (let top = 2000; top > -70 * length - 2000; top -= 333) {
      const { from, to } = rows.range(length, () => ({ top, seen }));
      assert.ok(from >= 0 && to <= length && from < to, `${from} to ${to} of ${length}`);
      assert.ok(to - from <= (3 * seen) / 70 + 51, `${to - from} rows`);
      // Whatever of the list is in the window is there.
      const [first, last] = [Math.floor(-top / 70), Math.ceil((-top + seen) / 70)];
      assert.ok(from <= Math.max(0, Math.min(first, length - 1)) && to >= Math.min(length, Math.max(last, 1)), `${top}: ${from} to ${to}`);
    }
  }
  assert.ok(!rows.measure(0, 0) && !rows.measure(100, 7050), 'a little more or less moves nothing');
});

test('older files are asked for where the end is near now, however many changes are told at once', async (t) => {
  let tell;
  const observed = [];
  t.after(() => delete globalThis.IntersectionObserver);
  globalThis.IntersectionObserver = class {
    constructor(hear) {
      tell = hear;
    }
    observe() {
      observed.push('observed');
    }
    unobserve() {
      observed.push('let go');
    }
  };
  const [near, far] = [{ isIntersecting: true }, { isIntersecting: false }];
  let asked = 0;
  const older = async () => {
    asked += 1;
    return asked < 3;
  };
  const pauses = [];
  const after = (pause, run) => {
    pauses.push(pause);
    run();
  };
  getOlderAhead({}, { isWanted: () => true, older, after });
  await tell([far]);
  await tell([near, far]);
  assert.equal(asked, 0, 'the end is far away again');
  await tell([far, near]);
  assert.equal(asked, 1);
  await tell([near]);
  await tell([near]);
  assert.equal(asked, 3);
  assert.deepEqual(pauses, [0, 0, 3000], 'at once as long as pages come, and later where none came');
  assert.deepEqual(observed, ['observed', ...pauses.flatMap(() => ['let go', 'observed'])], 'each time anew');
});
