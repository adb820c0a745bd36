// The life of one upload as a state machine.
//
// Invariant: pure. `next` takes a state and an event and gives the next state and what has to be done,
// at most one piece of work and its clean-up; it does nothing itself. Every loop has a bound in LIMITS.
// A file is `available` here only if its digest is that of this upload's bytes. A record in a state that isn't known
// is waited for: it is neither deleted nor sent again. By itself it deletes only a record that certainly has no bytes:
// none was sent to it, or the store has refused what was.
//
//   queued → hashing → creating → sending → completing → confirming → available, rejected
//                                 │   ▲ │
//                  expired URL: renewing└── lost answer: waiting → looking ──▶ sending, or settled
//
// failed and cancelled can be reached from everywhere before confirming. What was interrupted on another page, or on
// this one before it was loaded anew, goes on from queued to looking.
//
// Absent on purpose: the DOM, HTTP and timers. Commands say what to do:
//   {do: 'hash' | 'create' | 'put' | 'renew' | 'look' | 'complete'}   the work of a phase
//   {do: 'watch', id}           send `seen` for whatever the record comes to, or `gone`
//   {do: 'wait', ms}            send `woken` after `ms`, or earlier if the network seems to be back
//   {do: 'abort'}               stop the work in hand
//   {do: 'discard', id}         delete a record that nothing will come for

import { backOff, LONGEST_PAUSE_MS } from './back_off.js';
import { awaitsBytes, isFinal, otherContentOf } from './record.js';

export const LIMITS = {
  // Tries of one step that fail in a row, with the pauses between them: about three minutes.
  failures: 9,
  // The same while the browser says that it is offline, a quarter of a minute apart: a lecture's length.
  offlineFailures: 480,
  // The same while the person has to sign in again: a day.
  signedOutFailures: 5760,
  // Fresh URLs for one record.
  renewals: 4,
  // Fresh records, because the one before expired or the bytes were damaged.
  restarts: 2,
};

// While the browser is offline, or the person signed out: both say when they are over, mostly.
const OFFLINE_PAUSE_MS = 15_000;

const COMMANDS = {
  hashing: 'hash',
  creating: 'create',
  sending: 'put',
  renewing: 'renew',
  looking: 'look',
  completing: 'complete',
};

// Bytes are there.
const SENT = new Set(['completing', 'confirming']);
const OVER = new Set(['available', 'rejected', 'failed', 'cancelled']);
// Failed for a reason for which the record is of no use any more, or only its URL. A file that can't be read isn't
// such a reason: the store may have taken all of it before.
const BEGINS_ANEW = new Set(['damaged', 'otherBytes']);
const STALE_URL = new Set(['mixed', 'elsewhere']);
// The store's own word against the bytes.
const OF_STORE = new Set(['full', 'store']);

export function begin() {
  return {
    phase: 'queued',
    id: null,
    // 64 hex digits; null until the file was read.
    sha256: null,
    // {url, headers, deadline}; the deadline in this machine's milliseconds.
    upload: null,
    failures: 0,
    offlineFailures: 0,
    signedOutFailures: 0,
    renewals: 0,
    restarts: 0,
    // What the store said to the bytes: `stored` (200), `there` (412: somebody's bytes), or nothing.
    sent: null,
    // Whether bytes went out of which it isn't known what became.
    mayHaveBytes: false,
    // Confirming: whether the service does more with the file than waiting for its bytes.
    isProcessing: false,
    // Waiting: the phase to go on with, whether the browser said that it is offline, and what else is known.
    then: null,
    offline: false,
    cause: null,
    // Over: the record, or what went wrong.
    record: null,
    problem: null,
  };
}

// An upload that was interrupted before, of whose record and bytes no more is known than these.
export function resume({ id, sha256 }) {
  return { ...begin(), id, sha256, mayHaveBytes: true };
}

// Whether nothing more happens by itself.
export function isOver(state) {
  return OVER.has(state.phase);
}

// Whether it takes one of the places for uploads in flight.
export function isInFlight(state) {
  return !isOver(state) && state.phase !== 'queued' && state.phase !== 'confirming';
}

