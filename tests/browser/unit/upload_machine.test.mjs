// The life of an upload, without a browser: every edge, and that no sequence of events gets stuck or
// goes on for ever.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, begin, isInFlight, isOver, next, resume } from '../../../web/upload_machine.js';

const NOW = 1_000_000;
const upload = { url: 'u', headers: {}, method: 'PUT', deadline: NOW + 1000 };
const DIGEST = 'f'.repeat(64);
const record = (status, more = {}) => ({
  id: 'a',
  filename: 'a.txt',
  status,
  sha256: status === 'available' ? DIGEST : null,
  ...more,
});
// What a service of a later version may say.
const unknown = [
  record('quarantined'),
  record('pending', { stage: 'scanning' }),
  record('available', { stage: 'archived' }),
  record(undefined),
];
const created = { type: 'created', id: 'a', upload };
const lost = { type: 'lost' };

// The state after these events, and what the last of them asked for.
function after(events, state = begin(), now = NOW) {
  let commands = [];
  for (const event of events) {
    ({ state, commands } = next(state, typeof event === 'string' ? { type: event } : event, now));
  }
  return { state, commands };
}

const sending = ['start', { type: 'hashed', sha256: DIGEST }, created];

test('an upload is hashed, created, sent, said to be complete, and watched until it is there', () => {
  const asked = [];
  let state = begin();
  for (const event of [
    { type: 'start' },
    { type: 'hashed', sha256: DIGEST },
    created,
    { type: 'stored' },
    { type: 'seen', record: record('pending') },
    { type: 'seen', record: record('available') },
  ]) {
    const result = next(state, event, NOW);
    state = result.state;
    asked.push(...result.commands.map((command) => command.do));
  }
  assert.deepEqual(asked, ['hash', 'create', 'put', 'complete', 'watch']);
  assert.equal(state.phase, 'available');
  assert.equal(state.record.status, 'available');
});

test('a lost answer is looked into before the bytes are sent again', () => {
  const { state, commands } = after([...sending, lost]);
  assert.equal(state.phase, 'waiting');
  assert.equal(commands[0].do, 'wait');
  const looking = after(['woken'], state);
  assert.deepEqual(looking.commands, [{ do: 'look' }]);
  assert.equal(after([{ type: 'seen', record: record('available') }], looking.state).state.phase, 'available');
  const again = after([{ type: 'seen', record: record('pending') }], looking.state);
  assert.deepEqual(again.commands, [{ do: 'put' }]);
});

test('412 on the second try means that the bytes are there', () => {
  const { state, commands } = after([
    ...sending,
    lost,
    'woken',
    { type: 'seen', record: record('pending') },
    'there',
  ]);
  assert.equal(state.phase, 'completing');
  assert.deepEqual(commands, [{ do: 'complete' }]);
});

test('a status or stage that is not known is waited for, and nothing is deleted or sent again', () => {
  const looks = {
    'after a lost answer': [...sending, lost, 'woken'],
    'after a fresh URL was refused': [...sending, 'expired', 'settled'],
    'after 412': [...sending, 'there'],
    'after the hint': [...sending, 'stored'],
    'in the end': [...sending, 'stored', lost],
    'after a creation that was known': ['start', { type: 'hashed', sha256: DIGEST }, { type: 'created', id: 'a' }],
  };
  for (const [when, events] of Object.entries(looks)) {
    for (const seen of unknown) {
      const first = after([...events, { type: 'seen', record: seen }]);
      assert.equal(first.state.phase, 'confirming', `${when}: ${JSON.stringify(seen)}`);
      assert.equal(first.state.id, 'a');
      for (const command of first.commands) {
        assert.deepEqual(command, { do: 'watch', id: 'a' }, when);
      }
      const again = after([{ type: 'seen', record: seen }], first.state);
      assert.deepEqual(again.commands, [], when);
      assert.ok(again.state.isProcessing, when);
      const end = after([{ type: 'seen', record: record('available') }], again.state);
      assert.equal(end.state.phase, 'available', when);
    }
  }
});

test('a stage that goes without bytes having arrived lets them be sent, and 412 does not begin that anew', () => {
  const { state } = after([...sending, lost, 'woken', { type: 'seen', record: unknown[1] }]);
  const again = after([{ type: 'seen', record: record('pending') }], state);
  assert.deepEqual(again.commands, [{ do: 'put' }]);
  const there = after(['there', { type: 'seen', record: record('pending') }], again.state);
  assert.equal(there.state.phase, 'confirming');
  assert.deepEqual(after([{ type: 'seen', record: record('pending') }], there.state).commands, []);
});

