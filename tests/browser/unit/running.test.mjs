// Uploads, the poller and the list's sync with a service that the test plays.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ListSync } from '../../../web/list_sync.js';
import { MAX_IN_FLIGHT, MAX_QUEUED, Uploads } from '../../../web/uploads.js';
import { PendingPoller } from '../../../web/pending_poller.js';

const DIGEST = 'f'.repeat(64);

// Lets everything that can go on go on.
const settle = () => new Promise((resolve) => setImmediate(resolve));

// A clock whose timers go off when the test says so.
function clock() {
  const timers = new Set();
  return {
    time: 0,
    now() {
      return this.time;
    },
    after(ms, run) {
      const timer = { at: this.time + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    get pending() {
      return timers.size;
    },
    async advance(ms) {
      await settle();
      const end = this.time + ms;
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!due) {
          break;
        }
        timers.delete(due);
        this.time = Math.max(this.time, due.at);
        due.run();
        await settle();
      }
      this.time = end;
      await settle();
    },
  };
}

function page({ refusal = () => null } = {}) {
  const time = clock();
  const puts = [];
  const removed = [];
  const watched = [];
  let lastId = 0;
  let lastName = 0;
  let offline = false;
  const service = {
    create: async () => {
      lastId += 1;
      return { type: 'created', id: `id${lastId}`, upload: { url: 'http://store/', deadline: Infinity } };
    },
    look: async (id) => ({ type: 'seen', record: { id, status: 'pending' } }),
    complete: async (id) => ({ type: 'seen', record: { id, status: 'available', sha256: DIGEST } }),
    renew: async () => ({ type: 'renewed', upload: { url: 'http://store/', deadline: Infinity } }),
    remove: async (id) => {
      removed.push(id);
      return { type: 'deleted' };
    },
  };
  const uploads = new Uploads(
    {
      api: service,
      put: (upload, file, onProgress) => {
        let end;
        const done = new Promise((resolve) => {
          end = (event) => resolve(event);
        });
        const put = { file, end, onProgress, aborted: false };
        puts.push(put);
        return {
          done,
          abort: () => {
            put.aborted = true;
            end({ type: 'lost' });
          },
        };
      },
      sha256: async () => DIGEST,
      refusal,
      reach: () => null,
      watch: (id) => watched.push(id),
      newName: () => `name${(lastName += 1)}`,
      now: () => time.now(),
      isOnline: () => !offline,
      after: (ms, run) => time.after(ms, run),
    },
    () => {},
  );
  const files = (n) => Array.from({ length: n }, (_, at) => ({ name: `f${at}`, file: { size: 10, type: '' } }));
  return { uploads, service, puts, removed, watched, time, files, setOffline: (is) => (offline = is) };
}

const phases = ({ uploads }) => uploads.items.map(({ state }) => state.phase);

test('a bounded number of uploads is in flight, and the others follow in their order', async () => {
  const at = page();
  at.uploads.add(at.files(10));
  await settle();
  assert.equal(at.puts.length, MAX_IN_FLIGHT);
  for (let n = 0; n < 10; n += 1) {
    assert.ok(at.puts.length <= n + MAX_IN_FLIGHT);
    at.puts[n].end({ type: 'stored' });
    await settle();
  }
  assert.deepEqual(phases(at), Array(10).fill('available'));
  assert.deepEqual(
    at.puts.map(({ file }) => file),
    at.uploads.items.map(({ file }) => file),
  );
});

test('cancelling makes room, aborts the request and removes the record', async () => {
  const at = page();
  at.uploads.add(at.files(4));
  await settle();
  at.uploads.cancel(at.uploads.items[0]);
  await settle();
  assert.ok(at.puts[0].aborted);
  assert.deepEqual(at.removed, ['id1']);
  assert.deepEqual(phases(at), ['cancelled', 'sending', 'sending', 'sending']);
});

test('a record that comes after its upload was cancelled is removed too', async () => {
  const at = page();
  let answer;
  at.service.create = () => new Promise((resolve) => (answer = resolve));
  at.uploads.add(at.files(1));
  await settle();
  at.uploads.cancel(at.uploads.items[0]);
  answer({ type: 'created', id: 'late', upload: {} });
  await settle();
  assert.deepEqual(at.removed, ['late']);
  assert.deepEqual(phases(at), ['cancelled']);
});

