// Where this browser keeps what it remembers of uploads: IndexedDB, which outlives the page.
//
// Invariant: nothing that a page does waits for it or fails with it. Where it can't be had, as in some private
// windows, nothing is remembered. At most MAX_ENTRIES are kept; the oldest go first.

const NAME = 'file-share';
const STORE = 'uploads';
const VERSION = 1;
export const MAX_ENTRIES = 500;

export class UploadStore {
  #opened = null;

  // Everything that is kept, the oldest first.
  async all() {
    return (await this.#run('readonly', (store) => store.getAll(null, MAX_ENTRIES))) ?? [];
  }

  // In place of what there was under the same `id`. IDs sort by time.
  async put(entry) {
    await this.#run('readwrite', (store) => {
      store.put(entry);
      const count = store.count();
      count.addEventListener('success', () => removeOldest(store, count.result - MAX_ENTRIES));
    });
  }

  async remove(id) {
    await this.#run('readwrite', (store) => store.delete(id));
  }

  // Resolves to the result of the request that `use` makes, and to undefined if it can't be done.
  async #run(mode, use) {
    try {
      this.#opened ??= open();
      const transaction = (await this.#opened).transaction(STORE, mode);
      return await new Promise((resolve, reject) => {
        const request = use(transaction.objectStore(STORE));
        transaction.addEventListener('complete', () => resolve(request?.result));
        transaction.addEventListener('abort', () => reject(transaction.error));
      });
    } catch {
      this.#opened = null;
      return undefined;
    }
  }
}

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.addEventListener('upgradeneeded', () => request.result.createObjectStore(STORE, { keyPath: 'id' }));
    request.addEventListener('success', () => {
      // A later version of the page in another tab needn't wait for this one.
      request.result.addEventListener('versionchange', () => request.result.close());
      resolve(request.result);
    });
    request.addEventListener('error', () => reject(request.error));
    request.addEventListener('blocked', () => reject(new Error('blocked')));
  });
}

function removeOldest(store, excess) {
  if (excess <= 0) {
    return;
  }
  let left = excess;
  const cursor = store.openKeyCursor();
  cursor.addEventListener('success', () => {
    if (cursor.result && left > 0) {
      store.delete(cursor.result.primaryKey);
      left -= 1;
      cursor.result.continue();
    }
  });
}
