// Sends a file's bytes to its presigned URL.
//
// Invariant: whatever happens, ends in one event for the state machine; a connection over which
// nothing moves any more is given up, as after a laptop's lid was closed.
//
// XMLHttpRequest and not fetch: only it says how many bytes have gone out.

import { mediaTypeOf } from './intermediary.js';
import { putOutcome, retryAfterMs } from './put_outcome.js';

// Without a byte moving, or an answer after the last one.
const STALLED_AFTER_MS = 45_000;

// Gives {done, abort}: a promise of the event, and a way to stop.
export function put(upload, file, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve) => {
    let watchdog;
    const moved = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => request.abort(), STALLED_AFTER_MS);
    };
    const end = (event) => {
      clearTimeout(watchdog);
      resolve(event);
    };
    request.upload.addEventListener('progress', ({ loaded }) => {
      moved();
      onProgress(loaded);
    });
    request.upload.addEventListener('load', moved);
    request.addEventListener('load', () => {
      const { status, responseText: body } = request;
      const mediaType = mediaTypeOf(request.getResponseHeader('Content-Type'));
      const pause = retryAfterMs(request.getResponseHeader('Retry-After'));
      end(putOutcome({ status, body, mediaType, retryAfterMs: pause }));
    });
    request.addEventListener('abort', () => end({ type: 'lost' }));
    // The browser doesn't tell a network that broke from a file that did.
    request.addEventListener('error', async () => {
      end((await isReadable(file)) ? { type: 'lost' } : { type: 'unreadable' });
    });
    request.open(upload.method, upload.url);
    for (const [name, value] of Object.entries(upload.headers)) {
      request.setRequestHeader(name, value);
    }
    moved();
    request.send(file);
  });
  return { done, abort: () => request.abort() };
}

async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