test('a broken connection is tried again after a pause, or at once when the network is back', async () => {
  const at = page();
  at.uploads.add(at.files(1));
  await settle();
  at.puts[0].end({ type: 'lost' });
  await settle();
  assert.deepEqual(phases(at), ['waiting']);
  await at.time.advance(999);
  assert.equal(at.puts.length, 1);
  await at.time.advance(1);
  assert.equal(at.puts.length, 2);
  at.setOffline(true);
  at.puts[1].end({ type: 'lost' });
  await settle();
  assert.ok(at.uploads.items[0].state.offline);
  at.setOffline(false);
  at.uploads.wake();
  await settle();
  assert.equal(at.puts.length, 3);
  at.puts[2].end({ type: 'stored' });
  await settle();
  assert.deepEqual(phases(at), ['available']);
  assert.equal(at.time.pending, 0, 'no timer is left over');
});

test('a creation whose answer was lost is the same request again, and another record another one', async () => {
  const at = page();
  const keys = [];
  const { create } = at.service;
  at.service.create = async (request) => {
    keys.push(request.key);
    return keys.length === 1 ? { type: 'lost' } : create();
  };
  at.uploads.add(at.files(1));
  await at.time.advance(1000);
  at.puts[0].end({ type: 'damaged' });
  await settle();
  at.uploads.cancel(at.uploads.items[0]);
  at.uploads.retry(at.uploads.items[0]);
  await settle();
  assert.equal(keys.length, 4);
  assert.equal(keys[0], keys[1]);
  assert.equal(new Set(keys).size, 3);
});

test('a hint that is not taken leaves the file to the poller', async () => {
  const at = page();
  at.service.complete = async () => ({ type: 'refused', problem: {} });
  at.uploads.add(at.files(1));
  await settle();
  at.puts[0].end({ type: 'stored' });
  await settle();
  assert.deepEqual(at.watched, ['id1']);
  assert.ok(at.uploads.owned.has('id1'));
  at.uploads.seen({ id: 'id1', status: 'rejected', reason: 'r' });
  assert.deepEqual(phases(at), ['rejected']);
});

test('leaving is a loss only while something is on its way', async () => {
  const at = page({ refusal: ({ name }) => (name === 'f1' ? { code: 'tooLarge' } : null) });
  at.uploads.add(at.files(2));
  assert.ok(at.uploads.isBusy);
  await settle();
  at.puts[0].end({ type: 'stored' });
  await settle();
  assert.ok(!at.uploads.isBusy);
  assert.equal(at.puts.length, 1, 'what isn’t allowed was never sent');
});

test('a page takes a bounded number of files', () => {
  const at = page();
  assert.equal(at.uploads.add(at.files(MAX_QUEUED + 5)), MAX_QUEUED);
  assert.equal(at.uploads.add(at.files(1)), 0);
});

function watching({ answer, isPaused = () => false }) {
  const time = clock();
  const asked = [];
  const seen = [];
  const gone = [];
  const waiting = [];
  let now = 0;
  let most = 0;
  const poller = new PendingPoller({
    look: async (id, wait) => {
      asked.push([id, wait]);
      now += 1;
      most = Math.max(most, now);
      const event = await answer(id);
      now -= 1;
      return event;
    },
    onSeen: (record) => seen.push(record.id),
    onWaiting: (record) => waiting.push(record.status),
    onGone: (id) => gone.push(id),
    now: () => time.now(),
    after: (ms, run) => time.after(ms, run),
    isPaused,
  });
  return { poller, time, asked, seen, gone, waiting, most: () => most };
}

test('pending files of others are asked about one at a time, with a long wait if it is the only one', async () => {
  const at = watching({ answer: async (id) => ({ type: 'seen', record: { id, status: 'available' } }) });
  for (let n = 0; n < 20; n += 1) {
    at.poller.watch(`f${n}`);
  }
  await at.time.advance(1);
  assert.equal(at.seen.length, 20);
  assert.equal(at.most(), 1);
  at.poller.watch('alone');
  assert.deepEqual(at.asked.at(-1), ['alone', 20]);
});

