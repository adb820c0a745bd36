// What a browser remembers of one's own hand-ins, and what the page makes of the answers to whoever has a box's URL.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { DropApi } from '../../../web/drop_api.js';
import { HandIns, OwnName } from '../../../web/hand_ins.js';

const { fetch } = globalThis;
afterEach(() => {
  globalThis.fetch = fetch;
});

const BOX = `${'b'.repeat(18)}${'1'.repeat(25)}`;
const RENEWED = `${'b'.repeat(18)}${'2'.repeat(25)}`;
const OTHER = `${'c'.repeat(18)}${'1'.repeat(25)}`;
const TOKEN = 't'.repeat(43);

// As localStorage is.
class Storage {
  kept = new Map();
  get length() {
    return this.kept.size;
  }
  key(at) {
    return [...this.kept.keys()][at] ?? null;
  }
  getItem(key) {
    return this.kept.get(key) ?? null;
  }
  setItem(key, value) {
    this.kept.set(key, String(value));
  }
  removeItem(key) {
    this.kept.delete(key);
  }
}

const begun = (id, more = {}) => ({ id, token: TOKEN, name: 'a.pdf', size: 5, submitter: 'Ada', dueAt: null, ...more });
const openIn = (storage, box = BOX, place = '/', now = () => 1) => new HandIns(storage, { place, box, now });
const there = (id, uploadedAt) => ({ id, uploadedAt, sha256: 'ab'.repeat(32) });

test('what was handed in is there when the page is opened again, also under another URL of the same box', () => {
  const storage = new Storage();
  const first = openIn(storage);
  first.keep(begun('1'));
  first.keep(begun('2'));
  first.keep(begun('3'));
  assert.deepEqual(first.open, ['1', '2', '3']);
  assert.ok(first.arrive(there('1', '2027-01-01T00:00:00Z')));
  assert.ok(first.arrive(there('2', '2027-01-02T00:00:00Z')));
  assert.ok(!first.arrive(there('4', '2027-01-02T00:00:00Z')), 'what nobody began here');
  for (const box of [BOX, RENEWED]) {
    const again = openIn(storage, box);
    assert.deepEqual(again.arrived.map(({ id }) => id), ['2', '1'], 'the newest first');
    assert.deepEqual(again.open, ['3']);
    assert.equal(again.tokenOf('1'), TOKEN);
  }
  for (const other of [openIn(storage, OTHER), openIn(storage, BOX, '/share/')]) {
    assert.deepEqual([other.arrived, other.open, other.tokenOf('1')], [[], [], null]);
  }
});

test('two tabs lose nothing of each other, and no URL of a box is kept', () => {
  const storage = new Storage();
  const [one, other] = [openIn(storage), openIn(storage)];
  one.keep(begun('1'));
  other.keep(begun('2'));
  one.arrive(there('1', '2027-01-01T00:00:00Z'));
  assert.deepEqual([openIn(storage).arrived.length, openIn(storage).open], [1, ['2']]);
  assert.ok(![...storage.kept].flat().join().includes(BOX));
});

test('at most 200 are kept of a box, and the oldest go first', () => {
  const storage = new Storage();
  let now = 0;
  const handIns = openIn(storage, BOX, '/', () => (now += 1));
  Array.from({ length: 201 }, (_, at) => handIns.keep(begun(String(at))));
  assert.equal(storage.length, 200);
  assert.equal(handIns.tokenOf('0'), null);
  assert.equal(handIns.tokenOf('200'), TOKEN);
});

test('what is forgotten is gone, and nothing of another box', () => {
  const storage = new Storage();
  openIn(storage, OTHER).keep(begun('9'));
  const handIns = openIn(storage);
  handIns.keep(begun('1'));
  handIns.keep(begun('2'));
  handIns.forgetAll();
  assert.deepEqual([handIns.open, openIn(storage).open, openIn(storage, OTHER).open], [[], [], ['9']]);
});

