// Gathers the files of a box into one archive: each is fetched from the store, looked at, and written.
//
// Invariant: one file is in memory at a time. What goes into the archive is exactly the bytes whose SHA-256 the service
// shows; whatever else came is fetched again, TRIES times, and then named as missing, in the archive too. What was deleted
// is asked for once. Nothing goes on after a stop, after the end of the session, or where MOST_SILENT files in a row gave
// no answer.
//
// Absent on purpose: the DOM. What touches the world comes in as `ports`.

import { backOff } from './back_off.js';
import { ZipNames } from './zip_names.js';
import { ZipWriter } from './zip.js';

const TRIES = 4;
const MOST_SILENT = 5;

// Why a file isn't had, or no archive is made: `code` is signedOut, gone, away or failed.
export class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

// What an answer means that isn't the file. One that the store gave says nothing about the session.
export function refusedBy({ status, redirected }) {
  if (status === 404 || status === 410) {
    return new Refused('gone');
  }
  return new Refused(!redirected && (status === 401 || status === 403) ? 'signedOut' : 'failed');
}

// `files` as the service lists them, and `also`: {name, text} of what isn't somebody's. ports: get(id, signal) →
// Uint8Array or rejects, maybe with a Refused; digest(bytes), write(bytes), after(ms, run), now(), onProgress(written).
// `missingName` is the name of the list of what couldn't be had. Resolves to the files that are missing; rejects if what
// was written can't be kept, with a Refused where it makes no sense to go on.
export async function gather(title, files, { also = [], missingName, signal }, ports) {
  const names = new ZipNames(title);
  const zip = new ZipWriter(ports.write);
  const missing = [];
  for (const { name, text } of also) {
    await zip.add(names.own(name), new TextEncoder().encode(text), ports.now());
  }
  let silent = 0;
  for (const [at, file] of files.entries()) {
    const { bytes, isSilent } = await fetched(file, signal, ports);
    signal.throwIfAborted();
    silent = isSilent ? silent + 1 : 0;
    if (silent === MOST_SILENT) {
      throw new Refused('away');
    }
    if (bytes === null) {
      missing.push(file);
    } else {
      await zip.add(names.of(file), bytes, Date.parse(file.uploadedAt));
    }
    ports.onProgress(at + 1 - missing.length);
  }
  if (missing.length > 0) {
    const list = missing.map(({ submitter, displayName, id }) => `${submitter} – ${displayName} (${id})\r\n`).join('');
    await zip.add(names.own(missingName), new TextEncoder().encode(list), ports.now());
  }
  await zip.finish();
  return missing;
}

// `bytes` is null if it can't be had, and `isSilent` tells whether the last answer wasn't one.
async function fetched({ id, size, sha256 }, signal, { get, digest, after }) {
  let isSilent = false;
  for (let failures = 0; failures < TRIES && !signal.aborted; failures += 1) {
    const answer = await get(id, signal).catch((error) => error);
    if (answer.code === 'signedOut') {
      throw answer;
    }
    if (answer.code === 'gone') {
      return { bytes: null, isSilent: false };
    }
    isSilent = answer instanceof Error;
    if (!isSilent && answer.length === size && (await digest(answer)) === sha256) {
      return { bytes: answer, isSilent };
    }
    if (failures + 1 < TRIES) {
      await new Promise((resolve) => after(backOff(failures), resolve));
    }
  }
  return { bytes: null, isSilent };
}
