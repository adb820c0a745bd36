// What comes of an archive of a link, by what the service and the store answer.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { saveLink } from '../../../web/shared_zip.js';

const SHARED = 'http://service/v1/shared/token';
const CONTENT = 'hello';
const DIGEST = createHash('sha256').update(CONTENT).digest('hex');
const HANGS = 'hangs';

const json = (status, body, headers = {}) => ({ status, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...headers } });
const fileOf = (id, more = {}) => ({ id, displayName: `${id}.txt`, size: CONTENT.length, sha256: DIGEST, status: 'available', downloadsLeft: null, ...more });
const listOf = (...files) => json(200, { files });
const granted = (id) => json(201, { url: `http://store/${id}`, expiresAt: '2027-01-01T00:00:00Z' });
const bytes = { status: 200, body: CONTENT };

const { fetch, document } = globalThis;
let saves;

beforeEach(() => {
  saves = 0;
  globalThis.document = { createElement: () => ({ click: () => (saves += 1) }) };
  mock.timers.enable({ apis: ['setTimeout'] });
});

afterEach(() => {
  mock.timers.reset();
  Object.assign(globalThis, { fetch, document });
});

// `answers(method, url)` is what comes: an answer, HANGS, or null where nothing does. → {outcome, asked}
async function saved(answers, { isOnline = true, password } = {}) {
  const asked = [];
  globalThis.fetch = async (url, { method = 'GET', signal, headers = {} }) => {
    const where = String(url).replace(SHARED, '');
    asked.push(`${method} ${where}`);
    const answer = answers(method, where, headers);
    if (answer === HANGS) {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    }
    if (answer === null) {
      throw new TypeError('network error');
    }
    return answer.type ? answer : new Response(answer.body, answer);
  };
  let isOver = false;
  const ports = { signal: new AbortController().signal, onProgress() {}, isOnline: () => isOnline };
  const saving = saveLink({ shared: SHARED, key: 'page-1', password, title: 'Course', missingName: 'm.txt' }, ports);
  void saving.finally(() => (isOver = true));
  for (let turn = 0; turn < 2000 && !isOver; turn += 1) {
    await new Promise(setImmediate);
    mock.timers.tick(500);
  }
  assert.ok(isOver, asked.join('\n'));
  const { type, missing = [] } = await saving;
  return { outcome: [type, missing.map(({ id, why }) => `${id} ${why}`)], asked };
}

const idOf = (url) => /[ab]/.exec(url.split('/').slice(-2).join('/'))?.[0];
const serving = (files, grant = granted, store = () => bytes) => (method, url) => {
  if (method === 'POST') {
    return grant(/files\/(\w+)\//.exec(url)[1]);
  }
  return url === '' ? listOf(...files) : store(url.split('/').at(-1));
};

test('what nobody else may take is asked for with the page’s key, and what is still to come is not', async () => {
  const files = [fileOf('a', { downloadsLeft: 0 }), fileOf('b', { status: 'pending' })];
  const keys = new Set();
  const { outcome, asked } = await saved((method, url, headers) => {
    if (method === 'POST') {
      keys.add(headers['Idempotency-Key']);
    }
    return serving(files)(method, url);
  });
  assert.deepEqual(outcome, ['saved', []]);
  assert.deepEqual(asked, ['GET ', 'POST /files/a/downloads', 'GET http://store/a']);
  assert.deepEqual([[...keys], saves], [['page-1'], 1]);
});

test('why a file isn’t in it is known, and nothing is saved that would have nothing in it', async () => {
  const refused = (code, status) => json(status, { code });
  for (const [grants, expected] of [
    [{ a: refused('download_limit_reached', 410) }, ['saved', ['a taken']]],
    [{ a: refused('file_not_found', 404) }, ['saved', ['a gone']]],
    [{ a: refused('download_limit_reached', 410), b: refused('file_not_found', 404) }, ['nothing', ['a taken', 'b gone']]],
    [{ a: refused('wrong_password', 403) }, ['wrongPassword', []]],
    [{ a: refused('too_many_tries', 429) }, ['tooManyTries', []]],
    [{ a: refused('sign_in_required', 401) }, ['signedOut', []]],
    // A proxy's sign-in before the service.
    [{ a: { type: 'opaqueredirect', status: 0, headers: new Headers(), json: () => Promise.reject(new Error('none')) } }, ['signedOut', []]],
    [{ a: { status: 401, body: '<!DOCTYPE html>' } }, ['signedOut', []]],
    [{ b: refused('link_gone', 410) }, ['linkGone', []]],
  ]) {
    saves = 0;
    const { outcome } = await saved(serving([fileOf('a'), fileOf('b')], (id) => grants[id] ?? granted(id)));
    assert.deepEqual([outcome, saves], [expected, expected[0] === 'saved' ? 1 : 0], JSON.stringify(grants));
  }
  assert.deepEqual((await saved(serving([]))).outcome, ['nothing', []]);
});

test('a URL that ran out is asked for anew once, by the same key, and is nobody’s end of a session', async () => {
  let isFirst = true;
  const once = () => {
    const answer = isFirst ? { status: 403, body: '<Error/>' } : bytes;
    isFirst = false;
    return answer;
  };
  const { outcome, asked } = await saved(serving([fileOf('a')], granted, once));
  assert.deepEqual(outcome, ['saved', []]);
  assert.deepEqual(asked.slice(1), Array(2).fill(['POST /files/a/downloads', 'GET http://store/a']).flat());
  const always = await saved(serving([fileOf('a'), fileOf('b')], granted, (id) => (idOf(id) === 'a' ? { status: 403, body: '' } : bytes)));
  assert.deepEqual(always.outcome, ['saved', ['a failed']]);
  assert.equal(always.asked.filter((one) => one === 'GET http://store/a').length, 2);
});

test('a service that says nothing isn’t waited for without an end', async () => {
  assert.deepEqual((await saved(() => HANGS)).outcome, ['unread', []]);
  const { outcome, asked } = await saved(serving([fileOf('a')], () => HANGS));
  assert.deepEqual(outcome, ['nothing', ['a failed']]);
  assert.equal(asked.filter((one) => one.startsWith('POST')).length, 4);
});

test('without a network nobody is asked where to save, unless the service is there all the same', async () => {
  globalThis.showSaveFilePicker = () => assert.fail('nobody is asked');
  try {
    assert.deepEqual((await saved(() => null, { isOnline: false })).outcome, ['offline', []]);
  } finally {
    delete globalThis.showSaveFilePicker;
  }
  assert.deepEqual((await saved(() => null)).outcome, ['unread', []]);
  assert.deepEqual((await saved(serving([fileOf('a')]), { isOnline: false })).outcome, ['saved', []]);
});
