// What the page makes of answers, also of those that aren't the service's.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Api } from '../../../web/api.js';

const { fetch } = globalThis;
afterEach(() => {
  globalThis.fetch = fetch;
});

const record = {
  id: 'a',
  filename: 'a.txt',
  size: 1,
  status: 'pending',
  createdAt: '2026-11-24T12:00:00.000Z',
};
const upload = { method: 'PUT', url: 'http://store/', headers: {}, expiresAt: '2026-11-24T12:15:00.000Z' };
const problem = (status, code) => ({ status, type: 'application/problem+json', body: JSON.stringify({ code, detail: 'd' }) });
const page = (status) => ({ status, type: 'text/html', body: '<html>Sign in</html>' });
const text = (status) => ({ status, type: 'text/plain', body: 'no' });
const json = (status, value) => ({ status, type: 'application/json; charset=utf-8', body: JSON.stringify(value) });
const redirect = { redirect: true };

// An API whose calls are all answered with this.
function answering(answer) {
  const sessions = [];
  globalThis.fetch = async (url, options) => {
    assert.equal(options.redirect, 'manual', 'a redirect is seen, and not followed');
    if (answer.redirect) {
      return { type: 'opaqueredirect', status: 0, headers: new Headers(), body: null };
    }
    const { status, type, body, headers } = answer;
    return new Response(status === 204 ? null : body, { status, headers: { ...(type && { 'Content-Type': type }), ...headers } });
  };
  return { api: new Api(new URL('http://service/'), { isOut: false, heard: (is) => sessions.push(is) }), sessions };
}

const CALLS = {
  create: (api) => api.create({ name: 'a.txt', size: 1, type: '', sha256: null, key: 'k' }),
  renew: (api) => api.renew('a'),
  look: (api) => api.look('a'),
  complete: (api) => api.complete('a'),
  list: (api) => api.list({ limit: 50 }),
  remove: (api) => api.remove('a'),
};

test('what the service says of a code is understood', async () => {
  const waiting = { client: 'fshare', from: null, beganAt: '2026-11-24T12:00:00.000Z', expiresAt: '2026-11-24T12:05:00.000Z' };
  for (const [call, answer, type] of [
    ['waitingProgram', json(200, waiting), 'waiting'],
    ['waitingProgram', json(200, {}), 'lost'],
    ['waitingProgram', problem(404, 'pairing_not_found'), 'unknown'],
    ['waitingProgram', problem(429, 'too_many_tries'), 'tooMany'],
    ['waitingProgram', problem(403, 'not_allowed'), 'refused'],
    ['waitingProgram', page(404), 'lost'],
    ['letIn', { status: 204 }, 'approved'],
    ['letIn', problem(404, 'pairing_not_found'), 'unknown'],
    ['letIn', problem(409, 'tokens_unavailable'), 'refused'],
    ['letIn', json(200, {}), 'lost'],
    ['letIn', problem(503, 'overloaded'), 'lost'],
  ]) {
    const { api } = answering(answer);
    assert.equal((await api[call]('BCDF-GHJK')).type, type, `${call} ${JSON.stringify(answer)}`);
  }
});

test('what the service says of tokens is understood, and nothing else is shown as one', async () => {
  const token = { id: 't', label: 'fshare', scopes: ['read'], createdAt: record.createdAt, expiresAt: record.createdAt, lastUsedAt: null };
  for (const [call, answer, type] of [
    ['tokens', json(200, { tokens: [token, { ...token, lastUsedAt: record.createdAt }] }), 'tokens'],
    ['tokens', json(200, { tokens: [] }), 'tokens'],
    ['tokens', json(200, { tokens: [{ ...token, expiresAt: 'soon' }] }), 'lost'],
    ['tokens', json(200, { tokens: [{ ...token, scopes: 'all' }] }), 'lost'],
    ['tokens', problem(403, 'not_allowed'), 'refused'],
    ['tokens', page(200), 'lost'],
    ['endToken', { status: 204 }, 'ended'],
    ['endToken', problem(404, 'token_not_found'), 'ended'],
    ['endToken', page(404), 'lost'],
    ['endToken', json(200, {}), 'lost'],
    ['endToken', problem(503, 'overloaded'), 'lost'],
  ]) {
    const { api } = answering(answer);
    assert.equal((await api[call]('t')).type, type, `${call} ${JSON.stringify(answer)}`);
  }
});

