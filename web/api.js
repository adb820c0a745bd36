// The service's API, as far as the pages use it. The contract is openapi.json.
//
// Invariant: an answer that didn't come, or asks for patience, is one kind of outcome: `lost`. Nothing
// here tries again; whoever called decides.

import { mediaType } from './admission.js';
import { retryAfterMs } from './put_outcome.js';

const ANSWER_WITHIN_MS = 15_000;
// The service measures what arrived before it answers.
const COMPLETE_WITHIN_MS = 25_000;

export class Api {
  #base;

  // The URL under which the service is shown, with a slash at its end.
  constructor(base) {
    this.#base = base;
  }

  // With the same key the same file. → created {id, upload?} | refused {problem} | lost
  async create({ name, size, type, sha256, key }) {
    const contentType = mediaType(type);
    const body = { filename: name, size, ...(contentType && { contentType }), ...(sha256 && { sha256 }) };
    const answer = await this.#call('POST', 'v1/files', { body, headers: { 'Idempotency-Key': key } });
    if (answer.status !== 201) {
      return failure(answer);
    }
    const { upload, ...record } = answer.json;
    return { type: 'created', id: record.id, upload: upload && this.#withDeadline(upload, answer) };
  }

  // → renewed {upload} | settled | gone | refused | lost
  async renew(id) {
    const answer = await this.#call('POST', `v1/files/${id}/upload`);
    switch (answer.status) {
      case 200:
        return { type: 'renewed', upload: this.#withDeadline(answer.json.upload, answer) };
      case 409:
        return { type: 'settled' };
      case 404:
        return { type: 'gone' };
      default:
        return failure(answer);
    }
  }

  // Waits up to `wait` seconds for the end of `pending`. → seen {record} | gone | refused | lost
  async look(id, wait = 0, signal = undefined) {
    const query = wait > 0 ? `?wait=${wait}` : '';
    const patience = ANSWER_WITHIN_MS + wait * 1000;
    const answer = await this.#call('GET', `v1/files/${id}/metadata${query}`, { patience, signal });
    switch (answer.status) {
      case 200:
        return { type: 'seen', record: answer.json };
      case 404:
        return { type: 'gone' };
      default:
        return failure(answer);
    }
  }

  // Says that the bytes were sent, which spares the wait for the store's notification. A hint that a
  // service needn't take. → seen {record} | gone | refused | lost
  async complete(id) {
    const answer = await this.#call('POST', `v1/files/${id}/complete`, { patience: COMPLETE_WITHIN_MS });
    if (answer.status === 200) {
      return { type: 'seen', record: answer.json };
    }
    return answer.code === 'file_not_found' ? { type: 'gone' } : failure(answer);
  }

  // → page {files, nextCursor} | refused | lost
  async list({ limit, cursor }) {
    const query = new URLSearchParams({ limit, ...(cursor && { cursor }) });
    const answer = await this.#call('GET', `v1/files?${query}`);
    return answer.status === 200 ? { type: 'page', ...answer.json } : failure(answer);
  }

  // → deleted | refused | lost. What isn't there any more is deleted too.
  async remove(id) {
    const answer = await this.#call('DELETE', `v1/files/${id}`);
    return answer.status === 204 || answer.status === 404 ? { type: 'deleted' } : failure(answer);
  }

  // For people: a page that shows the file, waits for it where it must, and has a button.
  pageOf(id) {
    return new URL(`f/${id}`, this.#base).href;
  }

  // The bytes themselves.
  downloadOf(id) {
    return new URL(`v1/files/${id}`, this.#base).href;
  }

  async #call(method, path, { body, headers = {}, patience = ANSWER_WITHIN_MS, signal } = {}) {
    // By hand: AbortSignal.any isn't on phones that are a few years old.
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = setTimeout(abort, patience);
    signal?.addEventListener('abort', abort);
    try {
      const response = await fetch(new URL(path, this.#base), {
        method,
        headers: { ...headers, ...(body && { 'Content-Type': 'application/json' }) },
        body: body && JSON.stringify(body),
        signal: controller.signal,
        cache: 'no-store',
        credentials: 'same-origin',
      });
      const text = await response.text();
      const json = text.startsWith('{') ? JSON.parse(text) : {};
      return {
        status: response.status,
        json,
        code: json.code,
        retryAfterMs: retryAfterMs(response.headers.get('Retry-After')),
        date: Date.parse(response.headers.get('Date') ?? ''),
      };
    } catch {
      return { status: 0, json: {}, retryAfterMs: 0 };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  // When the URL runs out by this machine's clock, which may be wrong; the service's `Date` helps.
  #withDeadline(upload, { date }) {
    const here = Date.now();
    const there = Number.isNaN(date) ? here : date;
    return { ...upload, deadline: here + (Date.parse(upload.expiresAt) - there) };
  }
}

// Why a call failed: for good, or so that it's worth trying again.
export function failure({ status, code, json, retryAfterMs: pause }) {
  if (status === 507) {
    return { type: 'refused', problem: { code: 'full' } };
  }
  if (status === 0 || status === 408 || status === 429 || status >= 500) {
    return { type: 'lost', retryAfterMs: pause };
  }
  return { type: 'refused', problem: { code: 'problem', detail: json.detail ?? code ?? String(status) } };
}