export function next(state, event, now) {
  if (event.type === 'cancel') {
    return cancel(state);
  }
  if (event.type === 'retry') {
    return retry(state);
  }
  if (event.type === 'dismiss') {
    return dismiss(state);
  }
  const step = STEPS[state.phase]?.[event.type];
  if (step) {
    return step(state, event, now);
  }
  if (COMMANDS[state.phase] && event.type === 'lost') {
    return lost(state, event);
  }
  if (COMMANDS[state.phase] && event.type === 'refused') {
    return fail(state, event.problem);
  }
  return stay(state);
}

const NO_FAILURES = { failures: 0, offlineFailures: 0, signedOutFailures: 0 };

const STEPS = {
  queued: {
    start: (state) => go(state, state.id === null ? 'hashing' : 'looking'),
  },
  hashing: {
    hashed: (state, { sha256 }) => go(state, 'creating', { sha256, failures: 0 }),
    unreadable: (state) => fail(state, { code: 'unreadable' }),
  },
  creating: {
    // Without an upload the record was made by an earlier try, and is settled since.
    created: (state, { id, upload = null }) =>
      go(state, upload ? 'sending' : 'looking', { ...NO_FAILURES, id, upload, renewals: 0 }),
  },
  sending: {
    stored: (state) => go(state, 'completing', { ...NO_FAILURES, sent: 'stored' }),
    // 412: an earlier try arrived and its answer was lost, or somebody else was faster.
    there: (state) => go(state, 'completing', { ...NO_FAILURES, sent: 'there' }),
    expired: (state) => renew(state),
    damaged: (state) => restart(state, 'hashing', { code: 'damaged' }),
    unreadable: (state) => fail({ ...state, mayHaveBytes: true }, { code: 'unreadable' }),
    refused: (state, { problem }) => refuse(state, problem),
  },
  renewing: {
    renewed: (state, { upload }) => go(state, 'sending', { upload }),
    // 409: bytes are there, or the record's time is over.
    settled: (state) => go(state, 'looking'),
    gone: (state) => restart(withoutRecord(state), 'creating', { code: 'deleted' }),
  },
  looking: {
    seen: (state, { record }, now) => (awaitsBytes(record) ? send(state, now) : settle(state, record)),
    gone: (state) => restart(withoutRecord(state), 'creating', { code: 'deleted' }),
  },
  waiting: {
    woken: (state) => go(state, state.then, { then: null, offline: false, cause: null }),
  },
  // Only a hint to the service: if it isn't taken, the store's own notification does the same.
  completing: {
    seen: (state, { record }) => settle(state, record),
    gone: (state) => fail(withoutRecord(state), { code: 'deleted' }),
    lost: (state) => confirm(state),
    refused: (state) => confirm(state),
  },
  confirming: {
    // Where the store said nothing to the bytes, a record that waits for them again is to get them.
    seen: (state, { record }, now) =>
      awaitsBytes(record) && state.sent === null ? send(state, now) : settle(state, record),
    gone: (state) => fail(withoutRecord(state), { code: 'deleted' }),
  },
};

function stay(state) {
  return { state, commands: [] };
}

function go(state, phase, changes = {}) {
  return { state: { ...state, ...changes, phase }, commands: [{ do: COMMANDS[phase] }] };
}

function end(state, phase, changes = {}) {
  return { state: { ...state, ...changes, phase }, commands: [] };
}

function fail(state, problem) {
  return end(state, 'failed', { problem });
}

// Only the store knows that it has no bytes, and the page where it sent none.
function refuse(state, problem) {
  if (OF_STORE.has(problem.code)) {
    return failForGood(state, problem);
  }
  return fail({ ...state, mayHaveBytes: state.mayHaveBytes || !STALE_URL.has(problem.code) }, problem);
}

// Trying again begins anew, so a record without bytes would only be waited for, by everybody who sees it.
function failForGood(state, problem) {
  return isEmpty(state) ? { ...fail(withoutRecord(state), problem), commands: discard(state) } : fail(state, problem);
}

// Whether its record certainly has no bytes.
function isEmpty({ id, mayHaveBytes, sent }) {
  return id !== null && !mayHaveBytes && sent === null;
}

function confirm(state, isProcessing = false) {
  if (state.phase !== 'confirming') {
    return { state: { ...state, phase: 'confirming', isProcessing }, commands: [{ do: 'watch', id: state.id }] };
  }
  return state.isProcessing === isProcessing ? stay(state) : end(state, 'confirming', { isProcessing });
}

function send(state, now) {
  return state.upload && now < state.upload.deadline ? go(state, 'sending') : renew(state);
}

