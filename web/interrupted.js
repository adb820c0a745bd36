// Uploads that were interrupted: their records still wait for bytes, and the page that sent them is gone.
//
// Invariant: an upload goes on only with the very bytes that were announced, by their SHA-256; whatever else is
// offered is refused and sent nowhere. What another tab is sending isn't interrupted. Nothing is deleted here.
//
// Absent on purpose: the DOM. What touches the world comes in as `ports`.

import { awaitsBytes, isFinal } from './record.js';

// How long other tabs have to say that they are at it.
const ANSWER_WITHIN_MS = 400;

export class Interrupted {
  // By the record's ID: {entry, record, problem, isChecking}. `record` is null while nobody could be asked, and
  // `problem` is what was wrong with the file that was offered last.
  #waiting = new Map();
  #ports;
  #onChange;
  // Of queues that came to nothing: {id, count, files}.
  #notBegun = [];
  // What other tabs say that they are at, while this page looks for what was interrupted.
  #elsewhere = null;

  // ports: kept {load, forget}, look(id) → event of the API, watch(id), sha256(file), resume({name, file, id,
  // sha256}), held() → the IDs that this page is sending, channel {postMessage, onmessage}, after(ms, run).
  constructor(ports, onChange) {
    this.#ports = ports;
    this.#onChange = onChange;
    ports.channel.onmessage = ({ data }) => this.#hear(data);
  }

  get items() {
    return [...this.#waiting.values()];
  }

  // What waited for its turn when its page was closed, and hasn't been chosen again: how many, and the names of some.
  get notBegun() {
    return {
      count: this.#notBegun.reduce((sum, { count }) => sum + count, 0),
      names: this.#notBegun.flatMap(({ files }) => files.map(({ name }) => name)),
    };
  }

  forgetNotBegun() {
    this.#notBegun.forEach(({ id }) => this.#ports.kept.forget(id));
    this.#notBegun = [];
    this.#onChange();
  }

  owns(id) {
    return this.#waiting.has(id);
  }

  // Looks for what was interrupted.
  async begin() {
    const elsewhere = new Set();
    this.#elsewhere = elsewhere;
    this.#ports.channel.postMessage({ ask: true });
    const answered = new Promise((resolve) => this.#ports.after(ANSWER_WITHIN_MS, resolve));
    const { entries, queues } = await this.#ports.kept.load();
    await answered;
    this.#notBegun = queues.filter(({ id }) => !elsewhere.has(id) && !this.#ports.held().includes(id));
    if (this.#notBegun.length > 0) {
      this.#onChange();
    }
    for (const entry of entries) {
      const { id } = entry;
      const event = await this.#ports.look(id);
      if (!elsewhere.has(id) && !this.#ports.held().includes(id)) {
        this.#meet(entry, event);
      }
    }
    this.#elsewhere = null;
  }

  // What the poller saw of a record.
  seen(record) {
    const item = this.#waiting.get(record.id);
    if (item && !awaitsBytes(record)) {
      this.#drop(record.id, isFinal(record));
    } else if (item && item.record === null) {
      item.record = record;
      this.#onChange();
    }
  }

  gone(id) {
    if (this.#waiting.has(id)) {
      this.#drop(id, true);
    }
  }

  // Of {name, file}s goes on with those that look like what was interrupted, and gives back the others.
  async take(named) {
    this.#begin(named);
    if (this.#waiting.size === 0) {
      return named;
    }
    const others = [];
    for (const one of named) {
      const alike = this.items.find(
        ({ entry }) => entry.name === one.name && entry.size === one.file.size && entry.lastModified === one.file.lastModified,
      );
      if (alike?.isChecking) {
        // The same file was dropped before, and is being looked at.
        continue;
      }
      const isTaken = alike !== undefined && (await this.offer(alike.entry.id, one.file));
      if (alike && !isTaken) {
        // It was offered as itself, and is one.
        this.#mark(alike, null);
      }
      if (!isTaken) {
        others.push(one);
      }
    }
    return others;
  }

  // Goes on with the upload if that is its file; whether it is.
  async offer(id, file) {
    const item = this.#waiting.get(id);
    if (!item || item.isChecking) {
      return false;
    }
    const { name, size, sha256 } = item.entry;
    if (file.size !== size) {
      this.#mark(item, { code: 'otherSize', size: file.size, expected: size });
      return false;
    }
    item.isChecking = true;
    this.#mark(item, null);
    const digest = await this.#ports.sha256(file).catch(() => null);
    item.isChecking = false;
    if (this.#waiting.get(id) !== item) {
      // It arrived, or was deleted, while the file was read.
      return false;
    }
    if (digest !== sha256) {
      this.#mark(item, { code: digest === null ? 'unreadable' : 'otherFile' });
      return false;
    }
    this.#waiting.delete(id);
    this.#ports.channel.postMessage({ held: [id] });
    this.#ports.resume({ name, file, id, sha256 });
    this.#onChange();
    return true;
  }

  // What is chosen again isn't left over any more.
  #begin(named) {
    if (this.#notBegun.length === 0) {
      return;
    }
    const key = (name, { size, lastModified }) => [name, size, lastModified].join();
    const begun = new Set(named.map(({ name, file }) => key(name, file)));
    for (const queue of this.#notBegun) {
      const left = queue.files.filter((one) => !begun.has(key(one.name, one)));
      queue.count -= queue.files.length - left.length;
      queue.files = left;
    }
    this.#notBegun.filter(({ files }) => files.length === 0).forEach(({ id }) => this.#ports.kept.forget(id));
    this.#notBegun = this.#notBegun.filter(({ files }) => files.length > 0);
    this.#onChange();
  }

  #meet(entry, event) {
    if (event.type === 'gone' || (event.type === 'seen' && isFinal(event.record))) {
      this.#ports.kept.forget(entry.id);
      return;
    }
    if (event.type === 'seen' && !awaitsBytes(event.record)) {
      return;
    }
    const record = event.type === 'seen' ? event.record : null;
    this.#waiting.set(entry.id, { entry, record, problem: null, isChecking: false });
    this.#ports.watch(entry.id);
    this.#onChange();
  }

  #mark(item, problem) {
    item.problem = problem;
    this.#onChange();
  }

  #drop(id, isOver) {
    this.#waiting.delete(id);
    if (isOver) {
      this.#ports.kept.forget(id);
    }
    this.#onChange();
  }

  #hear({ ask, held = [] }) {
    if (ask) {
      this.#ports.channel.postMessage({ held: this.#ports.held() });
    }
    for (const id of held) {
      this.#elsewhere?.add(id);
      if (this.#waiting.has(id)) {
        this.#drop(id, false);
      }
    }
  }
}
