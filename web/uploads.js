// All uploads of this page: who is sent now, who waits, and the work that the state machine asks for.
//
// Invariant: at most MAX_IN_FLIGHT uploads are in flight, in the order in which they were added; a late
// answer to work that was given up changes nothing, except that a record it brought is discarded.
//
// Absent on purpose: the DOM. What touches the world comes in as `ports`, so that this runs in tests.

import { begin, isInFlight, isOver, next, resume } from './upload_machine.js';
import { Meter } from './meter.js';

export const MAX_IN_FLIGHT = 3;
// What one page takes at a time: all that a course has, not a disk.
export const MAX_QUEUED = 10_000;

export class Uploads {
  #items = new Map();
  #ports;
  #onChange;
  #lastKey = 0;

  // ports: api {create, renew, look, complete, remove}, put, sha256, refusal({name, size}), reach(url) → why
  // the page can't send there or null, watch(id), newName(), now(), isOnline(), after(ms, run) → cancel.
  // onChange(item) is told of everything that happens to an item.
  constructor(ports, onChange) {
    this.#ports = ports;
    this.#onChange = onChange;
  }

  get items() {
    return [...this.#items.values()];
  }

  // Takes {name, file}s, as many as there is room for, and says how many that were.
  add(named) {
    const room = Math.max(0, MAX_QUEUED - this.#items.size);
    const taken = named.slice(0, room);
    const added = taken.map(({ name, file }) => {
      const problem = this.#ports.refusal({ name, size: file.size });
      return this.#enter({ name, file, state: problem ? { ...begin(), phase: 'failed', problem } : begin() });
    });
    added.forEach((item) => this.#onChange(item));
    this.#fill();
    return taken.length;
  }

  // Goes on with an upload that was interrupted, under its record `id`. `sha256` is that of the file.
  resume({ name, file, id, sha256 }) {
    const item = this.#enter({ name, file, state: resume({ id, sha256 }) });
    this.#onChange(item);
    this.#fill();
  }

  // Whether leaving the page would lose something.
  get isBusy() {
    return this.items.some((item) => isInFlight(item.state) || item.state.phase === 'queued');
  }

  // Cancels all that can be cancelled, the last first, so that none takes the place of another.
  cancelAll() {
    for (const item of this.items.reverse()) {
      this.cancel(item);
    }
  }

  cancel(item) {
    this.#send(item, { type: 'cancel' });
  }

  retry(item) {
    if (!item.isFinal) {
      item.requestName = this.#ports.newName();
      this.#send(item, { type: 'retry' });
    }
  }

  // Takes an item that is over off the list.
  dismiss(item) {
    if (isOver(item.state)) {
      this.#send(item, { type: 'dismiss' });
      this.#items.delete(item.key);
    }
  }

  // The network seems to be back, or the lid was opened.
  wake() {
    for (const item of this.items) {
      if (item.state.phase === 'waiting') {
        item.stop();
        this.#send(item, { type: 'woken' });
      }
    }
  }

  // What the poller saw of a record.
  seen(record) {
    this.#ofRecord(record.id, { type: 'seen', record });
  }

  gone(id) {
    this.#ofRecord(id, { type: 'gone' });
  }

  // The IDs of the records that are shown here rather than in the list.
  get owned() {
    const shown = this.items.filter(({ state }) => state.id !== null && state.phase !== 'available');
    return new Set(shown.map(({ state }) => state.id));
  }

  #enter({ name, file, state }) {
    this.#lastKey += 1;
    const item = {
      key: this.#lastKey,
      name,
      file,
      state,
      // Refused before anything was sent, so that trying again can't help.
      isFinal: state.problem !== null,
      loaded: 0,
      meter: new Meter(),
      // Names its requests to create, so that a lost answer makes no second record.
      requestName: this.#ports.newName(),
      work: 0,
      stop: () => {},
    };
    this.#items.set(item.key, item);
    return item;
  }

  #ofRecord(id, event) {
    const item = this.items.find(({ state }) => state.id === id && state.phase === 'confirming');
    if (item) {
      this.#send(item, event);
    }
  }

  #send(item, event) {
    const { state, commands } = next(item.state, event, this.#ports.now());
    if (state === item.state && commands.length === 0) {
      return;
    }
    item.state = state;
    if (!['sending', 'completing', 'confirming'].includes(state.phase)) {
      item.loaded = 0;
      item.meter = new Meter();
    }
    for (const command of commands) {
      this.#run(item, command);
    }
    this.#onChange(item);
    this.#fill();
  }

  #fill() {
    let inFlight = 0;
    let next = null;
    for (const item of this.#items.values()) {
      inFlight += Number(isInFlight(item.state));
      next ??= item.state.phase === 'queued' ? item : null;
    }
    if (next !== null && inFlight < MAX_IN_FLIGHT) {
      // Which comes back here, for the next one.
      this.#send(next, { type: 'start' });
    }
  }

  #run(item, command) {
    const { api } = this.#ports;
    switch (command.do) {
      case 'abort':
        item.work += 1;
        item.stop();
        return;
      case 'discard':
        // If that fails, the record expires by itself.
        void api.remove(command.id);
        return;
      case 'watch':
        this.#ports.watch(command.id);
        return;
      case 'wait':
        item.work += 1;
        item.stop = this.#ports.after(command.ms, () => this.#send(item, { type: 'woken' }));
        return;
      default:
        item.work += 1;
        item.stop = () => {};
        void this.#work(item, command.do, item.work);
    }
  }

  async #work(item, what, work) {
    let event = await this.#outcome(item, what);
    if (event.type === 'lost') {
      event = { ...event, offline: !this.#ports.isOnline() };
    }
    if (item.work === work) {
      this.#send(item, event);
    } else if (event.type === 'created') {
      void this.#ports.api.remove(event.id);
    }
  }

  // Does a piece of work; its outcome is an event for the machine.
  async #outcome(item, what) {
    const { api } = this.#ports;
    const { id, sha256, upload } = item.state;
    switch (what) {
      case 'hash':
        return this.#ports.sha256(item.file).then(
          (digest) => ({ type: 'hashed', sha256: digest }),
          () => ({ type: 'unreadable' }),
        );
      case 'create':
        return api.create({
          name: item.name,
          size: item.file.size,
          type: item.file.type,
          sha256,
          // Each record that takes the place of another has a request of its own.
          key: `${item.requestName}-${item.state.restarts}`,
        });
      case 'renew':
        return api.renew(id);
      case 'look':
        return api.look(id);
      case 'put':
        return this.#put(item, upload);
      case 'complete':
        return api.complete(id);
      default:
        throw new Error(`unknown work: ${what}`);
    }
  }

  async #put(item, upload) {
    const problem = this.#ports.reach(upload.url);
    if (problem) {
      return { type: 'refused', problem };
    }
    const { done, abort } = this.#ports.put(upload, item.file, (loaded) => {
      item.loaded = loaded;
      item.meter.add(loaded, this.#ports.now());
      this.#onChange(item);
    });
    item.stop = abort;
    return done;
  }
}
