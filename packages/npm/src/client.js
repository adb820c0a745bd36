// The uploads of one caller at one service, over the page's own queue and state machine.
//
// Invariant: each upload settles once: by its record, by what went wrong, or by whoever gave it up. Whether somebody is
// let in is asked twice at the most. A record that doesn't settle is waited for CONFIRMED_WITHIN_MS and no longer.
//
// Absent on purpose: the DOM.

import { Api } from '../../../web/api.js';
import { LONGEST_PAUSE_MS, backOff } from '../../../web/back_off.js';
import { sha256 } from '../../../web/digest.js';
import { put as putByRequest } from '../../../web/put.js';
import { nameOf } from '../../../web/record.js';
import { Uploads } from '../../../web/uploads.js';
import { refusal } from '../../../web/validation.js';
import { putByFetch } from './put_by_fetch.js';
import { UploadError } from './upload_error.js';

// From the bytes' arrival on, for a service that is far behind.
const CONFIRMED_WITHIN_MS = 10 * 60 * 1000;
// The longest that the service waits for a record to settle.
const WAIT_S = 20;
const UNNAMED = 'file';
const CALLS = ['create', 'renew', 'look', 'complete', 'remove', 'link'];

// The service's calls, with a token. A token that is refused isn't waited for, as a person is who has to sign in.
export function apiOf({ base = '/', token, metadata }) {
  let isRefused = false;
  const proof = async () => {
    const value = typeof token === 'function' ? await token({ isRefused }) : token;
    return value ? { Authorization: `Bearer ${value}` } : {};
  };
  const api = new Api(baseUrl(base), undefined, proof);
  const asked = (call) => async (...values) => {
    let event = await api[call](...values);
    if (isSignedOut(event) && typeof token === 'function') {
      isRefused = true;
      event = await api[call](...values);
      isRefused = false;
    }
    return isSignedOut(event) ? { type: 'refused', problem: event.cause } : event;
  };
  const calls = Object.fromEntries(CALLS.map((call) => [call, asked(call)]));
  return {
    ...calls,
    create: (wanted) => calls.create({ ...wanted, metadata }),
    pageOf: (id) => api.pageOf(id),
    downloadOf: (id) => api.downloadOf(id),
  };
}

function isSignedOut(event) {
  return event.type === 'lost' && event.cause?.code === 'signedOut';
}