test('bytes that somebody else sent to the file are not said to be those of this upload', () => {
  const others = { type: 'seen', record: record('available', { sha256: 'e'.repeat(64) }) };
  const ends = {
    'after 412': [...sending, 'there', others],
    'after a lost answer': [...sending, lost, 'woken', others],
    'after a fresh URL was refused': [...sending, 'expired', 'settled', others],
  };
  for (const [when, events] of Object.entries(ends)) {
    const { state, commands } = after(events);
    assert.equal(state.phase, 'failed', when);
    assert.equal(state.problem.code, 'otherBytes', when);
    assert.deepEqual(commands, [], `${when}: what isn’t ours isn’t deleted`);
    const again = after(['retry'], state);
    assert.equal(again.state.phase, 'queued', when);
    assert.deepEqual(again.commands, [], when);
  }
});

test('bytes are said to be those of this upload by their digest alone, also where the store has just taken them', () => {
  // Such as of a file that changed while it was sent, to a store that compares nothing.
  const others = { type: 'seen', record: record('available', { sha256: 'e'.repeat(64) }) };
  for (const sent of ['stored', 'there']) {
    assert.equal(after([...sending, sent, others]).state.problem.code, 'otherBytes', sent);
  }
});

test('an expired URL is replaced by a fresh one, a bounded number of times', () => {
  let { state, commands } = after([...sending, 'expired']);
  assert.deepEqual(commands, [{ do: 'renew' }]);
  for (let n = 1; n < LIMITS.renewals; n += 1) {
    ({ state } = after([{ type: 'renewed', upload }, 'expired'], state));
    assert.equal(state.phase, 'renewing');
  }
  ({ state } = after([{ type: 'renewed', upload }, 'expired'], state));
  assert.equal(state.phase, 'failed');
  assert.equal(state.problem.code, 'expired');
});

test('a URL that ran out while the lid was closed is replaced without trying it', () => {
  const { state } = after([...sending, lost, 'woken']);
  const { commands } = after([{ type: 'seen', record: record('pending') }], state, upload.deadline);
  assert.deepEqual(commands, [{ do: 'renew' }]);
});

test('a record that expired overnight is replaced by another one', () => {
  const { state } = after([...sending, lost, 'woken']);
  const { state: creating, commands } = after([{ type: 'seen', record: record('expired') }], state);
  assert.deepEqual(commands, [{ do: 'discard', id: 'a' }, { do: 'create' }]);
  assert.equal(creating.id, null);
  assert.equal(creating.sha256, DIGEST);
});

test('a fresh URL that is refused because the file is settled leads to a look', () => {
  const { commands } = after([...sending, 'expired', 'settled']);
  assert.deepEqual(commands, [{ do: 'look' }]);
});

test('damaged bytes are hashed and sent as another file, a bounded number of times', () => {
  let { state, commands } = after([...sending, 'damaged']);
  assert.deepEqual(commands, [{ do: 'discard', id: 'a' }, { do: 'hash' }]);
  for (let n = 0; n < LIMITS.restarts; n += 1) {
    ({ state } = after([{ type: 'hashed', sha256: DIGEST }, created, 'damaged'], state));
  }
  assert.equal(state.phase, 'failed');
  assert.equal(state.problem.code, 'damaged');
});

test('pauses grow, are bounded, and respect what the service asks for', () => {
  let state = after(sending).state;
  const pauses = [];
  for (let n = 0; n < LIMITS.failures; n += 1) {
    const waiting = after([lost], state);
    pauses.push(waiting.commands[0].ms);
    state = after(['woken', { type: 'seen', record: record('pending') }], waiting.state).state;
  }
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000, 30000]);
  state = after([lost], state).state;
  assert.equal(state.phase, 'failed');
  assert.equal(state.problem.code, 'unreachable');
  const asked = after([...sending, { type: 'lost', retryAfterMs: 5000 }]).commands[0].ms;
  assert.equal(asked, 5000);
  const tooMuch = after([...sending, { type: 'lost', retryAfterMs: 3_600_000 }]).commands[0].ms;
  assert.equal(tooMuch, 30_000);
});

test('being offline costs no tries, but not for ever', () => {
  let state = after(sending).state;
  for (let n = 0; n < LIMITS.offlineFailures; n += 1) {
    state = after([{ type: 'lost', offline: true }], state).state;
    assert.equal(state.phase, 'waiting');
    assert.ok(state.offline);
    state = after(['woken', { type: 'seen', record: record('pending') }], state).state;
  }
  assert.equal(state.failures, 0);
  assert.equal(after([{ type: 'lost', offline: true }], state).state.phase, 'failed');
});

