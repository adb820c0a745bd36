// How fast bytes go out, and how long the rest will take.
//
// Invariant: looks at the last few seconds only, so that a pause or a faster network shows soon.

const WINDOW_MS = 5000;
const MAX_SAMPLES = 64;
// Less than this says nothing yet.
const MIN_SPAN_MS = 400;

export class Meter {
  #samples = [];

  add(loaded, now) {
    const last = this.#samples.at(-1);
    if (last && loaded < last.loaded) {
      this.#samples = [];
    }
    this.#samples.push({ loaded, now });
    while (
      this.#samples.length > MAX_SAMPLES ||
      (this.#samples.length > 2 && this.#samples[1].now < now - WINDOW_MS)
    ) {
      this.#samples.shift();
    }
  }

  // In bytes per second; null while it isn't known.
  speed() {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || last.now - first.now < MIN_SPAN_MS || last.loaded <= first.loaded) {
      return null;
    }
    return ((last.loaded - first.loaded) * 1000) / (last.now - first.now);
  }

  secondsLeft(total) {
    const speed = this.speed();
    return speed === null ? null : (total - this.#samples.at(-1).loaded) / speed;
  }
}