function baseUrl(base) {
  const url = new URL(base, globalThis.location?.href);
  if (!['http:', 'https:'].includes(url.protocol)) {
    throw new TypeError('the address of the service begins with http: or https:');
  }
  url.search = '';
  url.hash = '';
  url.pathname = url.pathname.replace(/\/*$/, '/');
  return url;
}

export class Client {
  #api;
  #uploads;
  // What is asked for, by the key of its upload.
  #sendings = new Map();
  // What is being added, while its key isn't known yet.
  #added = null;
  #watched = new Set();
  #wake = () => this.#uploads.wake();

  constructor({ base, token, metadata }) {
    this.#api = apiOf({ base, token, metadata });
    const ports = {
      api: this.#api,
      put: globalThis.XMLHttpRequest ? putByRequest : putByFetch,
      sha256,
      // The service has the last word, and knows how large a file may be.
      refusal: (file) => refusal(file, Infinity),
      reach,
      watch: (id) => void this.#watch(id),
      newName: () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join('-'),
      now: () => Date.now(),
      isOnline: () => globalThis.navigator?.onLine !== false,
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
    };
    this.#uploads = new Uploads(ports, (item) => this.#changed(item));
  }

  // → {done, cancel(reason), retry(), dismiss()}; done settles with what the file has become.
  begin(file, { name, onProgress, onPhase } = {}) {
    if (!(file instanceof Blob)) {
      throw new TypeError('what is uploaded is a File or a Blob');
    }
    const sending = new Sending(this.#uploads, this.#api, { onProgress, onPhase });
    this.#added = sending;
    const taken = this.#uploads.add([{ name: name ?? file.name ?? UNNAMED, file }]);
    this.#added = null;
    if (taken === 0) {
      throw new UploadError({ code: 'tooMany' });
    }
    this.#listen();
    return sending;
  }

  #changed(item) {
    let sending = this.#sendings.get(item.key);
    if (!sending) {
      sending = this.#added;
      sending.item = item;
      sending.onEnd = () => this.#listen();
      this.#sendings.set(item.key, sending);
    }
    sending.changed();
  }

  // A network that comes back is told of by the browser, as long as somebody waits for it.
  #listen() {
    const kept = new Set(this.#uploads.items.map(({ key }) => key));
    for (const key of this.#sendings.keys()) {
      if (!kept.has(key)) {
        this.#sendings.delete(key);
      }
    }
    const change = this.#uploads.isBusy ? 'addEventListener' : 'removeEventListener';
    globalThis[change]?.('online', this.#wake);
  }

  #confirming(id) {
    return [...this.#sendings.values()].find(
      ({ item, isSettled }) => item.state.id === id && item.state.phase === 'confirming' && !isSettled,
    );
  }

  // Asks for a record until it settles.
  async #watch(id) {
    if (this.#watched.has(id)) {
      return;
    }
    this.#watched.add(id);
    const until = Date.now() + CONFIRMED_WITHIN_MS;
    let failures = 0;
    while (this.#confirming(id) && Date.now() < until) {
      const event = await this.#api.look(id, WAIT_S);
      failures = event.type === 'lost' ? failures + 1 : 0;
      if (event.type === 'seen') {
        this.#uploads.seen(event.record);
      } else if (event.type === 'gone') {
        this.#uploads.gone(id);
      } else if (event.type === 'refused') {
        this.#confirming(id)?.fail(event.problem);
      }
      if (this.#confirming(id)) {
        const pause = Math.min(LONGEST_PAUSE_MS, Math.max(event.retryAfterMs ?? 0, backOff(failures)));
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    this.#watched.delete(id);
    this.#confirming(id)?.fail({ code: 'unconfirmed' });
  }
}

// One file on its way.
class Sending {
  #uploads;
  #api;
  #onProgress;
  #onPhase;
  #resolve;
  #reject;
  #shown = null;
  item;
  isSettled;
  done;
  onEnd = () => {};

  constructor(uploads, api, { onProgress, onPhase }) {
    this.#uploads = uploads;
    this.#api = api;
    this.#onProgress = onProgress;
    this.#onPhase = onPhase;
    this.#open();
  }

  // Gives it up. Bytes that have arrived stay: the file is in the list of whoever sent it.
  cancel(reason = new DOMException('the upload was given up', 'AbortError')) {
    this.#end(() => this.#reject(reason));
    this.#uploads.cancel(this.item);
  }

  get canRetry() {
    return !this.item.isFinal;
  }

  // Goes on with the same record, where that is of use.
  retry() {
    this.#open();
    this.#uploads.retry(this.item);
    this.onEnd();
    return this.done;
  }

  dismiss() {
    this.#uploads.dismiss(this.item);
    this.onEnd();
  }

  fail(problem) {
    this.#end(() => this.#reject(new UploadError(problem, this.item.state.id)));
  }

  changed() {
    const { state, loaded, file } = this.item;
    this.#tell(state.phase, loaded, file.size);
    switch (state.phase) {
      case 'available':
        this.#tell(state.phase, file.size, file.size);
        this.#end(() => this.#resolve(this.#shared(state.record)));
        break;
      case 'rejected':
      case 'failed':
        this.fail(state.problem);
        break;
      default:
    }
  }

  #open() {
    this.isSettled = false;
    this.#shown = null;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever doesn't ask isn't told of as a mistake.
    this.done.catch(() => {});
  }

  #end(settle) {
    if (!this.isSettled) {
      this.isSettled = true;
      settle();
      // The queue is in the middle of its step.
      queueMicrotask(() => this.onEnd());
    }
  }

  #tell(phase, loaded, total) {
    const shown = `${phase} ${loaded}`;
    if (this.isSettled || shown === this.#shown) {
      return;
    }
    const isNewPhase = this.#shown?.split(' ')[0] !== phase;
    this.#shown = shown;
    if (isNewPhase) {
      this.#onPhase?.(phase);
    }
    this.#onProgress?.({ loaded, total });
  }

  #shared(record) {
    const { id, filename, size, contentType, sha256: digest } = record;
    return {
      id,
      url: this.#api.pageOf(id),
      downloadUrl: this.#api.downloadOf(id),
      sha256: digest,
      filename,
      displayName: nameOf(record),
      size,
      contentType,
    };
  }
}

// Why a page can't send there, or null.
function reach(url) {
  const { protocol, origin } = new URL(url);
  return globalThis.location?.protocol === 'https:' && protocol === 'http:' ? { code: 'mixed', origin } : null;
}