test('what the service answers is understood', async () => {
  const page = { files: [record], nextCursor: null };
  for (const [call, answer, type] of [
    ['create', json(201, { ...record, upload }), 'created'],
    ['create', json(201, record), 'created'],
    ['renew', json(200, { upload }), 'renewed'],
    ['renew', problem(409, 'upload_settled'), 'settled'],
    ['renew', problem(404, 'file_not_found'), 'gone'],
    ['look', json(200, record), 'seen'],
    ['look', json(200, { ...record, status: 'quarantined' }), 'seen'],
    ['look', problem(404, 'file_not_found'), 'gone'],
    ['complete', json(200, record), 'seen'],
    ['complete', problem(404, 'file_not_found'), 'gone'],
    ['list', json(200, page), 'page'],
    ['list', json(200, { files: [] }), 'page'],
    ['remove', { status: 204 }, 'deleted'],
    ['remove', problem(404, 'file_not_found'), 'deleted'],
    ['create', problem(503, 'overloaded'), 'lost'],
    ['create', problem(400, 'invalid_request'), 'refused'],
  ]) {
    const { api, sessions } = answering(answer);
    assert.equal((await CALLS[call](api)).type, type, `${call} ${answer.status}`);
    assert.deepEqual(sessions, [null]);
  }
});

test('a call too many is lost for as long as the service says, for a reason of its own', async () => {
  for (const code of ['rate_limited', 'too_many_creates']) {
    const { api } = answering({ ...problem(429, code), headers: { 'Retry-After': '7' } });
    for (const [name, call] of Object.entries(CALLS)) {
      assert.deepEqual(await call(api), { type: 'lost', cause: { code: 'limited' }, retryAfterMs: 7000 }, name);
    }
  }
});

test('no room for anybody is told from none for whoever asks', async () => {
  for (const [code, expected] of [
    ['insufficient_storage', 'full'],
    ['quota_exceeded', 'quota'],
  ]) {
    const event = await CALLS.create(answering(problem(507, code)).api);
    assert.deepEqual([event.type, event.problem.code], ['refused', expected]);
  }
});

test('a redirect, 401, and a page with 403 mean that the person has been signed out', async () => {
  for (const [answer, status] of [
    [redirect, 'redirect'],
    [page(401), 401],
    [json(401, {}), 401],
    [problem(401, 'another_code'), 401],
    [page(403), 403],
  ]) {
    for (const [name, call] of Object.entries(CALLS)) {
      const { api, sessions } = answering(answer);
      const event = await call(api);
      assert.deepEqual([event.type, event.cause], ['lost', { code: 'signedOut', status }], name);
      assert.ok(sessions.length > 0);
      sessions.forEach((session) => assert.deepEqual(session, { code: 'signedOut', status }));
    }
  }
});

test('that the service itself asks for a sign-in is told from a proxy that does', async () => {
  const asked = { code: 'signedOut', status: 401, by: 'service' };
  for (const [name, call] of Object.entries(CALLS)) {
    const { api, sessions } = answering(problem(401, 'sign_in_required'));
    const event = await call(api);
    assert.deepEqual([event.type, event.cause, sessions], ['lost', asked, [asked]], name);
  }
});

test('while nobody is signed in nothing is asked about files, and who this is can be asked', async () => {
  const asked = [];
  globalThis.fetch = async (url, { method }) => {
    asked.push(`${method} ${new URL(url).pathname}`);
    return new Response('{"principal": null, "signIn": "key"}', { headers: { 'Content-Type': 'application/json' } });
  };
  const api = new Api(new URL('http://service/'), { isOut: true, heard: () => {} });
  for (const [name, call] of Object.entries(CALLS)) {
    const event = await call(api);
    assert.deepEqual([event.type, event.cause.code], ['lost', 'signedOut'], name);
  }
  assert.deepEqual(asked, []);
  assert.deepEqual(await api.session(), { type: 'session', isAsked: true, who: null, shareBase: null, quota: null });
  assert.equal((await api.signOut()).type, 'signedOut');
  assert.deepEqual(asked, ['GET /v1/session', 'POST /v1/session/end']);
});

test('who this is, a key and an end of the session are answered so', async () => {
  const operator = { principal: { kind: 'operator' }, expiresAt: null };
  const shareBase = 'http://192.168.1.7:8000';
  const quota = { bytes: { used: 1, limit: 2 }, files: null };
  for (const [answer, expected] of [
    [json(200, { ...operator, signIn: 'key', quota: null, shareBase }), { isAsked: true, shareBase, quota: null }],
    [json(200, { ...operator, signIn: 'key', quota, shareBase }), { isAsked: true, shareBase, quota }],
    // A service from before there were any says none.
    [json(200, { ...operator, signIn: null }), { isAsked: false, shareBase: null, quota: null }],
  ]) {
    assert.deepEqual(await answering(answer).api.session(), { type: 'session', who: operator.principal, ...expected });
  }
  for (const [answer, type] of [
    [{ status: 204 }, 'signedIn'],
    [problem(401, 'sign_in_required'), 'wrongKey'],
    [problem(400, 'invalid_request'), 'refused'],
    [problem(503, 'overloaded'), 'lost'],
    [page(401), 'lost'],
    [page(200), 'lost'],
  ]) {
    assert.equal((await answering(answer).api.signIn('fsk_0')).type, type, `${answer.status} ${answer.type}`);
  }
  for (const answer of [page(200), json(200, []), redirect]) {
    assert.equal((await answering(answer).api.session()).type, 'lost');
  }
  assert.equal((await answering(page(200)).api.signOut()).type, 'lost', 'a proxy ends no session');
  const there = { signOutAt: 'https://id.example/end' };
  assert.deepEqual(await answering(json(200, there)).api.signOut(), { type: 'signedOut', ...there });
});