test('the page’s own uploads don’t wait for those of others', async () => {
  let answerOthers;
  const others = new Promise((resolve) => (answerOthers = resolve));
  const at = watching({
    answer: async (id) => {
      await (id.startsWith('own') ? null : others);
      return { type: 'seen', record: { id, status: 'available' } };
    },
  });
  for (let n = 0; n < 50; n += 1) {
    at.poller.watch(`f${n}`);
  }
  at.poller.watch('own', true);
  await at.time.advance(1);
  assert.deepEqual(at.seen, ['own']);
  answerOthers();
  await at.time.advance(1);
  assert.equal(at.seen.length, 51);
  assert.ok(at.most() <= 2);
});

test('a service that does not wait is asked once a second, and one that is away ever less often', async () => {
  const pending = watching({ answer: async (id) => ({ type: 'seen', record: { id, status: 'pending' } }) });
  pending.poller.watch('a');
  await pending.time.advance(10_500);
  assert.ok(pending.asked.length >= 10 && pending.asked.length <= 12, String(pending.asked.length));
  const away = watching({ answer: async () => ({ type: 'lost' }) });
  away.poller.watch('a');
  await away.time.advance(120_000);
  assert.ok(away.asked.length >= 5 && away.asked.length <= 9, String(away.asked.length));
});

test('what is in a state that is not known is followed ever less often, until it is settled', async () => {
  for (const unknown of [{ status: 'quarantined' }, { status: 'pending', stage: 'scanning' }]) {
    let record = unknown;
    const at = watching({ answer: async (id) => ({ type: 'seen', record: { id, ...record } }) });
    at.poller.watch('a', true);
    await at.time.advance(120_000);
    assert.deepEqual([at.seen, at.gone], [[], []]);
    assert.equal(at.waiting[0], unknown.status);
    assert.ok(at.asked.length >= 6 && at.asked.length <= 10, String(at.asked.length));
    record = { status: 'available' };
    await at.time.advance(30_000);
    assert.deepEqual(at.seen, ['a']);
  }
});

test('a file is gone only if the service says so, and not if asking about it is refused', async () => {
  let answer = { type: 'refused', problem: { code: 'intermediary', status: 413 } };
  const at = watching({ answer: async () => answer });
  at.poller.watch('a');
  await at.time.advance(60_000);
  assert.deepEqual([at.seen, at.gone], [[], []]);
  answer = { type: 'seen', record: { id: 'a', status: 'available' } };
  await at.time.advance(30_000);
  assert.deepEqual([at.seen, at.gone], [['a'], []]);
});

test('a tab that nobody looks at follows its own uploads only', async () => {
  let hidden = true;
  const at = watching({
    answer: async (id) => ({ type: 'seen', record: { id, status: 'available' } }),
    isPaused: () => hidden,
  });
  at.poller.watch('theirs');
  at.poller.watch('mine', true);
  await at.time.advance(5000);
  assert.deepEqual(at.seen, ['mine']);
  hidden = false;
  at.poller.wake();
  await at.time.advance(1);
  assert.deepEqual(at.seen, ['mine', 'theirs']);
});

test('a file that is gone is not asked about again', async () => {
  const at = watching({ answer: async () => ({ type: 'gone' }) });
  at.poller.watch('a');
  await at.time.advance(10_000);
  assert.deepEqual([at.asked.length, at.gone], [1, ['a']]);
});

function keeping(list) {
  const time = clock();
  const posted = [];
  const channel = { postMessage: (message) => posted.push(message) };
  let calls = 0;
  const api = {
    list: async (request) => {
      calls += 1;
      return list(request);
    },
    remove: async () => ({ type: 'deleted' }),
  };
  const listSync = new ListSync(
    { api, channel, after: (ms, run) => time.after(ms, run), isHidden: () => false },
    () => {},
  );
  return { listSync, time, posted, channel, calls: () => calls };
}

