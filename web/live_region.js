// Says what happened: to a screen reader in a live region, and where it helps to everybody in a toast.
//
// Invariant: nothing is said while something else still has to be read; progress at sensible intervals
// only.

import { Toast } from './toast.js';

const SETTLE_MS = 600;
const PROGRESS_EVERY_MS = 15_000;
// More than this at once is noise.
const MAX_SENTENCES = 5;

export class LiveRegion {
  #region;
  #toast;
  #sentences = [];
  #timer = null;
  #progressAt = 0;

  constructor(region, toast) {
    this.#region = region;
    this.#toast = new Toast(toast);
  }

  // Sentences that come together are read together; of those on one topic only the last, which is what holds.
  say(sentence, topic = null) {
    const others = this.#sentences.filter((one) => topic === null || one.topic !== topic);
    this.#sentences = [...others, { sentence, topic }].slice(-MAX_SENTENCES);
    if (this.#timer === null) {
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.#region.textContent = this.#sentences.map(({ sentence: one }) => one).join('. ');
        this.#sentences = [];
      }, SETTLE_MS);
    }
  }

  // `sentence` is a function, called only if it is time to say something again.
  progress(sentence, topic, now) {
    if (this.#progressAt === 0) {
      this.#progressAt = now;
    }
    if (now - this.#progressAt >= PROGRESS_EVERY_MS) {
      this.#progressAt = now;
      this.say(sentence(), topic);
    }
  }

  show(sentence) {
    this.say(sentence);
    this.#toast.show(sentence);
  }
}