test('the way to the issuer leads back to the page of the service that one was at', () => {
  for (const [base, page, path] of [
    ['http://service/', 'http://service/?x=1#key=fsk_0', '/?x=1'],
    ['http://service/course/', 'http://service/course/f/0190', '/f/0190'],
    ['http://service/course/', 'http://service/course/f/0190?utm_source=mail&x=%26#part', '/f/0190?utm_source=mail&x=%26'],
    // A service below a path that is called as a part of its own.
    ['http://service/f/', 'http://service/f/f/0190?x', '/f/0190?x'],
    ['http://service/b/', 'http://service/b/', '/'],
  ]) {
    const at = new URL(new Api(new URL(base)).signInAt(new URL(page)));
    assert.equal(at.href.split('?')[0], `${base}v1/session/start`);
    assert.equal(at.searchParams.get('returnTo'), path);
  }
});

test('a page with 403 for one call, while the service answers others, is a filter’s and no sign-in', async () => {
  const { api, sessions } = answering(page(403));
  const { fetch: forbidding } = globalThis;
  globalThis.fetch = async (url, options) =>
    String(url).includes('limit=1')
      ? new Response('{"files": []}', { status: 200, headers: { 'Content-Type': 'application/json' } })
      : forbidding(url, options);
  const event = await CALLS.create(api);
  assert.deepEqual([event.type, event.cause], ['lost', { code: 'intermediary', status: 403 }]);
  assert.deepEqual(sessions, [null]);
});

test('what something else than the service answers makes no file gone, settled, deleted or seen', async () => {
  for (const answer of [page(200), page(201), text(200), json(200, {}), json(201, { id: 'a' })]) {
    for (const [name, call] of Object.entries(CALLS)) {
      const event = await call(answering(answer).api);
      assert.equal(event.type, 'lost', `${name} ${answer.status} ${answer.body}`);
      assert.deepEqual(event.cause, { code: 'intermediary', status: answer.status });
    }
  }
  for (const [status, type] of [
    [400, 'lost'],
    [403, 'lost'],
    [404, 'lost'],
    [405, 'lost'],
    [409, 'lost'],
    [413, 'refused'],
    [421, 'refused'],
    [429, 'lost'],
    [500, 'lost'],
    [502, 'lost'],
    [503, 'lost'],
    [504, 'lost'],
    [522, 'lost'],
  ]) {
    for (const [name, call] of Object.entries(CALLS)) {
      for (const answer of [text(status), json(status, { message: 'no' }), ...(status === 403 ? [] : [page(status)])]) {
        const { api, sessions } = answering(answer);
        const event = await call(api);
        assert.equal(event.type, type, `${name} ${status}`);
        assert.deepEqual(event.cause ?? event.problem, { code: 'intermediary', status });
        assert.deepEqual(sessions, [], 'it says nothing of a session');
      }
    }
  }
});

test('a service that was told another host than the page’s says so', async () => {
  for (const answer of [problem(421, 'misdirected_request'), problem(403, 'origin_not_allowed')]) {
    const event = await CALLS.create(answering(answer).api);
    assert.deepEqual(event, { type: 'refused', problem: { code: 'misdirected', status: answer.status } });
  }
});

test('no answer is no answer, and JSON that is none is none either', async () => {
  const { api, sessions } = answering({ status: 200, type: 'application/json', body: '{"id": ' });
  assert.deepEqual([(await api.look('a')).type, sessions], ['lost', []]);
  globalThis.fetch = async () => {
    throw new TypeError('Failed to fetch');
  };
  assert.deepEqual(await api.look('a'), { type: 'lost', retryAfterMs: 0 });
});

test('of a file that stays is said why in words of the page', async () => {
  for (const code of ['held', 'retained']) {
    const { api } = answering(problem(409, code));
    const answer = await api.remove('a');
    assert.deepEqual([answer.type, answer.problem.code], ['refused', code]);
  }
});
