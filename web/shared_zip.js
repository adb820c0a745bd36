// Saves the files of a link as one archive. Loaded when somebody asks for it.
//
// Invariant: each file is asked for when its turn comes, and always with the key of the page, so it counts once however
// often it has to be fetched. What is refused is said by a code that zip_files.js knows.

import { savedAs } from './saved_name.js';
import { saveZip } from './zip_download.js';
import { Refused } from './zip_files.js';

// As the service names them, and what they are to whoever makes an archive.
const REFUSALS = {
  wrong_password: 'wrongPassword',
  link_gone: 'linkGone',
  link_not_found: 'linkGone',
  sign_in_required: 'signedOut',
  download_limit_reached: 'gone',
  file_not_found: 'gone',
  upload_pending: 'gone',
};

// `shared` is where the service tells what the link has. → what saveZip comes to.
export function saveLink({ shared, key, password, title, missingName }, { signal, onProgress }) {
  const ask = (where, options) => fetch(where, { ...options, cache: 'no-store', credentials: 'same-origin', redirect: 'manual' });
  return saveZip(
    { name: savedAs(`${title}.zip`.replace(/[/\\]/g, '_')), title, ready: async () => takable(await ask(shared, { signal })), missingName },
    {
      urlOf: async (file, stop) => {
        const where = `${shared}/files/${encodeURIComponent(file.id)}/downloads`;
        const { url, sha256 } = await granted(await ask(where, request({ key, password }, stop)));
        // Of a link with a password only whoever has it is told.
        file.sha256 ??= sha256;
        return url;
      },
      signal,
      after: (ms, run) => setTimeout(run, ms),
      onProgress,
    },
  );
}

function request({ key, password }, signal) {
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
    body: JSON.stringify(password === undefined ? {} : { password }),
    signal,
  };
}

// What can be taken now, or null where that can't be told.
async function takable(response) {
  const json = await jsonOf(response);
  if (REFUSALS[json?.code]) {
    throw new Refused(REFUSALS[json.code]);
  }
  const { files } = json ?? {};
  const isThere = ({ status, downloadsLeft }) => status === 'available' && downloadsLeft !== 0;
  return response.ok && Array.isArray(files) ? { files: files.filter(isThere) } : null;
}

async function granted(response) {
  const json = await jsonOf(response);
  if (response.status === 201 && typeof json?.url === 'string') {
    return json;
  }
  const seconds = Number(response.headers.get('Retry-After'));
  throw new Refused(REFUSALS[json?.code] ?? 'failed', seconds > 0 ? seconds * 1000 : 0);
}

const jsonOf = (response) => response.json().catch(() => null);