test('being signed out costs no tries either, in every phase, and the upload goes on where it was', () => {
  const signedOut = { type: 'lost', cause: { code: 'signedOut', status: 401 } };
  const phases = {
    create: ['start', { type: 'hashed', sha256: DIGEST }],
    look: [...sending, lost, 'woken'],
    renew: [...sending, 'expired'],
  };
  for (const [work, events] of Object.entries(phases)) {
    let { state } = after(events);
    const { failures } = state;
    for (let n = 0; n < LIMITS.signedOutFailures; n += 1) {
      const waiting = after([signedOut], state);
      assert.equal(waiting.state.phase, 'waiting', work);
      assert.deepEqual(waiting.commands, [{ do: 'wait', ms: 15_000 }]);
      const woken = after(['woken'], waiting.state);
      assert.deepEqual(woken.commands, [{ do: work }]);
      state = woken.state;
    }
    assert.equal(state.failures, failures);
    const end = after([signedOut], state).state;
    assert.deepEqual([end.phase, end.problem.code], ['failed', 'signedOut'], 'but not for ever');
  }
});

test('a service that asks to go slower is waited for as long as it says, and ends it for that reason at last', () => {
  const limited = { type: 'lost', cause: { code: 'limited' }, retryAfterMs: 7000 };
  const first = after(['start', { type: 'hashed', sha256: DIGEST }, limited]);
  assert.deepEqual([first.state.phase, first.state.cause], ['waiting', limited.cause]);
  assert.deepEqual(first.commands, [{ do: 'wait', ms: 7000 }]);
  let { state } = first;
  for (let failures = 1; failures <= LIMITS.failures; failures += 1) {
    ({ state } = after(['woken', limited], state));
  }
  assert.deepEqual([state.phase, state.problem], ['failed', limited.cause]);
});

test('what stood in the way all the time is what is named in the end', () => {
  let { state } = after(sending);
  const proxy = { type: 'lost', cause: { code: 'intermediary', status: 502 } };
  while (state.phase !== 'failed') {
    ({ state } = after([proxy, 'woken', { type: 'seen', record: record('pending') }], state));
  }
  assert.deepEqual(state.problem, { code: 'intermediary', status: 502 });
});

test('a URL that names the wrong host is not used again', () => {
  const elsewhere = { type: 'refused', problem: { code: 'elsewhere', origin: 'http://a' } };
  const { state } = after([...sending, elsewhere]);
  const again = after(['retry', { type: 'seen', record: record('pending') }], state);
  assert.deepEqual(again.commands, [{ do: 'renew' }]);
});

test('what is refused for good frees its record, and only if that certainly has no bytes', () => {
  const full = { type: 'refused', problem: { code: 'full' } };
  const free = after([...sending, full]);
  assert.deepEqual([free.state.phase, free.state.problem.code, free.state.id], ['failed', 'full', null]);
  assert.deepEqual(free.commands, [{ do: 'discard', id: 'a' }]);
  assert.deepEqual(after(['retry'], free.state).commands, []);
  // One PUT of which nobody knows what became, before the one that was refused.
  const kept = after([...sending, lost, 'woken', { type: 'seen', record: record('pending') }, full]);
  assert.deepEqual([kept.state.phase, kept.state.id, kept.commands], ['failed', 'a', []]);
  assert.deepEqual(after(['dismiss'], kept.state).commands, [], 'it is a file in the list like any other');
  // What somebody else than the store says of a PUT says nothing about the file.
  const proxied = after([...sending, { type: 'refused', problem: { code: 'intermediary', status: 413 } }]);
  assert.deepEqual([proxied.state.id, proxied.commands], ['a', []]);
  assert.deepEqual(after(['dismiss'], proxied.state).commands, []);
  // Damaged bytes were refused; those before them may be there.
  const damaged = after([...sending, lost, 'woken', { type: 'seen', record: record('pending') }, 'damaged']);
  assert.deepEqual(damaged.commands, [{ do: 'hash' }]);
});

test('taking a failed upload off the list frees a record that nothing was sent to', () => {
  const elsewhere = after([...sending, { type: 'refused', problem: { code: 'elsewhere', origin: 'http://a' } }]);
  assert.deepEqual(after(['dismiss'], elsewhere.state).commands, [{ do: 'discard', id: 'a' }]);
  const signedOut = { type: 'lost', cause: { code: 'signedOut', status: 401 } };
  let { state } = after([...sending, 'expired']);
  while (state.phase !== 'failed') {
    ({ state } = after([signedOut, 'woken'], state));
  }
  assert.equal(state.id, 'a');
  assert.deepEqual(after(['dismiss'], state).commands, [{ do: 'discard', id: 'a' }]);
  const others = after([...sending, 'expired', 'settled', { type: 'seen', record: record('available', { sha256: 'e'.repeat(64) }) }]);
  assert.deepEqual(after(['dismiss'], others.state).commands, [], 'other bytes aren’t ours to delete');
});