test('what the service no longer has is known as that when the page is opened again, and may come back', () => {
  const storage = new Storage();
  const handIns = openIn(storage);
  handIns.keep(begun('1'));
  handIns.keep(begun('2'));
  handIns.arrive(there('1', '2027-01-01T00:00:00Z'));
  const goneIn = (one) => one.arrived.map(({ id, isGone }) => [id, isGone]);
  assert.deepEqual(goneIn(openIn(storage)), [['1', false]]);
  assert.ok(handIns.mark('1', true));
  assert.ok(!handIns.mark('1', true), 'nothing new');
  assert.ok(!handIns.mark('2', true), 'what never arrived isn’t listed');
  assert.ok(!handIns.mark('3', true));
  assert.deepEqual(goneIn(openIn(storage)), [['1', true]]);
  assert.ok(handIns.mark('1', false));
  assert.deepEqual(goneIn(openIn(storage)), [['1', false]]);
  // As a version of this page kept it that didn't know of this.
  const [key] = storage.kept.keys();
  const { isGone, ...older } = JSON.parse(storage.getItem(key));
  assert.equal(isGone, false);
  storage.setItem(key, JSON.stringify(older));
  assert.deepEqual(goneIn(openIn(storage)), [['1', false]]);
});

test('where nothing can be kept the page works on and says so, and what makes no sense is passed over', () => {
  const full = new Storage();
  full.setItem = () => {
    throw new Error('full');
  };
  for (const storage of [null, full]) {
    const handIns = openIn(storage);
    assert.ok(handIns.isKept, 'nothing was tried yet');
    handIns.keep(begun('1'));
    assert.ok(!handIns.isKept);
    assert.equal(handIns.tokenOf('1'), TOKEN);
    const name = new OwnName(storage, '/');
    name.keep('Ada');
    assert.equal(name.get(), '');
  }
  const odd = new Storage();
  openIn(odd).keep(begun('1'));
  const [key] = odd.kept.keys();
  for (const value of ['', 'null', '{}', '{"id":"1"}', JSON.stringify({ ...begun('2'), keptAt: 1 }), '[']) {
    odd.kept.set(key, value);
    assert.deepEqual(openIn(odd).open, [], value);
  }
});

const record = { id: 'a', filename: 'a.txt', size: 1, status: 'pending', createdAt: '2026-11-24T12:00:00.000Z' };
const upload = { method: 'PUT', url: 'http://store/', headers: {}, expiresAt: '2026-11-24T12:15:00.000Z' };
const drop = { title: 'Sheet 3', now: '2026-11-24T12:00:00.000Z', opensAt: null, dueAt: null, closesAt: null, types: [], maxFileBytes: 5, submitter: 'named' };
const problem = (status, code) => ({ status, type: 'application/problem+json', body: { code, detail: 'd' } });
const json = (status, body) => ({ status, type: 'application/json', body });
const html = (status) => ({ status, type: 'text/html', body: 'Sign in' });

// An API whose calls are all answered with this, what it asked, and what it keeps.
function answering({ status, type, body }, tokens = { a: TOKEN }) {
  const [asked, kept] = [[], []];
  globalThis.fetch = async (url, options) => {
    asked.push({ url: url.href, ...options });
    return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers: { 'Content-Type': type } });
  };
  const api = new DropApi(new URL('http://service/share/'), BOX, { of: (id) => tokens[id] ?? null, keep: (entry) => kept.push(entry) });
  return { api, asked, kept };
}

const wanted = { name: 'a.txt', size: 1, type: '', sha256: 'ab'.repeat(32), key: 'k', submitter: 'Ada' };

