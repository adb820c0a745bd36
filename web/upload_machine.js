// The life of one upload as a state machine.
//
// Invariant: pure. `next` takes a state and an event and gives the next state and what has to be done,
// at most one piece of work and its clean-up; it does nothing itself. Every loop has a bound in LIMITS.
//
//   queued → hashing → creating → sending → completing → confirming → available, rejected
//                                 │   ▲ │
//                  expired URL: renewing└── lost answer: waiting → looking ──▶ sending, or settled
//
// failed and cancelled can be reached from everywhere before confirming.
//
// Absent on purpose: the DOM, HTTP and timers. Commands say what to do:
//   {do: 'hash' | 'create' | 'put' | 'renew' | 'look' | 'complete'}   the work of a phase
//   {do: 'watch', id}           send `seen` or `gone` when the record is settled
//   {do: 'wait', ms}            send `woken` after `ms`, or earlier if the network seems to be back
//   {do: 'abort'}               stop the work in hand
//   {do: 'discard', id}         delete a record that nothing will come for

export const LIMITS = {
  // Tries of one step that fail in a row, with the pauses between them: about three minutes.
  failures: 9,
  // The same while the browser says that it is offline, a quarter of a minute apart: a lecture's length.
  offlineFailures: 480,
  // Fresh URLs for one record.
  renewals: 4,
  // Fresh records, because the one before expired or the bytes were damaged.
  restarts: 2,
};

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
const OFFLINE_PAUSE_MS = 15_000;

const COMMANDS = {
  hashing: 'hash',
  creating: 'create',
  sending: 'put',
  renewing: 'renew',
  looking: 'look',
  completing: 'complete',
};

// The bytes are there.
const SENT = new Set(['completing', 'confirming']);
const OVER = new Set(['available', 'rejected', 'failed', 'cancelled']);

export function begin() {
  return {
    phase: 'queued',
    id: null,
    // 64 hex digits, or null where the browser can't tell.
    sha256: null,
    // {url, headers, deadline}; the deadline in this machine's milliseconds.
    upload: null,
    failures: 0,
    offlineFailures: 0,
    renewals: 0,
    restarts: 0,
    // Waiting: the phase to go on with, and whether the browser said that it is offline.
    then: null,
    offline: false,
    // Over: the record, or what went wrong.
    record: null,
    problem: null,
  };
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

const STEPS = {
  queued: {
    start: (state) => go(state, 'hashing'),
  },
  hashing: {
    hashed: (state, { sha256 }) => go(state, 'creating', { sha256, failures: 0 }),
    unreadable: (state) => fail(state, { code: 'unreadable' }),
  },
  creating: {
    // Without an upload the record was made by an earlier try, and is settled since.
    created: (state, { id, upload = null }) =>
      go(state, upload ? 'sending' : 'looking', { id, upload, failures: 0, offlineFailures: 0, renewals: 0 }),
  },
  sending: {
    stored: (state) => go(state, 'completing', { failures: 0, offlineFailures: 0 }),
    // 412: an earlier try arrived, and its answer was lost.
    there: (state) => go(state, 'completing', { failures: 0, offlineFailures: 0 }),
    expired: (state) => renew(state),
    damaged: (state) => restart(state, 'hashing', { code: 'damaged' }),
    unreadable: (state) => fail(state, { code: 'unreadable' }),
  },
  renewing: {
    renewed: (state, { upload }) => go(state, 'sending', { upload }),
    // 409: bytes are there, or the record's time is over.
    settled: (state) => go(state, 'looking'),
    gone: (state) => restart(withoutRecord(state), 'creating', { code: 'deleted' }),
  },
  looking: {
    seen: (state, { record }, now) => (record.status === 'pending' ? send(state, now) : settle(state, record)),
    gone: (state) => restart(withoutRecord(state), 'creating', { code: 'deleted' }),
  },
  waiting: {
    woken: (state) => go(state, state.then, { then: null, offline: false }),
  },
  // Only a hint to the service: if it isn't taken, the store's own notification does the same.
  completing: {
    seen: (state, { record }) => (record.status === 'pending' ? confirm(state) : settle(state, record)),
    gone: (state) => fail(withoutRecord(state), { code: 'deleted' }),
    lost: (state) => confirm(state),
    refused: (state) => confirm(state),
  },
  confirming: {
    seen: (state, { record }) => (record.status === 'pending' ? stay(state) : settle(state, record)),
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

function confirm(state) {
  return { state: { ...state, phase: 'confirming' }, commands: [{ do: 'watch', id: state.id }] };
}

function send(state, now) {
  return state.upload && now < state.upload.deadline ? go(state, 'sending') : renew(state);
}

function renew(state) {
  return state.renewals < LIMITS.renewals
    ? go(state, 'renewing', { renewals: state.renewals + 1 })
    : fail(state, { code: 'expired' });
}

function settle(state, record) {
  switch (record.status) {
    case 'available':
      return end(state, 'available', { record, problem: null });
    case 'rejected':
      return end(state, 'rejected', { record, problem: { code: 'rejected', reason: record.reason } });
    default:
      // Expired, as after a night with the lid closed. The person asked for a file to be sent.
      return restart(state, 'creating', { code: 'expired' });
  }
}

// Another record for the same file. The old one would only confuse the list.
function restart(state, phase, problem) {
  if (state.restarts >= LIMITS.restarts) {
    return fail(state, problem);
  }
  const discarded = discard(state);
  const again = go(withoutRecord(state), phase, { restarts: state.restarts + 1 });
  return { state: again.state, commands: [...discarded, ...again.commands] };
}

function withoutRecord(state) {
  return { ...state, id: null, upload: null, record: null };
}

function discard(state) {
  return state.id === null ? [] : [{ do: 'discard', id: state.id }];
}

// No answer, or one that asks for patience. Which of the two steps before was lost isn't known, so
// after a PUT the record is looked at before the bytes are sent again.
function lost(state, { offline = false, retryAfterMs = 0 }) {
  const failures = state.failures + (offline ? 0 : 1);
  const offlineFailures = state.offlineFailures + (offline ? 1 : 0);
  if (failures > LIMITS.failures || offlineFailures > LIMITS.offlineFailures) {
    return fail({ ...state, failures, offlineFailures }, { code: 'unreachable' });
  }
  const pause = offline ? OFFLINE_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
  return {
    state: {
      ...state,
      phase: 'waiting',
      then: state.phase === 'sending' ? 'looking' : state.phase,
      offline,
      failures,
      offlineFailures,
    },
    commands: [{ do: 'wait', ms: Math.max(pause, Math.min(retryAfterMs, LONGEST_PAUSE_MS)) }],
  };
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
  // A record that still waits for its bytes is gone on with; the look says whether it does.
  const waits = state.phase === 'failed' && state.id !== null && state.problem.code !== 'damaged';
  const fresh = { ...begin(), sha256: state.sha256 };
  if (waits && state.problem.code !== 'unreadable') {
    return go({ ...fresh, id: state.id, upload: state.upload }, 'looking');
  }
  const again = { ...fresh, sha256: null };
  return { state: again, commands: discard(state) };
}
