// Uploads to a File Share Service, from a page of any origin that the service allows, or from Node.
//
// Invariant: the life of an upload is that of the service's own page: what is shared with it comes from there when the
// package is made, and isn't copied by hand. Who gets a result has the very bytes of the file at the service.

import { Client, apiOf } from './client.js';
import { UploadError } from './upload_error.js';
import { LONGEST_PAUSE_MS, backOff } from '../../../web/back_off.js';

export { UploadError };

const LINK_TRIES = 4;

// Sends a file, and resolves once the service has checked it. Rejects with an UploadError, or with the signal's reason.
export async function upload(file, { base, token, name, metadata, signal, onProgress } = {}) {
  signal?.throwIfAborted();
  const client = new Client({ base, token, metadata });
  const sending = client.begin(file, { name, onProgress });
  const abort = () => sending.cancel(signal.reason);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await sending.done;
  } finally {
    sending.dismiss();
    signal?.removeEventListener('abort', abort);
  }
}

// A URL that passes files on, by their IDs, to people without an account: the URL is a secret.
export async function createLink(files, { base, token, ...wanted } = {}) {
  const api = apiOf({ base, token });
  for (let failures = 0; ; failures += 1) {
    const event = await api.link({ files: [files].flat(), ...wanted });
    if (event.type === 'linked') {
      return { url: event.url };
    }
    if (event.type !== 'lost' || failures + 1 >= LINK_TRIES) {
      throw new UploadError(event.type === 'gone' ? { code: 'deleted' } : (event.problem ?? event.cause ?? { code: 'unreachable' }));
    }
    const pause = Math.min(LONGEST_PAUSE_MS, Math.max(event.retryAfterMs ?? 0, backOff(failures)));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
