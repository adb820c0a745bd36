// Saves all files of a box as one archive that the browser makes. Loaded when somebody asks for it.
//
// Invariant: no byte of a file goes through the service. Where the browser can write to a file, the archive goes there piece
// by piece; else it is kept by the browser until it is whole, up to MAX_KEPT_BYTES.

import { sha256 } from './digest.js';
import { saveAs } from './save.js';
import { gather } from './zip_files.js';

const TYPE = 'application/zip';
const MAX_KEPT_BYTES = 1024 * 1024 * 1024;

// Where it goes: {write, close, abort}. Null if the person wants none; undefined if it is too large for this browser.
async function openSink(name, bytes) {
  if (globalThis.showSaveFilePicker) {
    try {
      const handle = await globalThis.showSaveFilePicker({ suggestedName: name, types: [{ accept: { [TYPE]: ['.zip'] } }] });
      const stream = await handle.createWritable();
      return { write: (part) => stream.write(part), close: () => stream.close(), abort: () => stream.abort() };
    } catch (error) {
      if (error.name === 'AbortError') {
        return null;
      }
      // The browser has it, and doesn't allow it here.
    }
  }
  if (bytes > MAX_KEPT_BYTES) {
    return undefined;
  }
  const parts = [];
  return {
    // As a blob, which a browser needn't keep in memory.
    write: async (part) => parts.push(new Blob([part])),
    close: async () => saveAs(name, parts, TYPE),
    abort: async () => parts.splice(0),
  };
}

// → {type: 'saved', missing} | {type: 'stopped' | 'tooLarge' | 'failed'}. urlOf(id) is where a file is fetched.
export async function saveZip({ name, title, files, also, missingName }, { urlOf, signal, after, onProgress }) {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const sink = await openSink(name, bytes);
  if (!sink) {
    return { type: sink === null ? 'stopped' : 'tooLarge' };
  }
  const ports = {
    get: async (id, stop) => {
      const response = await fetch(urlOf(id), { signal: stop, cache: 'no-store', credentials: 'same-origin' });
      if (!response.ok) {
        await response.body?.cancel();
        throw new Error(String(response.status));
      }
      return new Uint8Array(await response.arrayBuffer());
    },
    digest: (content) => sha256(new Blob([content])),
    write: sink.write,
    after,
    now: () => Date.now(),
    onProgress,
  };
  try {
    const missing = await gather(title, files, { also, missingName, signal }, ports);
    await sink.close();
    return { type: 'saved', missing };
  } catch {
    await Promise.resolve(sink.abort()).catch(() => {});
    return { type: signal.aborted ? 'stopped' : 'failed' };
  }
}