test('what was interrupted goes on under its record, which is looked at first and never deleted by itself', () => {
  const interrupted = resume({ id: 'a', sha256: DIGEST });
  const looking = after(['start'], interrupted);
  assert.deepEqual([looking.state.phase, looking.commands], ['looking', [{ do: 'look' }]]);
  const renewing = after([{ type: 'seen', record: record('pending') }], looking.state);
  assert.deepEqual(renewing.commands, [{ do: 'renew' }]);
  const sent = after([{ type: 'renewed', upload }, 'there', { type: 'seen', record: record('available') }], renewing.state);
  assert.equal(sent.state.phase, 'available');
  const refused = after([{ type: 'renewed', upload }, { type: 'refused', problem: { code: 'full' } }], renewing.state);
  assert.deepEqual([refused.state.phase, refused.state.id, refused.commands], ['failed', 'a', []]);
  const again = after(['retry'], refused.state);
  assert.deepEqual([again.state.id, again.commands], ['a', [{ do: 'look' }]]);
  const gone = after(['gone'], looking.state);
  assert.deepEqual(gone.commands, [{ do: 'create' }]);
});

test('a lost answer to the creation is asked for again', () => {
  const { state } = after(['start', { type: 'hashed', sha256: DIGEST }, lost]);
  assert.deepEqual(after(['woken'], state).commands, [{ do: 'create' }]);
});

test('a creation that turns out to be settled already leads to a look', () => {
  const { commands } = after(['start', { type: 'hashed', sha256: DIGEST }, { type: 'created', id: 'a' }]);
  assert.deepEqual(commands, [{ do: 'look' }]);
});

test('cancelling stops the work and leaves no record behind', () => {
  const { state, commands } = after([...sending, 'cancel']);
  assert.equal(state.phase, 'cancelled');
  assert.deepEqual(commands, [{ do: 'abort' }, { do: 'discard', id: 'a' }]);
  assert.deepEqual(after(['start', 'cancel']).commands, [{ do: 'abort' }]);
});

test('what is sent can not be cancelled any more', () => {
  for (const events of [['stored'], ['stored', lost]]) {
    const { state } = after([...sending, ...events]);
    assert.equal(after(['cancel'], state).state, state);
  }
});

test('a hint that the service does not take leaves it to the notification', () => {
  for (const event of [lost, { type: 'refused', problem: { code: 'problem' } }]) {
    const { state, commands } = after([...sending, 'stored', event]);
    assert.equal(state.phase, 'confirming');
    assert.deepEqual(commands, [{ do: 'watch', id: 'a' }]);
  }
});

test('a file that was withdrawn since it was sent is over, and is not sent once more', () => {
  const seen = { type: 'seen', record: record('withdrawn', { reason: 'a virus', reasonCode: 'infected' }) };
  const { state } = after([...sending, 'stored', seen]);
  assert.equal(state.phase, 'rejected');
  assert.equal(state.problem.reasonCode, 'infected');
});

test('a rejected file says why, and trying again begins anew', () => {
  const seen = { type: 'seen', record: record('rejected', { reason: 'other bytes' }) };
  const { state } = after([...sending, 'stored', seen]);
  assert.equal(state.phase, 'rejected');
  assert.equal(state.problem.reason, 'other bytes');
  const again = after(['retry'], state);
  assert.equal(again.state.phase, 'queued');
  assert.deepEqual(again.commands, [{ do: 'discard', id: 'a' }]);
});

test('a file that is something else than its name says is rejected with what it is', () => {
  const said = { reason: 'the name ends in .pdf and the content is text/html', reasonCode: 'content_mismatch' };
  const seen = { type: 'seen', record: record('rejected', { ...said, detectedType: 'text/html' }) };
  const { state } = after([...sending, 'stored', seen]);
  assert.equal(state.phase, 'rejected');
  assert.deepEqual(state.problem, { code: 'otherContent', reason: said.reason, detectedType: 'text/html' });
  // A code that isn't known, or one without a type, is explained by what the service says.
  for (const other of [{ ...said }, { ...said, reasonCode: 'haunted', detectedType: 'text/html' }]) {
    const { problem } = after([...sending, 'stored', { type: 'seen', record: record('rejected', other) }]).state;
    assert.deepEqual(problem, { code: 'rejected', reason: said.reason, reasonCode: other.reasonCode });
  }
});

