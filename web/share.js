// Passes links on by what the device has for that, and keeps its screen on while something is sent.
//
// Invariant: nothing depends on either: where a browser can't, or a person says no, the rest goes on as it is.

// Null where the browser has no way to pass anything on. Else share({title, links}).
export const share =
  typeof globalThis.navigator?.share === 'function'
    ? async ({ title, links }) => {
        const what = links.length === 1 ? { title, url: links[0] } : { title, text: links.join('\n') };
        try {
          await navigator.share(what);
        } catch {
          // The person changed their mind, which the browser tells as a failure.
        }
      }
    : null;

// While it is wanted, the screen stays on, and with it the network of a phone. The browser takes the lock back
// whenever the page is hidden.
export class ScreenLock {
  #isWanted = false;
  #isAsking = false;
  #lock = null;

  want(isWanted) {
    if (this.#isWanted !== isWanted) {
      this.#isWanted = isWanted;
      void this.renew();
    }
  }

  // The page may be seen again.
  async renew() {
    if (!this.#isWanted) {
      const lock = this.#lock;
      this.#lock = null;
      await lock?.release();
    } else if (!document.hidden && !this.#isAsking && (this.#lock === null || this.#lock.released)) {
      // One at a time: a second lock would take the place of the first, which nobody could release then.
      this.#isAsking = true;
      this.#lock = await request();
      this.#isAsking = false;
      if (!this.#isWanted) {
        await this.renew();
      }
    }
  }
}

async function request() {
  try {
    return (await navigator.wakeLock?.request('screen')) ?? null;
  } catch {
    // Such as with a battery that is low.
    return null;
  }
}
