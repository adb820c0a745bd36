// How much of the service somebody has taken of what they may have, in a line above their files. Loaded where there is a
// bound.
//
// Invariant: shows what the service said last, and reckons nothing. It is asked again when the files that count are others
// than they were, once for all that changes within ASK_AFTER_MS, and one question at a time.

import { setText } from './dom.js';
import { strings as de } from './strings.use.de.js';
import { strings as en } from './strings.use.en.js';

export const ASK_AFTER_MS = 1000;
// What the service counts.
const COUNTED = new Set(['pending', 'available']);

export class UseLine {
  #root;
  #words;
  #format;
  #ask;
  #after;
  // What was in the list when it was looked at last; null before that.
  #seen = null;
  #isAsking = false;
  #askAgain = false;

  // `root` is an empty place in the page. ask() resolves once show() was told what the service says; after(ms, run).
  constructor(root, { strings, format, ask, after }) {
    this.#root = root;
    this.#words = (strings.language === de.language ? de : en).use;
    this.#format = format;
    this.#ask = ask;
    this.#after = after;
  }

  // `quota` is {bytes, files} as the service has it, each {used, limit} or null; or null where nothing bounds anything.
  show(quota) {
    const [bytes, files] = [quota?.bytes, quota?.files].map((part) => (isUse(part) ? part : null));
    const { bytes: ofBytes, files: ofFiles, filesAlone, both } = this.#words;
    const count = (number) => this.#format.count(number);
    const room = bytes && ofBytes(...this.#format.sizes(bytes.used, bytes.limit));
    const number = files && (bytes ? ofFiles : filesAlone)(count(files.used), count(files.limit));
    setText(this.#root, room && number ? both(room, number) : (room ?? number ?? ''));
    this.#root.hidden = !(room || number);
    this.#root.classList.toggle('is-full', [bytes, files].some((part) => part && part.used >= part.limit));
  }

  // The files of the list, whenever they may be others.
  look(records) {
    const counted = records.filter(({ status }) => COUNTED.has(status));
    const seen = `${counted.length} ${counted.reduce((sum, { size }) => sum + size, 0)}`;
    if (this.#seen !== null && this.#seen !== seen) {
      this.askSoon();
    }
    this.#seen = seen;
  }

  askSoon() {
    if (this.#isAsking) {
      this.#askAgain = true;
      return;
    }
    this.#isAsking = true;
    this.#after(ASK_AFTER_MS, async () => {
      // What changes from here on isn't in the answer.
      this.#askAgain = false;
      await this.#ask();
      this.#isAsking = false;
      if (this.#askAgain) {
        this.askSoon();
      }
    });
  }
}

function isUse(part) {
  return Number.isFinite(part?.used) && Number.isFinite(part?.limit);
}
