// Gathers files into one archive: each is fetched from the store, looked at, and written.
//
// Invariant: one file is in memory at a time, in one buffer that is as large as the largest of them. What goes into the
// archive is exactly the bytes whose SHA-256 the service shows. A file that broke off goes on where it did; whatever else
// came is fetched again. After TRIES in a row that brought nothing, or MAX_REQUESTS, it is named as missing, in the archive
// too. What was deleted, or may not be taken again, is asked for once, and what the store lets nobody have is asked for
// once more, by a fresh URL. Nothing goes on after a stop, after the end of the session, or where MOST_SILENT files in a
// row gave no answer.
//
// Absent on purpose: the DOM. What touches the world comes in as `ports`.

import { LONGEST_PAUSE_MS, backOff } from './back_off.js';
import { ZipNames } from './zip_names.js';
import { ZipWriter } from './zip.js';

const TRIES = 4;
const MAX_REQUESTS = 40;
const MOST_SILENT = 5;
// These end it all: no other file would be had either.
const ENDS_ALL = new Set(['signedOut', 'wrongPassword', 'tooManyTries', 'linkGone']);
// These are the service's last word on a file: it isn't there, or was taken as often as it may be.
const ENDS_FILE = new Set(['gone', 'taken']);
// The URL let nobody have it, mostly since its time was over.
const STALE = 'stale';

// Why a file isn't had, or no archive is made: `code` is one of ENDS_FILE or stale (of this file), one of ENDS_ALL, unread,
// offline, away or failed. `retryAfterMs` is how long whoever refused wants to be left alone.
export class Refused extends Error {
  constructor(code, retryAfterMs = 0) {
    super(code);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

// What an answer means that isn't the file. One that the store gave says nothing about the session.
export function refusedBy({ status, redirected }) {
  if (status === 404 || status === 410) {
    return new Refused('gone');
  }
  return new Refused(!redirected && (status === 401 || status === 403) ? 'signedOut' : 'failed');
}

// The same of an answer to a presigned URL, which is always the store's: it knows nobody, only the URL.
export function refusedByStore({ status }) {
  if (status === 404 || status === 410) {
    return new Refused('gone');
  }
  return new Refused(status === 401 || status === 403 ? STALE : 'failed');
}

// `files` as the service lists them, and `also`: {name, text} of what isn't somebody's. ports: get(file, from, signal) →
// {from, pieces}, the bytes from there on, which is where they were asked from or 0, or rejects, maybe with a Refused;
// digest(bytes), write(bytes), after(ms, run), now(), onProgress(written). Nobody keeps what digest and write are given.
// `missingName` is the name of the list of what couldn't be had. Resolves to the files that are missing, each with `why`: gone,
// taken or failed; rejects if what was written can't be kept, with a Refused where it makes no sense to go on.
export async function gather(title, files, { also = [], missingName, signal }, ports) {
  const names = new ZipNames(title);
  const zip = new ZipWriter(ports.write);
  const missing = [];
  for (const { name, text } of also) {
    await zip.add(names.own(name), new TextEncoder().encode(text), ports.now());
  }
  const buffer = new Uint8Array(files.reduce((most, { size }) => Math.max(most, size), 0));
  let silent = 0;
  for (const [at, file] of files.entries()) {
    // Also of one that is missing, so that a table of all files can say the names beforehand.
    const name = names.of(file);
    const { bytes, isSilent, why = 'failed' } = await fetched(file, buffer.subarray(0, file.size), signal, ports);
    signal.throwIfAborted();
    silent = isSilent ? silent + 1 : 0;
    if (silent === MOST_SILENT) {
      throw new Refused('away');
    }
    if (bytes === null) {
      missing.push({ ...file, why });
    } else {
      await zip.add(name, bytes, file.uploadedAt ? Date.parse(file.uploadedAt) : ports.now());
    }
    ports.onProgress(at + 1 - missing.length);
  }
  if (missing.length > 0) {
    const list = missing.map((file) => `${whole(file)} (${file.id})\r\n`).join('');
    await zip.add(names.own(missingName), new TextEncoder().encode(list), ports.now());
  }
  await zip.finish();
  return missing;
}

const whole = ({ submitter, displayName }) => (submitter === undefined ? displayName : `${submitter} – ${displayName}`);

// Fills `bytes`. They are null if they can't be had, with `why` where that is known, and `isSilent` tells whether the last
// answer wasn't one.
async function fetched(file, bytes, signal, { get, digest, after }) {
  let isSilent = false;
  let filled = 0;
  let failures = 0;
  let isStale = false;
  for (let requests = 0; failures < TRIES && requests < MAX_REQUESTS && !signal.aborted; requests += 1) {
    const before = filled;
    const answer = await receive(file, bytes, filled, signal, get);
    ({ filled } = answer);
    if (ENDS_ALL.has(answer.error?.code)) {
      throw answer.error;
    }
    if (ENDS_FILE.has(answer.error?.code)) {
      return { bytes: null, isSilent: false, why: answer.error.code };
    }
    if (answer.error?.code === STALE) {
      if (isStale) {
        return { bytes: null, isSilent: false };
      }
      isStale = true;
      continue;
    }
    isSilent = answer.error !== null;
    if (!isSilent && filled === bytes.length && (await digest(bytes)) === file.sha256) {
      return { bytes, isSilent };
    }
    const isFurther = filled > before;
    failures = isFurther && isSilent ? 0 : failures + 1;
    // Where it can't go on, it begins anew.
    filled = isFurther && isSilent ? filled : 0;
    if (failures < TRIES && !signal.aborted) {
      const pause = Math.min(LONGEST_PAUSE_MS, Math.max(answer.error?.retryAfterMs ?? 0, backOff(Math.max(0, failures - 1))));
      await paused(pause, signal, after);
    }
  }
  return { bytes: null, isSilent };
}

// A stop ends it too.
function paused(ms, signal, after) {
  return new Promise((resolve) => {
    after(ms, resolve);
    signal.addEventListener('abort', resolve, { once: true });
  });
}

// How far `bytes` is filled once an answer has ended or broken off, and `error` where it did.
async function receive(file, bytes, from, signal, get) {
  let filled = from;
  if (from > 0 && from === bytes.length) {
    return { filled, error: null };
  }
  try {
    const answer = await get(file, from, signal);
    filled = answer.from;
    for await (const piece of answer.pieces) {
      if (filled + piece.length > bytes.length) {
        return { filled: 0, error: null };
      }
      bytes.set(piece, filled);
      filled += piece.length;
    }
    return { filled, error: null };
  } catch (error) {
    return { filled, error };
  }
}
