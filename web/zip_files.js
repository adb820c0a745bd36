// Gathers the files of a box into one archive: each is fetched from the store, looked at, and written.
//
// Invariant: one file is in memory at a time. What goes into the archive is exactly the bytes whose SHA-256 the service
// shows; whatever else came is fetched again, TRIES times, and then named as missing, in the archive too. Nothing goes on
// after a stop.
//
// Absent on purpose: the DOM. What touches the world comes in as `ports`.

import { backOff } from './back_off.js';
import { ZipNames } from './zip_names.js';
import { ZipWriter } from './zip.js';

const TRIES = 4;

// `files` as the service lists them, and `also`: {name, text} of what isn't somebody's. ports: get(id, signal) →
// Uint8Array, digest(bytes), write(bytes), after(ms, run), now(), onProgress(done). `missingName` is the name of the list
// of what couldn't be had. Resolves to the files that are missing; rejects if what was written can't be kept.
export async function gather(title, files, { also = [], missingName, signal }, ports) {
  const names = new ZipNames(title);
  const zip = new ZipWriter(ports.write);
  const missing = [];
  for (const { name, text } of also) {
    await zip.add(names.own(name), new TextEncoder().encode(text), ports.now());
  }
  for (const [at, file] of files.entries()) {
    const bytes = await fetched(file, signal, ports);
    signal.throwIfAborted();
    if (bytes === null) {
      missing.push(file);
    } else {
      await zip.add(names.of(file), bytes, Date.parse(file.uploadedAt));
    }
    ports.onProgress(at + 1);
  }
  if (missing.length > 0) {
    const list = missing.map(({ submitter, displayName, id }) => `${submitter} – ${displayName} (${id})\r\n`).join('');
    await zip.add(names.own(missingName), new TextEncoder().encode(list), ports.now());
  }
  await zip.finish();
  return missing;
}

// Null if it can't be had.
async function fetched({ id, size, sha256 }, signal, { get, digest, after }) {
  for (let failures = 0; failures < TRIES && !signal.aborted; failures += 1) {
    const bytes = await get(id, signal).catch(() => null);
    if (bytes !== null && bytes.length === size && (await digest(bytes)) === sha256) {
      return bytes;
    }
    if (failures + 1 < TRIES) {
      await new Promise((resolve) => after(backOff(failures), resolve));
    }
  }
  return null;
}
