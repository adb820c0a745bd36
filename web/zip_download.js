// Saves files as one archive that the browser makes. Loaded when somebody asks for it.
//
// Invariant: no byte of a file goes through the service. The archive goes piece by piece to where it is kept, so that no
// more than a file is in memory: to a file of the person's choice where the browser can do that, else to one that the
// browser has for this page alone and then saves. Where there is neither, the browser keeps the pieces, up to
// MAX_KEPT_BYTES. What goes into it is asked for when there is a place for it, and where not all of that is known there is
// no archive.

import { SAVED_WITHIN_MS, newArchive, removeLeftOver } from './own_archives.js';
import { saveAs, saveBlob } from './save.js';
import { Sha256 } from './sha256.js';
import { Refused, gather, refusedBy } from './zip_files.js';
import { ZipNames } from './zip_names.js';

const TYPE = 'application/zip';
const MAX_KEPT_BYTES = 1024 * 1024 * 1024;
// How long a store may say nothing before it is asked again.
const PATIENCE_MS = 60_000;
// So many bytes are given to the browser at a time, and hashed where there is no Web Crypto.
const PIECE_BYTES = 1024 * 1024;

// A file of the person's choice. All of these are {room, write, close, abort}: `room` is how many bytes fit. Null if they
// want none; undefined where the browser has no such.
async function openChosen(name) {
  if (!globalThis.showSaveFilePicker) {
    return undefined;
  }
  try {
    const handle = await globalThis.showSaveFilePicker({ suggestedName: name, types: [{ accept: { [TYPE]: ['.zip'] } }] });
    const stream = await handle.createWritable();
    const room = Number.POSITIVE_INFINITY;
    return { room, write: (part) => writeTo(stream, part), close: () => stream.close(), abort: () => stream.abort() };
  } catch (error) {
    // Otherwise the browser has it, and doesn't allow it here.
    return error.name === 'AbortError' ? null : undefined;
  }
}

// A file that the browser has for this page alone; undefined where it has no such, as on a page that came by plain http.
async function openOwn(name) {
  let own = null;
  try {
    await removeLeftOver();
    const { quota = 0, usage = 0 } = await navigator.storage.estimate();
    own = await newArchive();
    const { handle, remove } = own;
    const stream = await handle.createWritable();
    return {
      room: quota - usage,
      write: (part) => writeTo(stream, part),
      close: async () => {
        await stream.close();
        saveBlob(name, await handle.getFile());
        setTimeout(remove, SAVED_WITHIN_MS);
      },
      abort: async () => {
        await stream.abort();
        await remove();
      },
    };
  } catch {
    await own?.remove();
    return undefined;
  }
}

// Piece by piece, since the browser copies what it is given.
async function writeTo(stream, part) {
  for (let at = 0; at < part.length; at += PIECE_BYTES) {
    await stream.write(part.subarray(at, at + PIECE_BYTES));
  }
}

// What the browser keeps until all of it is there.
function openKept(name) {
  const parts = [];
  return {
    room: MAX_KEPT_BYTES,
    // As a blob, which a browser needn't keep in memory.
    write: async (part) => parts.push(new Blob([part])),
    close: async () => saveAs(name, parts, TYPE),
    abort: async () => parts.splice(0),
  };
}

// The name in the archive of each file, by its ID; `also` are the names of what comes first.
export function namesOf(title, also, files) {
  const names = new ZipNames(title);
  also.forEach((name) => names.own(name));
  return new Map(files.map((file) => [file.id, names.of(file)]));
}

// `ready()` resolves to {files, also}, or to null where not all of these could be had. → {type: 'saved', files, missing} |
// {type: 'tooLarge', bytes} | {type: 'nothing', missing} where there would be nothing in it | {type: 'stopped' | 'unread' |
// 'failed' or why it was Refused}. urlOf(file, signal) is where a file is fetched, or a promise of that, which rejects if it
// can't be; refused(response) is what an answer from there means that isn't the file.
export async function saveZip({ name, title, ready, missingName }, { urlOf, refused = refusedBy, signal, after, onProgress }) {
  // First of all, since a browser asks only right after a click.
  const chosen = await openChosen(name);
  if (chosen === null) {
    return { type: 'stopped' };
  }
  const sink = chosen ?? (await openOwn(name)) ?? openKept(name);
  const ports = {
    get: async (file, from, stop) => fetchFrom(await urlOf(file, stop), from, stop, refused),
    digest: digestOf,
    write: sink.write,
    after,
    now: () => Date.now(),
  };
  const gone = (outcome) => Promise.resolve(sink.abort()).then(() => outcome, () => outcome);
  try {
    const all = await ready();
    signal.throwIfAborted();
    if (all === null) {
      throw new Refused('unread');
    }
    const { files, also = [] } = all;
    if (files.length + also.length === 0) {
      return gone({ type: 'nothing', missing: [] });
    }
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    if (bytes > sink.room) {
      return gone({ type: 'tooLarge', bytes });
    }
    const told = (done) => onProgress(done, files.length);
    const missing = await gather(title, files, { also, missingName, signal }, { ...ports, onProgress: told });
    if (missing.length === files.length && also.length === 0) {
      return gone({ type: 'nothing', missing });
    }
    await sink.close();
    return { type: 'saved', files, missing };
  } catch (error) {
    if (signal.aborted) {
      return gone({ type: 'stopped' });
    }
    return gone({ type: error instanceof Refused ? error.code : 'failed' });
  }
}

// The bytes of a file from there on, piece by piece.
async function fetchFrom(url, from, stop, refused) {
  const controller = new AbortController();
  const abort = () => controller.abort();
  stop.addEventListener('abort', abort);
  let timer = setTimeout(abort, PATIENCE_MS);
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(abort, PATIENCE_MS);
  };
  const end = () => {
    clearTimeout(timer);
    stop.removeEventListener('abort', abort);
  };
  try {
    const headers = from > 0 ? { Range: `bytes=${from}-` } : {};
    const response = await fetch(url, { headers, signal: controller.signal, cache: 'no-store', credentials: 'same-origin' });
    heard();
    const begin = beginOf(response, from);
    if (!response.ok || begin === null) {
      abort();
      throw refused(response);
    }
    return { from: begin, pieces: piecesOf(response, heard, end) };
  } catch (error) {
    end();
    throw error;
  }
}

// Where the bytes of an answer begin; null if that isn't where they were asked from, nor at the beginning.
function beginOf({ status, headers }, from) {
  if (status !== 206) {
    return 0;
  }
  const said = /^bytes (\d+)-/.exec(headers.get('Content-Range') ?? '')?.[1];
  // A store that doesn't say it to scripts is believed: the digest tells.
  return said === undefined || Number(said) === from ? from : null;
}

async function* piecesOf(response, heard, end) {
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      heard();
      yield value;
    }
  } finally {
    end();
    // Of what isn't read to its end.
    reader.cancel().catch(() => {});
  }
}

// 64 hex digits.
async function digestOf(bytes) {
  if (globalThis.crypto?.subtle) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
  const hash = new Sha256();
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    hash.update(bytes.subarray(at, at + PIECE_BYTES));
    await new Promise((resolve) => setTimeout(resolve));
  }
  return hash.hex();
}