test('a file that the virus scanner has something against is rejected for that', () => {
  for (const reasonCode of ['infected', 'unscannable']) {
    const said = { reason: 'the virus scanner found Eicar', reasonCode, detectedType: 'text/plain' };
    const { state } = after([...sending, 'stored', { type: 'seen', record: record('rejected', said) }]);
    assert.equal(state.phase, 'rejected');
    assert.deepEqual(state.problem, { code: 'rejected', reason: said.reason, reasonCode });
  }
});

test('a file that waits for the virus scanner is waited for', () => {
  const seen = { type: 'seen', record: record('pending', { stage: 'scanning' }) };
  const { state } = after([...sending, 'stored', seen]);
  assert.deepEqual([state.phase, state.isProcessing], ['confirming', true]);
});

test('trying again after the service could not be reached goes on with the same record', () => {
  let { state } = after(sending);
  while (state.phase !== 'failed') {
    state = after([lost, 'woken', { type: 'seen', record: record('pending') }], state).state;
  }
  const { state: again, commands } = after(['retry'], state);
  assert.deepEqual(commands, [{ do: 'look' }]);
  assert.equal(again.id, 'a');
  assert.equal(again.failures, 0);
});

test('trying again deletes no record that may have its bytes, also where the file can’t be read any more', () => {
  // The store may have taken all of it before the stick was pulled out.
  const pulled = after([...sending, 'unreadable']);
  assert.equal(pulled.state.problem.code, 'unreadable');
  const again = after(['retry'], pulled.state);
  assert.deepEqual(again.commands, [{ do: 'look' }]);
  const there = after([{ type: 'seen', record: record('available') }], again.state);
  assert.equal(there.state.phase, 'available');
  assert.deepEqual(there.commands, []);
});

test('a file that was deleted while it was sent is not sent again behind its back', () => {
  assert.equal(after([...sending, 'stored', 'gone']).state.problem.code, 'deleted');
});

test('no sequence of answers gets stuck, and every one comes to an end', () => {
  const answers = {
    hash: [{ type: 'hashed', sha256: DIGEST }, { type: 'unreadable' }],
    create: [created, lost, { type: 'refused', problem: { code: 'problem' } }],
    put: ['stored', 'there', 'expired', 'damaged', 'unreadable'].map((type) => ({ type })).concat([lost]),
    renew: [{ type: 'renewed', upload }, { type: 'settled' }, { type: 'gone' }, lost],
    look: ['pending', 'available', 'rejected', 'expired']
      .map((status) => ({ type: 'seen', record: record(status) }))
      .concat([{ type: 'gone' }, lost]),
    complete: ['pending', 'available', 'rejected', 'expired']
      .map((status) => ({ type: 'seen', record: record(status) }))
      .concat([{ type: 'gone' }, lost, { type: 'refused', problem: { code: 'problem' } }]),
    wait: [{ type: 'woken' }],
    watch: ['available', 'rejected', 'expired']
      .map((status) => ({ type: 'seen', record: record(status) }))
      .concat([{ type: 'gone' }]),
  };
  // A generator of its own, so that a failure can be repeated.
  let seed = 20261124;
  const random = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
  const ends = new Set();
  for (let round = 0; round < 20_000; round += 1) {
    let { state, commands } = next(begin(), { type: 'start' }, NOW);
    // Some rounds have bad luck all the time.
    const bias = random();
    let steps = 0;
    while (!isOver(state)) {
      const work = commands.filter((command) => !['discard', 'abort'].includes(command.do));
      assert.equal(work.length, 1, `${state.phase} asks for one piece of work: ${JSON.stringify(commands)}`);
      const choices = answers[work[0].do];
      const choice = Math.min(choices.length - 1, Math.floor(random() ** (bias * 3) * choices.length));
      ({ state, commands } = next(state, choices[choice], random() < 0.2 ? NOW + 2000 : NOW));
      assert.ok(!isOver(state) || !isInFlight(state));
      steps += 1;
      assert.ok(steps < 400, `it goes on and on: ${JSON.stringify(state)}`);
    }
    ends.add(state.phase);
    if (state.phase === 'available') {
      assert.equal(state.record.status, 'available');
    } else {
      assert.ok(state.problem.code, 'an end without a file says why');
    }
  }
  assert.deepEqual([...ends].sort(), ['available', 'failed', 'rejected']);
});
