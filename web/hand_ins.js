// What this browser remembers of one's own hand-ins into a box: what was handed in when, and the submission token that
// follows it.
//
// Invariant: one entry a file, written by itself, so that two tabs lose nothing of each other. At most MAX_KEPT are kept
// of a box; the oldest go first. A submission token shows one file to whoever has it, and nothing of the box. Where
// nothing can be kept, it is remembered as long as the page is open.
//
// Absent on purpose: the URL of the box, which whoever comes to this browser later needn't find here.

const KEPT_AS = 'file-share hand-in';
const MAX_KEPT = 200;
// Of the token in a box's URL: what is the same in all URLs that the box ever has.
const BOX_CHARACTERS = 18;

export class HandIns {
  #storage;
  #prefix;
  #now;
  // By the file's ID.
  #entries = new Map();
  #isKept = true;

  // storage: as localStorage, or null. `place` is the path of the service, `box` the token in the box's URL.
  constructor(storage, { place, box, now }) {
    this.#storage = storage;
    this.#prefix = [KEPT_AS, place, box.slice(0, BOX_CHARACTERS), ''].join(' ');
    this.#now = now;
    this.#load();
  }

  // Whether they outlive the page, as far as that was tried.
  get isKept() {
    return this.#isKept;
  }

  // What arrived, the newest first.
  get arrived() {
    const arrived = [...this.#entries.values()].filter(({ uploadedAt }) => uploadedAt !== null);
    return arrived.sort((one, other) => Date.parse(other.uploadedAt) - Date.parse(one.uploadedAt));
  }

  // The IDs of those of which that isn't known.
  get open() {
    return [...this.#entries.values()].filter(({ uploadedAt }) => uploadedAt === null).map(({ id }) => id);
  }

  tokenOf(id) {
    return this.#entries.get(id)?.token ?? null;
  }

  // A file that was just begun.
  keep({ id, token, name, size, submitter, dueAt }) {
    const known = this.#entries.get(id);
    const { uploadedAt = null, sha256 = null, isGone = false } = known ?? {};
    this.#put({ id, token, name, size, submitter, dueAt, uploadedAt, sha256, isGone, keptAt: this.#now() });
  }

  // It is available. Whether it is one of these.
  arrive({ id, uploadedAt, sha256 }) {
    const entry = this.#entries.get(id);
    if (!entry || Number.isNaN(Date.parse(uploadedAt ?? ''))) {
      return false;
    }
    this.#put({ ...entry, uploadedAt, sha256 });
    return true;
  }

  // Whether the service has what arrived no longer. Whether that is something new.
  mark(id, isGone) {
    const entry = this.#entries.get(id);
    if (!entry || entry.uploadedAt === null || entry.isGone === isGone) {
      return false;
    }
    this.#put({ ...entry, isGone });
    return true;
  }

  forget(id) {
    this.#entries.delete(id);
    this.#try((storage) => storage.removeItem(this.#prefix + id));
  }

  forgetAll() {
    [...this.#entries.keys()].forEach((id) => this.forget(id));
  }

  #put(entry) {
    this.#entries.set(entry.id, entry);
    const isThere = this.#try((storage) => storage.setItem(this.#prefix + entry.id, JSON.stringify(entry)));
    this.#isKept = isThere;
    const oldest = [...this.#entries.values()].sort((one, other) => one.keptAt - other.keptAt);
    oldest.slice(0, Math.max(0, oldest.length - MAX_KEPT)).forEach(({ id }) => this.forget(id));
  }

  #load() {
    this.#try((storage) => {
      const keys = Array.from({ length: storage.length }, (_, at) => storage.key(at));
      for (const key of keys.filter((one) => one.startsWith(this.#prefix))) {
        const entry = readEntry(storage.getItem(key));
        if (entry !== null && key === this.#prefix + entry.id) {
          this.#entries.set(entry.id, entry);
        }
      }
    });
  }

  #try(use) {
    try {
      use(this.#storage);
      return true;
    } catch {
      return false;
    }
  }
}

// Null for what another version of this page can't have kept.
function readEntry(text) {
  try {
    const entry = JSON.parse(text);
    const { id, token, name, size, submitter, dueAt, uploadedAt, sha256, keptAt } = entry;
    const isText = (value) => typeof value === 'string';
    const isTime = (value) => value === null || !Number.isNaN(Date.parse(value));
    const isOne =
      [id, token, name].every(isText) &&
      Number.isSafeInteger(size) &&
      Number.isFinite(keptAt) &&
      (submitter === null || isText(submitter)) &&
      (sha256 === null || isText(sha256)) &&
      isTime(dueAt) &&
      isTime(uploadedAt);
    return isOne ? { ...entry, isGone: entry.isGone === true } : null;
  } catch {
    return null;
  }
}

// The name under which somebody handed in last, for the next time.
export class OwnName {
  #storage;
  #key;

  constructor(storage, place) {
    this.#storage = storage;
    this.#key = `${KEPT_AS} name ${place}`;
  }

  get() {
    try {
      return this.#storage.getItem(this.#key) ?? '';
    } catch {
      return '';
    }
  }

  keep(name) {
    try {
      this.#storage.setItem(this.#key, name);
    } catch {
      // Then it is typed again.
    }
  }

  forget() {
    this.keep('');
  }
}
