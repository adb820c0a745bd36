// The files that the page knows of, newest first, put together from pages of the service's list.
//
// Invariant: pure, and without holes: between the newest and the oldest file that it holds, it holds
// all of them, as far as the service has said. An ID is a UUIDv7, so IDs sort by time. A file that was
// seen settled or deleted is never pending or there again, whatever a late answer says. A page without
// files that isn't the last one is an answer like any other, and says only where the next one begins.

import { isFinal } from './record.js';

// Of files deleted here, so that an answer that was under way doesn't bring them back.
const MAX_REMOVED = 1000;

export class FileList {
  #records = new Map();
  // In their order; null after a change.
  #sorted = null;
  #cursor = null;
  #isComplete = false;
  #removed = new Set();
  // When a record was last put in, counted in changes.
  #changes = 0;
  #changedAt = new Map();

  get records() {
    this.#sorted ??= [...this.#records.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
    return this.#sorted;
  }

  get size() {
    return this.#records.size;
  }

  get isEmpty() {
    return this.#records.size === 0;
  }

  // Where the next older page begins; null if there is none, or nothing is known yet.
  get cursor() {
    return this.#cursor;
  }

  // Whether it reaches back to the oldest file that there is.
  get isComplete() {
    return this.#isComplete;
  }

  // To be given to applyNewest with the answer to a request that begins now.
  get moment() {
    return this.#changes;
  }

  get(id) {
    return this.#records.get(id);
  }

  // The newest page, asked for at `moment`: takes what is new or changed, and drops what isn't there
  // any more.
  applyNewest({ files, nextCursor }, moment = this.#changes) {
    if (files.length === 0 && nextCursor !== null) {
      this.#beginAt(nextCursor);
      return;
    }
    const ids = new Set(files.map(({ id }) => id));
    const oldest = nextCursor === null ? '' : files.at(-1).id;
    if (nextCursor !== null && !files.some(({ id }) => this.#records.has(id))) {
      // More was added than a page holds. What lies between isn't known, so it begins anew.
      this.#dropAll();
    }
    for (const id of [...this.#records.keys()]) {
      const isNewer = (this.#changedAt.get(id) ?? 0) > moment;
      if (id >= oldest && !ids.has(id) && !isNewer) {
        this.#drop(id);
      }
    }
    const reachesFurther = this.#isComplete || [...this.#records.keys()].some((id) => id < oldest);
    files.forEach((record) => this.#put(record));
    if (!reachesFurther) {
      this.#cursor = nextCursor;
      this.#isComplete = nextCursor === null;
    }
  }

  // The page that follows what it holds.
  applyOlder({ files, nextCursor }) {
    files.forEach((record) => this.#put(record));
    this.#cursor = nextCursor;
    this.#isComplete = nextCursor === null;
  }

  // A record as it is now.
  upsert(record) {
    this.#changes += 1;
    this.#changedAt.set(record.id, this.#changes);
    this.#put(record);
  }

  // Whether it was there.
  remove(id) {
    this.#removed.add(id);
    if (this.#removed.size > MAX_REMOVED) {
      this.#removed.delete(this.#removed.values().next().value);
    }
    return this.#drop(id);
  }

  #put(record) {
    const known = this.#records.get(record.id);
    const isStale = known !== undefined && isFinal(known) && !isFinal(record);
    if (!this.#removed.has(record.id) && !isStale) {
      this.#records.set(record.id, record);
      this.#sorted = null;
    }
  }

  // There is nothing up to here; what is held already may lie on either side of it.
  #beginAt(cursor) {
    if (this.isEmpty) {
      this.#cursor ??= cursor;
      this.#isComplete = false;
    }
  }

  #drop(id) {
    this.#changedAt.delete(id);
    this.#sorted = null;
    return this.#records.delete(id);
  }

  #dropAll() {
    this.#records.clear();
    this.#sorted = null;
    this.#changedAt.clear();
    this.#isComplete = false;
  }
}
