// Sends a file's bytes to its presigned URL where there is no XMLHttpRequest, as in Node.
//
// Invariant: whatever happens, ends in one event for the state machine. A request over which nothing can be moving any
// more is given up: fetch doesn't say how far it is, so it has as long as a slow line would need.

import { mediaTypeOf } from '../../../web/intermediary.js';
import { putOutcome, retryAfterMs } from '../../../web/put_outcome.js';

const STALLED_AFTER_MS = 45_000;
// Slower than this is taken for stalled.
const SLOWEST_BYTES_PER_MS = 8;
const LONGEST_ANSWER_CHARACTERS = 64 * 1024;

// Gives {done, abort}: a promise of the event, and a way to stop.
export function putByFetch(upload, file, onProgress) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  return { done: send(upload, file, onProgress, controller), abort };
}

async function send({ url, method, headers }, file, onProgress, controller) {
  const patience = STALLED_AFTER_MS + file.size / SLOWEST_BYTES_PER_MS;
  const timer = setTimeout(() => controller.abort(), patience);
  try {
    const response = await fetch(url, { method, headers, body: file, signal: controller.signal, redirect: 'manual' });
    const body = (await response.text()).slice(0, LONGEST_ANSWER_CHARACTERS);
    const event = putOutcome({
      status: response.status,
      body,
      mediaType: mediaTypeOf(response.headers.get('Content-Type')),
      retryAfterMs: retryAfterMs(response.headers.get('Retry-After')),
    });
    if (event.type === 'stored') {
      onProgress(file.size);
    }
    return event;
  } catch {
    return (await isReadable(file)) ? { type: 'lost' } : { type: 'unreadable' };
  } finally {
    clearTimeout(timer);
  }
}

async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
