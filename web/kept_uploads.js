// What this browser remembers of uploads that aren't through, so that they can go on after the page was closed or
// the machine went down.
//
// Invariant: an entry says which file it was and which record waits for it, and nothing by which anybody gets in: no
// presigned URL, no key. It belongs to one service and to whoever was signed in, and nobody else gets it back. None is
// older than MAX_AGE_MS. Of what waits for its turn and has no record yet, all is counted and MAX_NAMED are named, in
// one entry a page, which is written every WRITE_AFTER_MS at the most.
//
// Absent on purpose: the DOM and IndexedDB, which come in as `store`.

const DAY_MS = 24 * 60 * 60 * 1000;
// Longer than any record waits for its bytes.
const MAX_AGE_MS = 7 * DAY_MS;
const MAX_NAMED = 2000;
const WRITE_AFTER_MS = 1000;
// IDs of records are hexadecimal and come before it.
const QUEUE = 'queue ';
// Through, or of no use any more.
const OVER = new Set(['available', 'rejected', 'cancelled']);
const DIGEST = /^[0-9a-f]{64}$/;

export class KeptUploads {
  #store;
  #place;
  #owner;
  #now;
  // The record of each upload of this page, as it is kept, by the upload's key.
  #kept = new Map();
  // What waits for its turn, by the upload's key.
  #queued = new Map();
  #willWrite = false;
  #after;
  // Under which this page's queue is kept.
  queueId;

  // `place` is the path of the service; owner() gives the ID of whoever is signed in, or '' for the operator or where
  // nobody has to be; `page` names this page among others. store: all(), put(entry), remove(id). after(ms, run).
  constructor(store, { place, owner, now, after, page }) {
    this.#store = store;
    this.#place = place;
    this.#owner = owner;
    this.#now = now;
    this.#after = after;
    this.queueId = `${QUEUE}${page}`;
  }

  // Takes in how it is with an upload. It costs nothing as long as its record is the same.
  follow({ key, name, file, state: { phase, id, sha256 } }) {
    this.#followQueue(key, name, file, phase === 'queued' && id === null);
    const known = this.#kept.get(key) ?? null;
    const wanted = OVER.has(phase) ? null : id;
    if (known === wanted) {
      return;
    }
    if (known !== null) {
      this.forget(known);
    }
    this.#kept.set(key, wanted);
    if (wanted === null) {
      this.#kept.delete(key);
      return;
    }
    const { size, lastModified, type } = file;
    this.#put({ id, name, size, lastModified, type, sha256 });
  }

  #put(entry) {
    void this.#store.put({ ...entry, place: this.#place, owner: this.#owner(), keptAt: this.#now() });
  }

  #followQueue(key, name, { size, lastModified }, isQueued) {
    if (isQueued === this.#queued.has(key)) {
      return;
    }
    if (isQueued) {
      this.#queued.set(key, { name, size, lastModified });
    } else {
      this.#queued.delete(key);
    }
    if (!this.#willWrite) {
      this.#willWrite = true;
      this.#after(WRITE_AFTER_MS, () => this.#writeQueue());
    }
  }

  #writeQueue() {
    this.#willWrite = false;
    if (this.#queued.size === 0) {
      this.forget(this.queueId);
    } else {
      const files = [...this.#queued.values()];
      this.#put({ id: this.queueId, count: files.length, files: files.slice(0, MAX_NAMED) });
    }
  }

  forget(id) {
    void this.#store.remove(id);
  }

  // What was begun here by whoever is signed in now, the oldest first, and `queues` of what wasn't begun.
  async load() {
    const now = this.#now();
    const all = await this.#store.all();
    const isYoung = ({ keptAt }) => Math.abs(now - keptAt) < MAX_AGE_MS;
    all.filter((entry) => !isYoung(entry)).forEach(({ id }) => this.forget(id));
    const owner = this.#owner();
    const own = all.filter((entry) => isYoung(entry) && entry.place === this.#place && entry.owner === owner);
    return { entries: own.filter(isEntry), queues: own.filter(isQueue) };
  }
}

function isQueue({ id, count, files }) {
  return typeof id === 'string' && id.startsWith(QUEUE) && Number.isSafeInteger(count) && Array.isArray(files);
}

// Whether another version of this page can have kept it.
function isEntry({ id, name, size, lastModified, sha256 }) {
  return (
    typeof id === 'string' &&
    typeof name === 'string' &&
    Number.isSafeInteger(size) &&
    Number.isFinite(lastModified) &&
    DIGEST.test(sha256 ?? '')
  );
}
