// Archives that the browser has for the page alone: who removes what others left behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORGOTTEN_AFTER_MS, SAVED_WITHIN_MS, newArchive, removeLeftOver } from '../../../web/own_archives.js';

const NOW = Date.UTC(2027, 0, 31);

// A browser's folder, as far as a page uses it. `files` are {size, age} by name.
function folderOf(files) {
  const there = new Map(Object.entries(files));
  return {
    there,
    keys: async function* keys() {
      yield* [...there.keys()];
    },
    getFileHandle: async (name, { create = false } = {}) => {
      if (create) {
        there.set(name, { size: 0, age: 0 });
      }
      const { size, age } = there.get(name);
      return { name, getFile: async () => ({ size, lastModified: NOW - age }) };
    },
    removeEntry: async (name) => {
      assert.ok(there.delete(name), name);
    },
  };
}

// The locks of a browser, of which these names are held by other pages.
function locksOf(...held) {
  const names = new Set(held);
  return {
    names,
    request: async (name, options, use = options) => {
      if (names.has(name)) {
        assert.ok(options.ifAvailable, 'nobody waits for another page');
        return use(null);
      }
      names.add(name);
      return Promise.resolve(use({ name })).finally(() => names.delete(name));
    },
  };
}

const FILES = {
  'archive-1-held.zip': { size: 0, age: 2 * FORGOTTEN_AFTER_MS },
  'archive-1-held.zip.crswap': { size: 9, age: 1 },
  'archive-1-broken.zip': { size: 0, age: 1 },
  'archive-1-broken.zip.crswap': { size: 9, age: 1 },
  'archive-1-saving.zip': { size: 9, age: SAVED_WITHIN_MS - 1 },
  'archive-1-saved.zip': { size: 9, age: SAVED_WITHIN_MS + 1 },
  'archive-1-old.zip': { size: 9, age: FORGOTTEN_AFTER_MS + 1 },
  'notes.zip': { size: 0, age: 2 * FORGOTTEN_AFTER_MS },
};

test('what a page left behind is removed, and never what another one is making or the browser may still be saving', async () => {
  const folder = folderOf(FILES);
  await removeLeftOver({ folder, locks: locksOf('file-share archive-1-held.zip'), now: NOW });
  assert.deepEqual([...folder.there.keys()], ['archive-1-held.zip', 'archive-1-held.zip.crswap', 'archive-1-saving.zip', 'notes.zip']);
});

test('where a browser has no locks, what nobody has touched for a day is removed', async () => {
  const folder = folderOf(FILES);
  await removeLeftOver({ folder, locks: null, now: NOW });
  const old = ['archive-1-held.zip', 'archive-1-old.zip'];
  assert.deepEqual([...folder.there.keys()], Object.keys(FILES).filter((name) => !old.includes(name)));
});

test('what can’t be removed keeps nothing else from being removed, and where there is no folder nothing fails', async () => {
  const folder = folderOf({ 'archive-1-a.zip': { size: 0, age: 1 }, 'archive-1-b.zip': { size: 0, age: 1 } });
  const { removeEntry } = folder;
  folder.removeEntry = (name) => (name.includes('-a') ? Promise.reject(new Error('it is open')) : removeEntry(name));
  await removeLeftOver({ folder, locks: locksOf(), now: NOW });
  assert.deepEqual([...folder.there.keys()], ['archive-1-a.zip']);
  await removeLeftOver({ folder: null, locks: null, now: NOW });
  await removeLeftOver(Promise.reject(new Error('no browser')));
  await assert.rejects(newArchive({ folder: null, locks: null, now: NOW }));
});

test('an archive is held from before it is there until it is removed', async () => {
  const folder = folderOf({});
  const locks = locksOf();
  const { getFileHandle } = folder;
  folder.getFileHandle = (name, options) => {
    assert.ok(locks.names.has(`file-share ${name}`));
    return getFileHandle(name, options);
  };
  const { handle, remove } = await newArchive({ folder, locks, now: NOW });
  await removeLeftOver({ folder, locks, now: NOW + 2 * FORGOTTEN_AFTER_MS });
  assert.deepEqual([...folder.there.keys()], [handle.name]);
  await remove();
  assert.equal(folder.there.size, 0);
  await new Promise(setImmediate);
  assert.equal(locks.names.size, 0);
});

test('one that can’t be made holds nothing', async () => {
  const folder = { ...folderOf({}), getFileHandle: () => Promise.reject(new Error('full')) };
  const locks = locksOf();
  await assert.rejects(newArchive({ folder, locks, now: NOW }), /full/);
  await new Promise(setImmediate);
  assert.equal(locks.names.size, 0);
});
