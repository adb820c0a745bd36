// What this browser remembers of uploads that aren't through, so that they can go on after the page was closed or
// the machine went down.
//
// Invariant: an entry says which file it was and which record waits for it, and nothing by which anybody gets in: no
// presigned URL, no key. It belongs to one service and to whoever was signed in, and nobody else gets it back. None is
// older than MAX_AGE_MS.
//
// Absent on purpose: the DOM and IndexedDB, which come in as `store`.

const DAY_MS = 24 * 60 * 60 * 1000;
// Longer than any record waits for its bytes.
const MAX_AGE_MS = 7 * DAY_MS;
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

  // `place` is the path of the service; owner() gives the ID of whoever is signed in, or '' for the operator or where
  // nobody has to be. store: all(), put(entry), remove(id).
  constructor(store, { place, owner, now }) {
    this.#store = store;
    this.#place = place;
    this.#owner = owner;
    this.#now = now;
  }

  // Takes in how it is with an upload. It costs nothing as long as its record is the same.
  follow({ key, name, file, state: { phase, id, sha256 } }) {
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
    const entry = { id, name, size, lastModified, type, sha256, place: this.#place, owner: this.#owner() };
    void this.#store.put({ ...entry, keptAt: this.#now() });
  }

  forget(id) {
    void this.#store.remove(id);
  }

  // What was begun here by whoever is signed in now, the oldest first.
  async load() {
    const now = this.#now();
    const all = await this.#store.all();
    const isYoung = ({ keptAt }) => Math.abs(now - keptAt) < MAX_AGE_MS;
    all.filter((entry) => !isYoung(entry)).forEach(({ id }) => this.forget(id));
    const owner = this.#owner();
    return all.filter(
      (entry) => isEntry(entry) && isYoung(entry) && entry.place === this.#place && entry.owner === owner,
    );
  }
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
