// Who is signed in, by what a service answers that the test plays, and the key in an address.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyIn, keyOf } from '../../../web/key_link.js';
import { Session } from '../../../web/session.js';

const KEY = 'fsk_right';
const WHO = { kind: 'user', name: 'Alice' };
const REFUSED = { code: 'signedOut', status: 401, by: 'service' };
const settle = () => new Promise((resolve) => setImmediate(resolve));

// A page before a service that knows one key, and a browser that keeps its session, or doesn't.
function page({ standing = 'asking', isSomebody = false, isAsked = true, keeps = true } = {}) {
  const service = { isSomebody, isAsked, isAway: false, asked: [] };
  const answer = async (call, event) => {
    service.asked.push(call);
    await settle();
    return service.isAway ? { type: 'lost' } : event();
  };
  const api = {
    session: () => answer('session', () => ({ type: 'session', isAsked: service.isAsked, who: service.isSomebody ? (service.who ?? WHO) : null })),
    signIn: (key) =>
      answer('signIn', () => {
        service.isSomebody ||= key === KEY && keeps;
        return { type: key === KEY ? 'signedIn' : 'wrongKey' };
      }),
    signOut: () =>
      answer('signOut', () => {
        service.isSomebody = false;
        return { type: 'signedOut', signOutAt: service.signOutAt ?? null };
      }),
  };
  const told = { shown: [], proxy: [], posted: [], woken: 0, begun: 0, anew: 0 };
  const timers = [];
  const time = { now: 1 };
  const channel = { postMessage: (word) => told.posted.push(word), onmessage: null };
  const session = new Session(standing, {
    channel,
    now: () => time.now,
    after: (ms, run) => {
      const timer = { run };
      timers.push(timer);
      return () => (timer.run = () => {});
    },
    wake: () => (told.woken += 1),
    show: (state) => told.shown.push(state),
    showProxy: (problem) => told.proxy.push(problem),
    startAnew: () => (told.anew += 1),
  });
  const begin = async (key = null) => {
    void session.begin(api, key).then(() => (told.begun += 1));
    await settle();
    await settle();
    await settle();
    await settle();
  };
  const rest = async () => {
    for (let turns = 0; turns < 6; turns += 1) {
      await settle();
    }
  };
  return { session, service, told, timers, time, begin, rest, hear: (data) => channel.onmessage({ data }) };
}

const last = ({ told }) => told.shown.at(-1);

test('where nobody has to sign in the page begins at once and asks nothing', async () => {
  const one = page({ standing: 'open' });
  await one.begin(KEY);
  assert.deepEqual([one.told.begun, one.service.asked, one.told.shown], [1, [], []]);
  assert.equal(one.session.isOut, false);
});

test('who is signed in already goes on, and who isn’t is asked for the key', async () => {
  const known = page({ isSomebody: true });
  assert.equal(known.session.isOut, true, 'until that is known');
  await known.begin();
  assert.deepEqual([last(known).standing, known.told.begun, known.told.woken], ['in', 1, 0]);
  const nobody = page();
  await nobody.begin();
  assert.deepEqual(last(nobody), { standing: 'out', hasEnded: false, trouble: null });
  assert.deepEqual([nobody.told.begun, nobody.session.isOut], [0, true]);
});

test('the key of the link is asked about first, and leads in without another question before', async () => {
  const one = page();
  await one.begin(KEY);
  assert.deepEqual(one.service.asked, ['signIn', 'session']);
  assert.deepEqual([last(one).standing, one.told.begun], ['in', 1]);
  assert.deepEqual(one.told.posted, ['in'], 'the other tabs hear of it');
});

test('a wrong key says so, and the right one leads in after it', async () => {
  const one = page();
  await one.begin('fsk_wrong');
  assert.deepEqual(last(one), { standing: 'out', hasEnded: false, trouble: { code: 'wrongKey' } });
  await one.session.signIn(KEY);
  assert.deepEqual([last(one).standing, one.told.begun], ['in', 1]);
});

test('a browser that doesn’t keep the session is told from a wrong key', async () => {
  const one = page({ keeps: false });
  await one.begin(KEY);
  assert.deepEqual(last(one).trouble, { code: 'notKept' });
  assert.equal(one.told.begun, 0);
});

test('a session that ends while the page is open leads to the panel once, and what waits is woken after it', async () => {
  const one = page({ isSomebody: true });
  await one.begin();
  one.service.isSomebody = false;
  one.time.now = 2;
  one.session.heard(REFUSED, 2);
  one.session.heard(REFUSED, 2);
  assert.deepEqual(last(one), { standing: 'out', hasEnded: true, trouble: null });
  assert.equal(one.told.shown.length, 2);
  await one.session.signIn(KEY);
  assert.deepEqual([last(one).standing, one.told.woken, one.told.begun], ['in', 1, 1]);
});

