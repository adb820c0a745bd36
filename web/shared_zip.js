// Saves the files of a link as one archive. Loaded when somebody asks for it.
//
// Invariant: each file is asked for when its turn comes, and always with the key of the page, so it counts once however
// often it has to be fetched. What this page has taken before is asked for too, though nobody else may take it any more.
// Every call has an end. What is refused is said by a code that zip_files.js knows.

import { savedAs } from './saved_name.js';
import { saveZip } from './zip_download.js';
import { Refused, refusedByStore } from './zip_files.js';

// The service says at once what there is; before it grants anything it may have to look at a password, for which others
// wait too.
const LIST_WITHIN_MS = 15_000;
const GRANT_WITHIN_MS = 30_000;

// As the service names them, and what they are to whoever makes an archive.
const REFUSALS = {
  wrong_password: 'wrongPassword',
  too_many_tries: 'tooManyTries',
  link_gone: 'linkGone',
  link_not_found: 'linkGone',
  sign_in_required: 'signedOut',
  download_limit_reached: 'taken',
  file_not_found: 'gone',
  upload_pending: 'gone',
};

// `shared` is where the service tells what the link has. isOnline() is what the browser thinks of its network. → what saveZip
// comes to, or {type: 'offline'}.
export async function saveLink({ shared, key, password, title, missingName }, { signal, onProgress, isOnline }) {
  const list = () => answered(shared, {}, signal, LIST_WITHIN_MS);
  // Nobody chooses a place for an archive that can't be made. A service on this very computer needs no network.
  if (!isOnline() && (await list()) === null) {
    return { type: signal.aborted ? 'stopped' : 'offline' };
  }
  const grant = async (file, stop) => {
    const where = `${shared}/files/${encodeURIComponent(file.id)}/downloads`;
    const { url, sha256 } = granted(await answered(where, request({ key, password }), stop, GRANT_WITHIN_MS));
    // Of a link with a password only whoever has it is told.
    file.sha256 ??= sha256;
    return url;
  };
  return saveZip(
    { name: savedAs(`${title}.zip`.replace(/[/\\]/g, '_')), title, ready: async () => takable(await list(), isOnline), missingName },
    { urlOf: grant, refused: refusedByStore, signal, after: (ms, run) => setTimeout(run, ms), onProgress },
  );
}

function request({ key, password }) {
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
    body: JSON.stringify(password === undefined ? {} : { password }),
  };
}

// {status, json, pauseMs} of an answer, json being null where it has none; null where there was no answer in time.
async function answered(where, options, signal, within) {
  // By hand: AbortSignal.any isn't on phones that are a few years old.
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, within);
  signal.addEventListener('abort', abort);
  try {
    const fixed = { cache: 'no-store', credentials: 'same-origin', redirect: 'manual', signal: controller.signal };
    const response = await fetch(where, { ...options, ...fixed });
    const seconds = Number(response.headers.get('Retry-After'));
    const json = await response.json().catch(() => null);
    // No call leads anywhere else: a redirect is that of a sign-in before the service.
    const isSignIn = response.type === 'opaqueredirect' || (response.status === 401 && typeof json?.code !== 'string');
    return { status: response.status, json: isSignIn ? { code: 'sign_in_required' } : json, pauseMs: seconds > 0 ? seconds * 1000 : 0 };
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

// What is there, or null where that can't be told. What was taken as often as it may be is asked for all the same: whoever took
// it on this page gets it once more, and the service says so of the rest.
function takable(answer, isOnline) {
  const { status, json } = answer ?? {};
  if (REFUSALS[json?.code]) {
    throw new Refused(REFUSALS[json.code]);
  }
  if (answer === null && !isOnline()) {
    throw new Refused('offline');
  }
  return status === 200 && Array.isArray(json?.files) ? { files: json.files.filter((file) => file.status === 'available') } : null;
}

function granted(answer) {
  if (answer === null) {
    throw new Refused('failed');
  }
  const { status, json, pauseMs } = answer;
  if (status === 201 && typeof json?.url === 'string') {
    return json;
  }
  throw new Refused(REFUSALS[json?.code] ?? 'failed', pauseMs);
}
