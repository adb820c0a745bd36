// Follows files until they are settled, by asking the service to answer when they are.
//
// Invariant: only the service's word makes a file settled or gone; whatever else comes back, and every
// state that isn't known, is waited for. At most LANES requests at a time, since a browser keeps only six connections to a host and
// uploads need three of them; at most MAX_WATCHED files; never faster than FIRST_PAUSE_MS a lane. However
// many files of others are pending, this page's own uploads have a lane.

import { backOff } from './back_off.js';
import { awaitsBytes, isFinal } from './record.js';

const LANES = 2;
const LANES_FOR_OTHERS = 1;
const MAX_WATCHED = 100;
const LONG_WAIT_S = 20;
const SHORT_WAIT_S = 2;

export class PendingPoller {
  // In the order in which they get their turn.
  #waiting = new Map();
  #asking = new Map();
  #failures = 0;
  #isPaused = () => false;
  #ports;

  // ports: look(id, wait, signal) → event of the API, onSeen(record) once it is settled, onWaiting(record)
  // whenever it isn't, onGone(id), now(), after(ms, run) → cancel, isPaused() → whether only this page's own uploads matter now.
  constructor(ports) {
    this.#ports = ports;
    this.#isPaused = ports.isPaused;
  }

  watch(id, isOwn = false) {
    const known = this.#asking.get(id) ?? this.#waiting.get(id);
    if (known) {
      known.isOwn ||= isOwn;
    } else if (isOwn || this.#waiting.size < MAX_WATCHED) {
      this.#waiting.set(id, { isOwn, notBefore: 0, turns: 0 });
    }
    this.#fill();
  }

  forget(id) {
    this.#waiting.delete(id);
    this.#asking.get(id)?.controller.abort();
    this.#asking.delete(id);
    this.#fill();
  }

  // The page is looked at again, or the network is back.
  wake() {
    this.#failures = 0;
    for (const one of this.#waiting.values()) {
      one.notBefore = 0;
    }
    this.#fill();
  }

  #fill() {
    const now = this.#ports.now();
    const due = [...this.#waiting].filter(([, { notBefore }]) => notBefore <= now);
    const own = due.filter(([, { isOwn }]) => isOwn);
    const others = this.#isPaused() ? [] : due.filter(([, { isOwn }]) => !isOwn);
    for (const [id, one] of own.slice(0, LANES - this.#asking.size)) {
      void this.#ask(id, one, now);
    }
    const othersAsked = [...this.#asking.values()].filter(({ isOwn }) => !isOwn).length;
    const free = Math.min(LANES - this.#asking.size, LANES_FOR_OTHERS - othersAsked);
    for (const [id, one] of others.slice(0, Math.max(0, free))) {
      void this.#ask(id, one, now);
    }
  }

  async #ask(id, one, startedAt) {
    const controller = new AbortController();
    this.#waiting.delete(id);
    this.#asking.set(id, { ...one, controller });
    const event = await this.#ports.look(id, this.#wait(), controller.signal);
    const asked = this.#asking.get(id);
    if (asked?.controller !== controller) {
      return;
    }
    this.#asking.delete(id);
    if (event.type === 'seen' && isFinal(event.record)) {
      this.#failures = 0;
      this.#ports.onSeen(event.record);
    } else if (event.type === 'gone') {
      this.#ports.onGone(id);
    } else {
      this.#askLater(id, asked, event, startedAt);
    }
    this.#fill();
  }

  // With more than one, all of them get their turn soon; and what was away has to show that it is back.
  #wait() {
    if (this.#failures > 0) {
      return 0;
    }
    return this.#asking.size + this.#waiting.size > 1 ? SHORT_WAIT_S : LONG_WAIT_S;
  }

  #askLater(id, { isOwn, turns }, event, startedAt) {
    const isSeen = event.type === 'seen';
    this.#failures = isSeen ? 0 : this.#failures + 1;
    // The service waits for the end of `pending` only: in any other state it answers at once.
    const isUnknown = isSeen && !awaitsBytes(event.record);
    const turn = isUnknown ? turns + 1 : 0;
    const pause = backOff(isSeen ? turn : this.#failures);
    const notBefore = isSeen ? startedAt + pause : this.#ports.now() + pause;
    this.#waiting.set(id, { isOwn, notBefore, turns: turn });
    this.#ports.after(Math.max(0, notBefore - this.#ports.now()), () => this.#fill());
    if (isSeen) {
      this.#ports.onWaiting(event.record);
    }
  }
}
