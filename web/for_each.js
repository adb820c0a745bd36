// Does the same with many files at the service, such as deleting them.
//
// Invariant: at most LANES calls at a time, at most TRIES of each, with pauses between them that are bounded and
// respect what the service asks for. What can't be done is said, and doesn't stop the others.

import { LONGEST_PAUSE_MS, backOff } from './back_off.js';

const LANES = 3;
const TRIES = 4;

// work(id) → an event of the API; `done` is the type of the one that means success. after(ms, run). onDone(id) is told
// of each that is done. Resolves to the IDs of those that couldn't be done.
export async function forEach(ids, work, { done, after, onDone = () => {} }) {
  const left = [...ids];
  const failed = [];
  const lane = async () => {
    while (left.length > 0) {
      const id = left.shift();
      if (await isDone(() => work(id), { done, after })) {
        onDone(id);
      } else {
        failed.push(id);
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return failed;
}

async function isDone(work, { done, after }) {
  for (let failures = 0; failures < TRIES; failures += 1) {
    const event = await work();
    if (event.type === done) {
      return true;
    }
    if (event.type !== 'lost') {
      return false;
    }
    const pause = Math.min(LONGEST_PAUSE_MS, Math.max(event.retryAfterMs ?? 0, backOff(failures)));
    await new Promise((resolve) => after(pause, resolve));
  }
  return false;
}
