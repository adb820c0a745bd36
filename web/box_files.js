// What was handed in into a box, as far as the page has read it.
//
// Invariant: a list that was read to its end is what the service said: what it no longer names is gone. What can still
// change is looked at each time, or of a long list every DEEP_EVERY_MS, and all is read again after other times of the
// box, since these make other files late. Until a reading has come to its end, what was known stays. At most MAX_PAGES
// are read at a time, and of what never arrived the newest MAX_NEVER are kept: whoever has the box's URL can make any
// number of these.
//
// Absent on purpose: the DOM. What touches the world comes in as `ports`.

import { LONGEST_PAUSE_MS, backOff } from './back_off.js';
import { merged } from './box_rows.js';

// A page has 100 files.
export const MAX_PAGES = 1000;
export const MAX_NEVER = 500;
const TRIES = 3;
// So often all is read without a reason, since nothing tells of what was deleted elsewhere.
const WHOLE_EVERY_MS = 5 * 60_000;
// So often what can still change is looked at in a list of more than so many: one upload may wait at its end.
const DEEP_EVERY_MS = 2 * 60_000;
const LONG = 1000;

export class BoxFiles {
  #ports;
  #all = [];
  // The IDs of what never arrived and isn't kept.
  #unlisted = new Set();
  #isWhole = false;
  // Whether there was more than is read at a time.
  #isCut = false;
  #judgedBy = '';
  #wholeAt = 0;
  // When what can still change was looked at.
  #deepAt = 0;
  #turn = 0;

  // ports: files(id, cursor) → an event of the API; now() in milliseconds; after(ms, run).
  constructor(ports) {
    this.#ports = ports;
  }

  // The newest first.
  get all() {
    return this.#all;
  }

  // Whether that is all there was when it was read.
  get isWhole() {
    return this.#isWhole;
  }

  // How many never arrived and aren't among them.
  get unlisted() {
    return this.#unlisted.size;
  }

  reset() {
    this.#turn += 1;
    this.#all = [];
    this.#unlisted = new Set();
    this.#isWhole = false;
    this.#isCut = false;
  }

  // Reads what there is now, or with `whole` all of it. `box` is what the service has just said. onPage() is told of each
  // page of a list that wasn't known yet. → read | superseded | tooMany | what the API says that it can't
  async read(box, { whole = false, onPage = () => {} } = {}) {
    this.#turn += 1;
    const turn = this.#turn;
    const judgedBy = JSON.stringify([box.opensAt, box.dueAt, box.closesAt, box.overrides]);
    const isAll = whole || !(this.#isWhole || this.#isCut) || this.#isOther(judgedBy);
    const known = new Map(this.#all.map(({ id, status }) => [id, status]));
    const isKnown = ({ id, status }) => this.#unlisted.has(id) || (known.get(id) === status && !isOpen(status));
    const isDeep = this.#all.length <= LONG || this.#ports.now() - this.#deepAt >= DEEP_EVERY_MS;
    const oldest = isDeep ? (this.#all.filter(({ status }) => isOpen(status)).at(-1)?.id ?? null) : null;
    const fresh = new Listed();
    let cursor = null;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const event = await this.#page(box.id, cursor, turn);
      if (turn !== this.#turn) {
        return { type: 'superseded' };
      }
      if (event.type !== 'page') {
        return event;
      }
      const isOld = !isAll && event.files.length > 0 && event.files.every(isKnown);
      fresh.add(event.files);
      cursor = event.nextCursor;
      if (cursor === null) {
        this.#replace(fresh, judgedBy);
        return { type: 'read' };
      }
      if (isOld && (oldest === null || fresh.lowest <= oldest)) {
        this.#continue(fresh);
        this.#deepAt = isDeep ? this.#ports.now() : this.#deepAt;
        return { type: this.#isCut ? 'tooMany' : 'read' };
      }
      if (!this.#isWhole) {
        this.#all = merged(this.#all, fresh.newest(event.files));
        onPage();
      }
    }
    this.#all = merged(this.#all, fresh.files);
    this.#isCut = true;
    this.#isWhole = false;
    this.#judgedBy = judgedBy;
    this.#wholeAt = this.#ports.now();
    this.#deepAt = this.#wholeAt;
    this.#unlisted = fresh.unlisted;
    return { type: 'tooMany' };
  }

  #isOther(judgedBy) {
    return judgedBy !== this.#judgedBy || (this.#isWhole && this.#ports.now() - this.#wholeAt >= WHOLE_EVERY_MS);
  }

  async #page(id, cursor, turn) {
    const { files, after } = this.#ports;
    for (let failures = 1; ; failures += 1) {
      const event = await files(id, cursor);
      if (event.type !== 'lost' || failures === TRIES || turn !== this.#turn) {
        return event;
      }
      const pause = Math.min(LONGEST_PAUSE_MS, Math.max(event.retryAfterMs ?? 0, backOff(failures - 1)));
      await new Promise((resolve) => after(pause, resolve));
    }
  }

  // All were read.
  #replace(fresh, judgedBy) {
    this.#all = fresh.files;
    this.#unlisted = fresh.unlisted;
    this.#isWhole = true;
    this.#isCut = false;
    this.#judgedBy = judgedBy;
    this.#wholeAt = this.#ports.now();
    this.#deepAt = this.#wholeAt;
  }

  // What is older than what was read is as it was.
  #continue(fresh) {
    const whole = new Listed();
    whole.add(fresh.files);
    whole.add(this.#all.filter(({ id }) => id < fresh.lowest));
    const older = [...this.#unlisted].filter((id) => id < fresh.lowest);
    this.#all = whole.files;
    this.#unlisted = new Set([...whole.unlisted, ...fresh.unlisted, ...older]);
  }
}

// Files in their order, with the newest of those that never arrived.
class Listed {
  files = [];
  unlisted = new Set();
  lowest = '';
  #never = 0;

  add(files) {
    for (const file of files) {
      this.#never += file.status === 'expired' ? 1 : 0;
      this.lowest = file.id;
      if (file.status === 'expired' && this.#never > MAX_NEVER) {
        this.unlisted.add(file.id);
      } else {
        this.files.push(file);
      }
    }
  }

  // Those of a page that are kept.
  newest(page) {
    return page.filter(({ id }) => !this.unlisted.has(id));
  }
}

const isOpen = (status) => status === 'pending' || status === 'processing';
