// One batch: the files that are sent from when nothing was under way until nothing is any more.
//
// Invariant: its figure only grows, whatever is tried again, cancelled or added. Once it is over it stays as it
// is, until something else is to be sent. What it costs doesn't grow with the number of its files.
//
// Absent on purpose: the DOM, and why a file wasn't sent, which its upload says.

import { Meter } from './meter.js';

// What a file counts beside its bytes, so that empty ones count too.
const FILE_BYTES = 16 * 1024;
const ENDS = { available: 'arrived', cancelled: 'cancelled', failed: 'failed', rejected: 'failed' };
const SENT = new Set(['completing', 'confirming']);

export class Batch {
  // By the upload's key: {name, whole, sent, end, record}.
  #files = new Map();
  #open = 0;
  #whole = 0;
  #sent = 0;
  #shown = 0;
  #meter = new Meter();
  #endedAt = null;

  // Takes in how it is with an upload.
  follow({ key, name, file: { size }, loaded, state: { phase, record } }, now) {
    const end = ENDS[phase] ?? null;
    const isNew = end === null || !this.#files.has(key);
    if (this.isOver && isNew) {
      this.#reset();
    }
    const known = this.#files.get(key) ?? { whole: 0, sent: 0, end: 'none' };
    const whole = size + FILE_BYTES;
    const sent = end !== null || SENT.has(phase) ? whole : Math.max(known.sent, loaded);
    this.#files.set(key, { name, whole, sent, end, record });
    this.#open += Number(end === null) - Number(known.end === null);
    this.#whole += whole - known.whole;
    this.#sent += sent - known.sent;
    this.#meter.add(this.#sent, now);
    this.#shown = Math.max(this.#shown, Math.floor((100 * this.#sent) / this.#whole));
  }

  // Whether it has just come to its end; to be asked when all that happened at once was told.
  endsNow(now) {
    if (this.isOver || this.#open > 0 || this.#files.size === 0) {
      return false;
    }
    this.#endedAt = now;
    return true;
  }

  get isOver() {
    return this.#endedAt !== null;
  }

  // When that was, in milliseconds.
  get endedAt() {
    return this.#endedAt;
  }

  // Out of a hundred, which it is at the end only.
  get percent() {
    return this.isOver ? 100 : Math.min(99, this.#shown);
  }

  // Null while it isn't known.
  get secondsLeft() {
    return this.#meter.secondsLeft(this.#whole);
  }

  get all() {
    return this.#files.size;
  }

  // How many are through, by whatever end.
  get through() {
    return this.#files.size - this.#open;
  }

  // The records of what arrived, in the order in which it was to be sent.
  get arrived() {
    return this.#ended('arrived').map(({ record }) => record);
  }

  // The names of what wasn't sent, besides what was cancelled.
  get failed() {
    return this.#ended('failed').map(({ name }) => name);
  }

  get cancelled() {
    return this.#ended('cancelled').length;
  }

  #ended(how) {
    return [...this.#files.values()].filter(({ end }) => end === how);
  }

  #reset() {
    this.#files.clear();
    this.#open = 0;
    this.#whole = 0;
    this.#sent = 0;
    this.#shown = 0;
    this.#meter = new Meter();
    this.#endedAt = null;
  }
}