test('an answer to a call from before the sign-in leads nobody out, and one from before the end nobody in', async () => {
  const one = page({ isSomebody: true });
  await one.begin();
  one.session.heard(REFUSED, 0);
  assert.equal(last(one).standing, 'in');
  one.session.heard(REFUSED, 1);
  assert.equal(last(one).standing, 'out');
  one.session.heard(null, 0);
  assert.equal(last(one).standing, 'out');
  assert.equal(one.session.isOut, true);
});

test('a service that begins to ask, or ends asking, is followed without a reload', async () => {
  const one = page({ standing: 'open', isAsked: true });
  await one.begin();
  one.session.heard(REFUSED, 1);
  assert.equal(last(one).standing, 'out');
  one.service.isAsked = false;
  await one.session.signIn(KEY);
  assert.deepEqual([last(one).standing, one.told.woken], ['open', 1]);
});

test('a service that is away is asked again, and what it says then holds', async () => {
  const one = page({ isSomebody: true });
  one.service.isAway = true;
  await one.begin();
  assert.deepEqual(last(one), { standing: 'out', hasEnded: false, trouble: { code: 'unreachable' } });
  one.service.isAway = false;
  one.timers.forEach(({ run }) => run());
  await one.rest();
  assert.equal(last(one).standing, 'in');
});

test('who comes back from the issuer is in, and the tabs that wait for it hear so', async () => {
  const one = page({ isSomebody: true });
  await one.begin();
  assert.deepEqual([last(one), one.told.posted], [{ standing: 'in', who: WHO }, ['in']]);
  one.service.signOutAt = 'https://id.example/end';
  await one.session.signOut();
  assert.equal(last(one).signOutAt, 'https://id.example/end');
});

test('what one person has under way never goes on as another’s who signs in after them', async () => {
  const one = page({ isSomebody: true });
  one.service.who = { kind: 'user', id: 'usr_a', name: 'Alice' };
  await one.begin();
  one.service.isSomebody = false;
  one.time.now = 2;
  one.session.heard(REFUSED, 2);
  one.service.isSomebody = true;
  one.service.who = { kind: 'user', id: 'usr_b', name: 'Bob' };
  one.hear('in');
  await one.rest();
  assert.deepEqual([one.told.anew, one.told.woken, last(one).standing, one.session.isOut], [1, 0, 'out', true]);
  one.service.who = { kind: 'user', id: 'usr_a', name: 'Alice' };
  one.hear('in');
  await one.rest();
  assert.deepEqual([one.told.anew, one.told.woken, last(one).standing], [1, 1, 'in']);
});

test('signing out shows the panel here and tells the other tabs, which ask for themselves', async () => {
  const one = page({ isSomebody: true });
  await one.begin();
  assert.equal(await one.session.signOut(), true);
  assert.deepEqual([last(one).standing, one.told.posted], ['out', ['in', 'out']]);
  assert.equal(last(one).signOutAt, undefined);
  const other = page({ isSomebody: true });
  await other.begin();
  other.hear('out');
  await other.rest();
  assert.equal(last(other).standing, 'in', 'another tab’s word alone ends nothing');
  other.service.isSomebody = false;
  other.hear('out');
  await other.rest();
  assert.equal(last(other).standing, 'out');
  other.service.isSomebody = true;
  other.hear('in');
  await other.rest();
  assert.deepEqual([last(other).standing, other.told.woken], ['in', 1]);
});

test('who can’t be signed out stays in, and hears of it', async () => {
  const one = page({ isSomebody: true });
  await one.begin();
  one.service.isAway = true;
  assert.equal(await one.session.signOut(), false);
  assert.equal(one.session.isOut, false);
});

test('a proxy’s sign-in is shown by itself, and wakes what waits when another tab is in', () => {
  const one = page({ standing: 'open' });
  const problem = { code: 'signedOut', status: 'redirect' };
  one.session.heard(null, 1);
  one.session.heard(problem, 1);
  assert.deepEqual(one.told.proxy, [null, problem]);
  assert.deepEqual([one.told.shown, one.session.isOut], [[], false]);
  one.hear('in');
  assert.equal(one.told.woken, 1);
  one.session.heard(null, 1);
  assert.deepEqual(one.told.posted, ['in', 'in']);
});

test('the key is found in the fragment of the link, and in the whole link where that is given as the key', () => {
  for (const [fragment, key] of [
    ['#key=fsk_0a', 'fsk_0a'],
    ['#key=%20fsk_0a ', 'fsk_0a'],
    ['#key=', ''],
    ['', null],
    ['#', null],
    ['#files', null],
    ['#keys=fsk_0a', null],
    ['#a=b&key=fsk_0a', null],
  ]) {
    assert.equal(keyIn(fragment), key, fragment);
  }
  for (const [text, key] of [
    [' fsk_0a\n', 'fsk_0a'],
    ['http://127.0.0.1:8000/#key=fsk_0a', 'fsk_0a'],
    ['#key=fsk_0a', 'fsk_0a'],
    ['', ''],
  ]) {
    assert.equal(keyOf(text), key, text);
  }
});