test('a file is announced with its digest and the name that was typed, and its token is kept at once', async () => {
  const answer = json(201, { ...record, upload, submissionToken: TOKEN, dueAt: '2027-01-01T00:00:00.000Z', closesAt: null });
  const { api, asked, kept } = answering(answer);
  const event = await api.create(wanted);
  assert.deepEqual([event.type, event.id, event.upload.url], ['created', 'a', 'http://store/']);
  const [{ url, method, headers, body }] = asked;
  assert.deepEqual([url, method], [`http://service/share/v1/drop/${BOX}/files`, 'POST']);
  assert.equal(headers['Idempotency-Key'], 'k');
  assert.deepEqual(JSON.parse(body), { filename: 'a.txt', size: 1, sha256: 'ab'.repeat(32), submitter: 'Ada' });
  assert.deepEqual(kept, [{ id: 'a', token: TOKEN, name: 'a.txt', size: 1, submitter: 'Ada', dueAt: '2027-01-01T00:00:00.000Z' }]);
  await api.create({ ...wanted, submitter: null });
  assert.ok(!/submitter|password/.test(asked[1].body), 'the name comes from the sign-in');
  await api.create({ ...wanted, password: 'p' });
  assert.equal(JSON.parse(asked[2].body).password, 'p');
});

test('each file is followed with its own token, and one without a token isn’t asked for', async () => {
  const { api, asked } = answering(json(200, record));
  assert.equal((await api.look('a', 20)).type, 'seen');
  assert.equal((await api.complete('a')).type, 'seen');
  assert.deepEqual(asked.map(({ headers }) => headers.Authorization), [`Bearer ${TOKEN}`, `Bearer ${TOKEN}`]);
  assert.ok(asked[0].url.endsWith('/v1/files/a/metadata?wait=20'));
  assert.equal((await api.look('b')).type, 'gone');
  assert.equal((await api.renew('b')).type, 'gone');
  assert.equal(asked.length, 2);
  assert.equal((await api.remove('a')).type, 'deleted');
  assert.equal(asked.length, 2, 'nobody takes back what they handed in');
});

test('what a box refuses has a name of its own, and nothing else is taken for that', async () => {
  for (const [answer, type, code] of [
    [problem(409, 'box_closed'), 'refused', 'boxClosed'],
    [problem(404, 'box_not_found'), 'refused', 'boxGone'],
    [problem(415, 'type_not_allowed'), 'refused', 'typeNotAllowed'],
    [problem(413, 'content_too_large'), 'refused', 'tooLargeForBox'],
    [problem(507, 'quota_exceeded'), 'refused', 'boxFull'],
    [problem(403, 'wrong_password'), 'refused', 'wrongPassword'],
    [problem(507, 'insufficient_storage'), 'refused', 'full'],
    [problem(400, 'invalid_request'), 'refused', 'problem'],
    [problem(503, 'store_unavailable'), 'lost', undefined],
    [json(201, { ...record, upload }), 'lost', undefined],
    [json(201, { ...record, upload, submissionToken: 'short' }), 'lost', undefined],
    [html(404), 'lost', undefined],
  ]) {
    const { api, kept } = answering(answer);
    const event = await api.create(wanted);
    assert.deepEqual([event.type, event.problem?.code], [type, code], JSON.stringify(answer));
    assert.deepEqual(kept, []);
  }
  const renewed = async (answer) => (await answering(answer).api.renew('a')).type;
  assert.equal(await renewed(problem(409, 'box_closed')), 'refused');
  assert.equal(await renewed(problem(409, 'upload_settled')), 'settled');
  assert.equal(await renewed(json(200, { upload })), 'renewed');
});

test('what a box takes is understood, and so is that there is none or that one has to sign in', async () => {
  for (const [answer, type] of [
    [json(200, drop), 'drop'],
    [json(200, { ...drop, now: 'soon' }), 'lost'],
    [problem(404, 'box_not_found'), 'gone'],
    [problem(401, 'sign_in_required'), 'signIn'],
    [problem(503, 'store_unavailable'), 'lost'],
    [html(404), 'lost'],
    [html(401), 'lost'],
  ]) {
    assert.equal((await answering(answer).api.describe()).type, type, JSON.stringify(answer));
  }
});