test('the list is read anew now and then, and at once when another tab says so', async () => {
  const at = keeping(async () => ({ type: 'page', files: [], nextCursor: null }));
  await at.listSync.refresh();
  await at.time.advance(30_000);
  assert.equal(at.calls(), 4);
  at.channel.onmessage({ data: { changed: 'x' } });
  await settle();
  assert.equal(at.calls(), 5);
});

test('requests for the list that come together become two at the most', async () => {
  const at = keeping(async () => ({ type: 'page', files: [], nextCursor: null }));
  await Promise.all(Array.from({ length: 20 }, () => at.listSync.refresh()));
  assert.equal(at.calls(), 2);
});

test('one answer that is missing worries nobody, two do, and the next one helps', async () => {
  let away = false;
  const at = keeping(async () => (away ? { type: 'lost' } : { type: 'page', files: [], nextCursor: null }));
  await at.listSync.refresh();
  away = true;
  await at.listSync.refresh();
  assert.ok(!at.listSync.isFailing);
  await at.listSync.refresh();
  assert.ok(at.listSync.isFailing);
  away = false;
  await at.time.advance(30_000);
  assert.ok(!at.listSync.isFailing);
});

test('what is deleted here is gone in the other tabs', async () => {
  const at = keeping(async () => ({ type: 'page', files: [{ id: '1', status: 'available' }], nextCursor: null }));
  await at.listSync.refresh();
  assert.equal((await at.listSync.remove('1')).type, 'deleted');
  assert.deepEqual(at.posted, [{ removed: '1' }]);
  assert.ok(at.listSync.list.isEmpty);
  await at.listSync.refresh();
  assert.ok(at.listSync.list.isEmpty, 'an answer from before brings nothing back');
});

const listedFile = (n) => ({ id: String(n).padStart(8, '0'), status: 'available' });

test('a page without files leads on to the next one, and takes nothing off the list', async () => {
  const pages = {
    undefined: { files: [], nextCursor: 'a' },
    a: { files: [], nextCursor: 'b' },
    b: { files: [listedFile(2), listedFile(1)], nextCursor: 'c' },
    c: { files: [], nextCursor: 'd' },
    d: { files: [listedFile(0)], nextCursor: null },
  };
  const at = keeping(async ({ cursor }) => ({ type: 'page', ...pages[cursor] }));
  await at.listSync.refresh();
  assert.deepEqual(at.listSync.list.records.map(({ id }) => Number(id)), [2, 1]);
  assert.ok(await at.listSync.older());
  assert.ok(at.listSync.list.isComplete);
  await at.listSync.refresh();
  assert.deepEqual(at.listSync.list.records.map(({ id }) => Number(id)), [2, 1, 0]);
  assert.ok(!at.listSync.isFailing);
});

test('a server whose pages never end, or whose cursors repeat, is not asked for ever', async () => {
  let n = 1_000_000;
  const servers = {
    'empty pages': () => ({ files: [], nextCursor: String((n += 1)) }),
    'one cursor': () => ({ files: [], nextCursor: 'again' }),
    'two cursors': ({ cursor }) => ({ files: [], nextCursor: cursor === 'a' ? 'b' : 'a' }),
    'the same files': () => ({ files: [listedFile(1)], nextCursor: String((n += 1)) }),
    'the same page': () => ({ files: [listedFile(1)], nextCursor: 'again' }),
    'new files': () => ({ files: [listedFile((n -= 1))], nextCursor: String(n) }),
    'new files at the top': () => ({ files: [listedFile((n += 1))], nextCursor: String(n) }),
  };
  for (const [what, answer] of Object.entries(servers)) {
    const at = keeping(async (request) => ({ type: 'page', ...answer(request) }));
    await at.listSync.refresh();
    let scrolls = 0;
    while (await at.listSync.older()) {
      scrolls += 1;
      assert.ok(scrolls <= 20_000, `${what}: it goes on and on`);
    }
    assert.ok(at.listSync.list.records.length <= 10_000, what);
    // Older ones can be asked for by hand, which is one step at a time.
    const before = at.calls();
    await at.listSync.older();
    assert.ok(at.calls() - before <= 20, `${what}: ${at.calls() - before} requests`);
  }
});