function renew(state) {
  return state.renewals < LIMITS.renewals
    ? go(state, 'renewing', { renewals: state.renewals + 1 })
    : failForGood(state, { code: 'expired' });
}

// What the record comes to. Only what is known to be final ends the upload.
function settle(state, record) {
  if (!isFinal(record)) {
    return confirm(state, !awaitsBytes(record));
  }
  switch (record.status) {
    case 'available':
      return compare(state, record);
    case 'rejected':
    case 'withdrawn':
      return end(state, 'rejected', { record, problem: rejection(record) });
    default:
      // Expired, as after a night with the lid closed. The person asked for a file to be sent.
      return restart(state, 'creating', { code: 'expired' });
  }
}

function rejection(record) {
  const { reason, reasonCode } = record;
  const detectedType = otherContentOf(record);
  return detectedType === null ? { code: 'rejected', reason, reasonCode } : { code: 'otherContent', reason, detectedType };
}

// Whether the bytes that are there are those that were to be sent: whoever knows a file's ID can have a URL
// for it, and send something else first.
function compare(state, record) {
  return state.sha256 === record.sha256
    ? end(state, 'available', { record, problem: null })
    : fail({ ...state, mayHaveBytes: true }, { code: 'otherBytes' });
}

// Another record for the same file. The old one would only confuse the list.
function restart(state, phase, problem) {
  if (state.restarts >= LIMITS.restarts) {
    return failForGood(state, problem);
  }
  const discarded = problem.code === 'expired' || isEmpty(state) ? discard(state) : [];
  const again = go(withoutRecord(state), phase, { restarts: state.restarts + 1 });
  return { state: again.state, commands: [...discarded, ...again.commands] };
}

function withoutRecord(state) {
  return { ...state, id: null, upload: null, record: null, sent: null, mayHaveBytes: false, isProcessing: false };
}

function discard(state) {
  return state.id === null ? [] : [{ do: 'discard', id: state.id }];
}

// No answer, or one that asks for patience. Which of the two steps before was lost isn't known, so
// after a PUT the record is looked at before the bytes are sent again.
function lost(state, { offline = false, retryAfterMs = 0, cause = null }) {
  const counter = counterOf(offline, cause);
  const failures = state[counter] + 1;
  const mayHaveBytes = state.mayHaveBytes || state.phase === 'sending';
  const counted = { ...state, [counter]: failures, cause, mayHaveBytes };
  if (failures > LIMITS[counter]) {
    return fail(counted, cause ?? { code: 'unreachable' });
  }
  const isOurs = counter === 'failures';
  const pause = isOurs ? backOff(failures - 1) : OFFLINE_PAUSE_MS;
  const then = state.phase === 'sending' ? 'looking' : state.phase;
  return {
    state: { ...counted, phase: 'waiting', then, offline },
    commands: [{ do: 'wait', ms: Math.max(pause, Math.min(retryAfterMs, LONGEST_PAUSE_MS)) }],
  };
}

function counterOf(offline, cause) {
  if (offline) {
    return 'offlineFailures';
  }
  return cause?.code === 'signedOut' ? 'signedOutFailures' : 'failures';
}

// What was sent is there, so cancelling it would be deleting it: that is done in the list.
function cancel(state) {
  if (isOver(state) || SENT.has(state.phase)) {
    return stay(state);
  }
  const commands = [{ do: 'abort' }, ...discard(state)];
  return { state: { ...withoutRecord(state), phase: 'cancelled' }, commands };
}

function retry(state) {
  if (!isOver(state) || state.phase === 'available') {
    return stay(state);
  }
  const { id, upload, problem } = state;
  const fresh = { ...begin(), sha256: state.sha256, mayHaveBytes: state.mayHaveBytes };
  // A record that still waits for its bytes is gone on with; the look says whether it does.
  if (state.phase === 'failed' && id !== null && !BEGINS_ANEW.has(problem.code)) {
    return go({ ...fresh, id, upload: STALE_URL.has(problem.code) ? null : upload }, 'looking');
  }
  return { state: begin(), commands: state.phase === 'rejected' || isEmpty(state) ? discard(state) : [] };
}

// Taken off the list. A record that may have bytes is a file in the list like any other.
function dismiss(state) {
  return state.phase === 'failed' && isEmpty(state)
    ? { state: withoutRecord(state), commands: discard(state) }
    : stay(state);
}
