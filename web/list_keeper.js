// Keeps the list of files up to date: with the service, and with this page's other tabs.
//
// Invariant: one request for the list at a time, one refresh every REFRESH_MS while somebody looks, and
// pauses that grow while the service can't be reached.
//
// Absent on purpose: the DOM. What touches the world comes in as `ports`.

import { FileList } from './file_list.js';

const PAGE = 50;
const REFRESH_MS = 10_000;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

export class ListKeeper {
  list = new FileList();
  isLoaded = false;
  isFailing = false;
  isGettingOlder = false;
  #ports;
  #onChange;
  #isAsking = false;
  #askAgain = false;
  #failures = 0;
  #cancelTimer = () => {};

  // ports: api {list, remove, look}, channel {postMessage, onmessage}, after(ms, run) → cancel,
  // isHidden().
  constructor(ports, onChange) {
    this.#ports = ports;
    this.#onChange = onChange;
    ports.channel.onmessage = ({ data }) => this.#hear(data);
  }

  // Reads the newest page; while that is being done, once more after it.
  async refresh() {
    if (this.#isAsking) {
      this.#askAgain = true;
      return;
    }
    this.#isAsking = true;
    this.#cancelTimer();
    const moment = this.list.moment;
    const answer = await this.#ports.api.list({ limit: PAGE });
    this.#isAsking = false;
    const isPage = answer.type === 'page';
    this.#failures = isPage ? 0 : this.#failures + 1;
    // One answer that is missing is nothing to worry anybody with, unless there is nothing to show.
    this.isFailing = this.#failures > (this.isLoaded ? 1 : 0);
    if (isPage) {
      this.isLoaded = true;
      this.list.applyNewest(answer, moment);
    }
    this.#onChange();
    if (this.#askAgain) {
      this.#askAgain = false;
      await this.refresh();
      return;
    }
    const pause = isPage ? REFRESH_MS : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1));
    this.#cancelTimer = this.#ports.after(pause, () => {
      if (!this.#ports.isHidden()) {
        void this.refresh();
      }
    });
  }

  // Reads the next older page. Whether that is worth doing again at once, if one wants still more.
  async older() {
    if (this.isGettingOlder || this.list.isComplete || this.list.cursor === null) {
      return false;
    }
    this.isGettingOlder = true;
    this.#onChange();
    const cursor = this.list.cursor;
    const answer = await this.#ports.api.list({ limit: PAGE, cursor });
    this.isGettingOlder = false;
    // If the list began anew meanwhile, this page doesn't follow it any more.
    if (answer.type === 'page' && this.list.cursor === cursor) {
      this.list.applyOlder(answer);
    }
    this.#onChange();
    return answer.type === 'page';
  }

  // A record that this page learnt of by itself.
  upsert(record) {
    this.list.upsert(record);
    this.#ports.channel.postMessage({ changed: record.id });
    this.#onChange();
  }

  forget(id) {
    this.list.remove(id);
    this.#ports.channel.postMessage({ removed: id });
    this.#onChange();
  }

  // Whether the file is gone now.
  async remove(id) {
    const answer = await this.#ports.api.remove(id);
    if (answer.type !== 'deleted') {
      return false;
    }
    this.forget(id);
    return true;
  }

  // What another tab did.
  async #hear({ changed, removed }) {
    if (removed) {
      this.list.remove(removed);
      this.#onChange();
    } else if (changed) {
      void this.refresh();
    }
  }
}
