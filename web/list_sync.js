// Keeps the list of files up to date: with the service, and with this page's other tabs.
//
// Invariant: one request for the list at a time, one refresh every REFRESH_MS while somebody looks, and
// pauses that grow while the service can't be reached. However many pages without files a service gives,
// and however its cursors go round, MAX_EMPTY_PAGES of them are asked for in a row, and nothing by itself
// once MAX_USELESS_PAGES brought nothing new or MAX_LISTED files are held.
//
// Absent on purpose: the DOM. What touches the world comes in as `ports`.

import { backOff } from './back_off.js';
import { FileList } from './file_list.js';

// Of the newest files, which are asked for again and again, and of older ones.
const PAGE = 50;
const OLDER_PAGE = 100;
const MAX_EMPTY_PAGES = 10;
const MAX_USELESS_PAGES = 3;
export const MAX_LISTED = 10_000;
const REFRESH_MS = 10_000;

export class ListSync {
  list = new FileList();
  isLoaded = false;
  isFailing = false;
  isGettingOlder = false;
  // Why the list couldn't be fetched, where that is known.
  problem = null;
  // Everybody's files, and not only one's own.
  #isOfAll = false;
  // Older pages in a row that brought nothing.
  #useless = 0;
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
    const { list } = this;
    const { moment } = list;
    const answer = await this.#page(undefined);
    this.#isAsking = false;
    if (list !== this.list) {
      // Somebody asked for another list meanwhile.
      this.#askAgain = false;
      await this.refresh();
      return;
    }
    const isPage = answer.type === 'page';
    this.#failures = isPage ? 0 : this.#failures + 1;
    this.problem = answer.cause ?? answer.problem ?? null;
    // One answer that is missing is nothing to worry anybody with, unless there is nothing to show.
    this.isFailing = this.#failures > (this.isLoaded && this.problem === null ? 1 : 0);
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
    const pause = isPage ? REFRESH_MS : backOff(this.#failures - 1);
    this.#cancelTimer = this.#ports.after(pause, () => {
      if (!this.#ports.isHidden()) {
        void this.refresh();
      }
    });
  }

  // Begins anew, with everybody's files or one's own.
  async showAll(isOfAll) {
    this.#isOfAll = isOfAll;
    this.list = new FileList();
    this.isLoaded = false;
    this.#useless = 0;
    this.#onChange();
    await this.refresh();
  }

  // Whether it holds as many files as it ever does.
  get isFull() {
    return this.list.size >= MAX_LISTED;
  }

  // Reads older pages until there are none, none comes, or `isWanted` says so.
  async allOlder(isWanted) {
    while (isWanted() && (await this.older({ isByHand: true })));
  }

  // Reads the next older page. Whether that is worth doing again at once, if one wants still more. A person
  // who asks for it gets it also where it isn't likely to bring anything.
  async older({ isByHand = false } = {}) {
    const isUseless = this.#useless >= MAX_USELESS_PAGES && !isByHand;
    if (this.isGettingOlder || this.isFull || isUseless || this.list.isComplete || this.list.cursor === null) {
      return false;
    }
    this.isGettingOlder = true;
    this.#onChange();
    const { cursor, size } = this.list;
    const answer = await this.#page(cursor, OLDER_PAGE);
    this.isGettingOlder = false;
    // If the list began anew meanwhile, this page doesn't follow it any more.
    if (answer.type === 'page' && this.list.cursor === cursor) {
      this.list.applyOlder(answer);
      this.#useless = this.list.size > size ? 0 : this.#useless + 1;
    }
    this.#onChange();
    return answer.type === 'page' && this.#useless < MAX_USELESS_PAGES;
  }

  // The first page from here on that has files, or what comes of asking for it.
  async #page(from, limit = PAGE) {
    const asked = new Set();
    let cursor = from;
    for (;;) {
      asked.add(cursor);
      const answer = await this.#ports.api.list({ limit, cursor, isOfAll: this.#isOfAll });
      if (answer.type !== 'page') {
        return answer;
      }
      if (asked.has(answer.nextCursor)) {
        // It leads back to where it came from: no list that one could go through.
        return { type: 'lost' };
      }
      if (answer.files.length > 0 || answer.nextCursor === null || asked.size >= MAX_EMPTY_PAGES) {
        return answer;
      }
      cursor = answer.nextCursor;
    }
  }

  // What was seen of a record by looking at it, which other tabs do themselves.
  saw(record) {
    const known = this.list.get(record.id);
    if (known && (known.status !== record.status || known.stage !== record.stage)) {
      this.list.upsert(record);
      this.#onChange();
    }
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

  // → deleted | refused | lost, as the API says it.
  async remove(id) {
    const answer = await this.#ports.api.remove(id);
    if (answer.type === 'deleted') {
      this.forget(id);
    }
    return answer;
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
