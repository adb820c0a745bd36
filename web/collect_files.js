// The files in what was dropped, chosen or pasted.
//
// Invariant: at most `max` files, and folders at most MAX_DEPTH deep, however large what was dropped is.

import { nameFor } from './validation.js';

const MAX_DEPTH = 32;
// What operating systems leave in folders.
const NOBODYS = new Set(['.DS_Store', 'Thumbs.db', 'desktop.ini']);

// From an <input>: a folder's files carry their paths.
export function fromInput(files, max) {
  const all = [...files].filter((file) => !(file.webkitRelativePath && NOBODYS.has(file.name)));
  return {
    files: all.slice(0, max).map((file) => ({ name: nameFor(file.webkitRelativePath, file.name), file })),
    isCut: all.length > max,
    unreadable: [],
  };
}

// From a drop. Has to be called in the event itself, since its items are gone after that.
export async function fromDrop(transfer, max) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = { files: [], isCut: false, unreadable: [] };
  if (entries.length === 0) {
    return fromInput(transfer.files, max);
  }
  for (const entry of entries) {
    await visit(entry, 0, found, max);
  }
  return found;
}

// From the clipboard. A picture has no name of its own there, and would always be the same.
export function fromClipboard(transfer, pastedName) {
  return [...transfer.files].map((file) => {
    const ending = /^image\.(\w+)$/.exec(file.name)?.[1];
    return { name: ending ? `${pastedName}.${ending}` : file.name, file };
  });
}

async function visit(entry, depth, found, max) {
  if (found.files.length >= max) {
    found.isCut = true;
    return;
  }
  try {
    if (entry.isFile) {
      const isInFolder = depth > 0;
      if (!(isInFolder && NOBODYS.has(entry.name))) {
        const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
        const path = isInFolder ? entry.fullPath.replace(/^\//, '') : '';
        found.files.push({ name: nameFor(path, file.name), file });
      }
    } else if (depth < MAX_DEPTH) {
      for (const child of await children(entry, max)) {
        await visit(child, depth + 1, found, max);
      }
    } else {
      found.unreadable.push(entry.name);
    }
  } catch {
    found.unreadable.push(entry.name);
  }
}

// A reader gives up to a hundred entries at a time, and none when it is at the end.
async function children(directory, max) {
  const reader = directory.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    // One more than is wanted, so that it shows that not all were taken.
    if (some.length === 0 || all.length > max) {
      return all;
    }
    all.push(...some);
  }
}
