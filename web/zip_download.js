// Saves all files of a box as one archive that the browser makes. Loaded when somebody asks for it.
//
// Invariant: no byte of a file goes through the service. Where the browser can write to a file, the archive goes there piece
// by piece; else it is kept by the browser until it is whole, up to MAX_KEPT_BYTES. What goes into it is asked for when
// there is a place for it, and where not all of that is known there is no archive.

import { sha256 } from './digest.js';
import { saveAs } from './save.js';
import { Refused, gather, refusedBy } from './zip_files.js';

const TYPE = 'application/zip';
const MAX_KEPT_BYTES = 1024 * 1024 * 1024;

// A file of the person's choice, as {write, close, abort}. Null if they want none; undefined where the browser has no such.
async function openFile(name) {
  if (!globalThis.showSaveFilePicker) {
    return undefined;
  }
  try {
    const handle = await globalThis.showSaveFilePicker({ suggestedName: name, types: [{ accept: { [TYPE]: ['.zip'] } }] });
    const stream = await handle.createWritable();
    return { write: (part) => stream.write(part), close: () => stream.close(), abort: () => stream.abort() };
  } catch (error) {
    // Otherwise the browser has it, and doesn't allow it here.
    return error.name === 'AbortError' ? null : undefined;
  }
}

// What the browser keeps until all of it is there.
function openKept(name) {
  const parts = [];
  return {
    // As a blob, which a browser needn't keep in memory.
    write: async (part) => parts.push(new Blob([part])),
    close: async () => saveAs(name, parts, TYPE),
    abort: async () => parts.splice(0),
  };
}

// `ready()` resolves to {files, also}, or to null where not all of these could be had. → {type: 'saved', files, missing} |
// {type: 'tooLarge', bytes} | {type: 'stopped' | 'unread' | 'signedOut' | 'away' | 'failed'}. urlOf(id) is where a file is
// fetched.
export async function saveZip({ name, title, ready, missingName }, { urlOf, signal, after, onProgress }) {
  // First of all, since a browser asks only right after a click.
  const file = await openFile(name);
  if (file === null) {
    return { type: 'stopped' };
  }
  const sink = file ?? openKept(name);
  const ports = {
    get: async (id, stop) => {
      const response = await fetch(urlOf(id), { signal: stop, cache: 'no-store', credentials: 'same-origin' });
      if (!response.ok) {
        await response.body?.cancel();
        throw refusedBy(response);
      }
      return new Uint8Array(await response.arrayBuffer());
    },
    digest: (content) => sha256(new Blob([content])),
    write: sink.write,
    after,
    now: () => Date.now(),
  };
  try {
    const all = await ready();
    signal.throwIfAborted();
    if (all === null) {
      throw new Refused('unread');
    }
    const { files, also } = all;
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    if (file === undefined && bytes > MAX_KEPT_BYTES) {
      return { type: 'tooLarge', bytes };
    }
    const told = (done) => onProgress(done, files.length);
    const missing = await gather(title, files, { also, missingName, signal }, { ...ports, onProgress: told });
    await sink.close();
    return { type: 'saved', files, missing };
  } catch (error) {
    await Promise.resolve(sink.abort()).catch(() => {});
    if (signal.aborted) {
      return { type: 'stopped' };
    }
    return { type: error instanceof Refused ? error.code : 'failed' };
  }
}
