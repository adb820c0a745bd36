// How a page calls the service: one request and its answer, judged.
//
// Invariant: an answer that didn't come, or asks for patience, is one kind of outcome: `lost`. What
// somebody else than the service answered says nothing about a file: nothing is seen, settled, gone or deleted
// by it. While nobody is signed in, nothing is asked but who that is. Nothing here tries again; whoever called decides.

import { JOSE, SIGN_IN_REQUIRED, isAboutHost, mediaTypeOf, notFromService, outcomeOf } from './intermediary.js';
import { retryAfterMs } from './put_outcome.js';
import { isRecord } from './record.js';

const ANSWER_WITHIN_MS = 15_000;
const JSON_TYPES = new Set(['application/json', 'application/problem+json']);
const GONE = 'file_not_found';
// What the pages have words of their own for.
const KNOWN = new Map([['type_not_allowed', 'typeNotAllowed'], ['held', 'held'], ['retained', 'retained']]);
const QUOTA_EXCEEDED = 'quota_exceeded';
const FORBIDDEN = 403;
const SHORTEST = 'v1/files?limit=1';
const SESSION = 'v1/session';
const NOBODY_ASKED = { isOut: false, heard() {} };
const NO_PROOF = () => ({});

export class ServiceCalls {
  #base;
  #session;
  #proof;
  #shortest;

  // The URL under which the service is shown, with a slash at its end. session: isOut as long as nobody may ask
  // about files, heard(problem, startedAt) with each answer whether the person has been signed out: what shows
  // it, or null, and when the call began in performance.now(). proof() gives the headers by which a caller without a
  // session shows who it is, or a promise of them. `shortest` is the path of a call that whoever uses the page may make.
  constructor(base, { session = NOBODY_ASKED, proof = NO_PROOF, shortest = SHORTEST } = {}) {
    this.#base = base;
    this.#session = session;
    this.#proof = proof;
    this.#shortest = shortest;
  }

  // → {status, json, text, code?, foreign, retryAfterMs, date?}; status 0: there was no answer.
  async call(method, path, { body, headers = {}, patience = ANSWER_WITHIN_MS, signal } = {}) {
    if (this.#session.isOut && !path.startsWith(SESSION)) {
      return { status: SIGN_IN_REQUIRED.status, json: {}, retryAfterMs: 0, foreign: SIGN_IN_REQUIRED };
    }
    const startedAt = performance.now();
    // By hand: AbortSignal.any isn't on phones that are a few years old.
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = setTimeout(abort, patience);
    signal?.addEventListener('abort', abort);
    try {
      const response = await fetch(new URL(path, this.#base), {
        method,
        headers: { ...(await this.#proof()), ...headers, ...(body && { 'Content-Type': 'application/json' }) },
        body: body && JSON.stringify(body),
        signal: controller.signal,
        cache: 'no-store',
        credentials: 'same-origin',
        // No call of ours leads anywhere else: a redirect is a sign-in's.
        redirect: 'manual',
      });
      const answer = await this.#judged(await read(response), path);
      if (answer.foreign === null || answer.foreign.code === 'signedOut') {
        this.#session.heard(answer.foreign, startedAt);
      }
      return answer;
    } catch {
      return { status: 0, json: {}, retryAfterMs: 0, foreign: null };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  // A page with 403 may be a sign-in's, or that of a filter which has something against this one call. The
  // shortest of all calls tells.
  async #judged(answer, path) {
    if (answer.foreign?.code !== 'signedOut' || answer.status !== FORBIDDEN || path === this.#shortest) {
      return answer;
    }
    const { foreign, status } = await this.call('GET', this.#shortest);
    const isIn = foreign === null && status !== 0;
    return isIn ? { ...answer, foreign: { code: 'intermediary', status: FORBIDDEN } } : answer;
  }

  // When the URL runs out by this machine's clock, which may be wrong; the service's `Date` helps.
  withDeadline(upload, { date }) {
    const here = Date.now();
    const there = Number.isNaN(date) ? here : date;
    return { ...upload, deadline: here + (Date.parse(upload.expiresAt) - there) };
  }
}

// The body of what isn't the service's own is left alone, however long it is.
async function read(response) {
  const mediaType = mediaTypeOf(response.headers.get('Content-Type'));
  const json = JSON_TYPES.has(mediaType) ? await response.json() : {};
  const text = mediaType === JOSE ? await response.text() : '';
  const { status } = response;
  const isRedirect = response.type === 'opaqueredirect';
  const foreign = notFromService({ status, isRedirect, mediaType, json });
  if (!JSON_TYPES.has(mediaType) && mediaType !== JOSE) {
    await response.body?.cancel();
  }
  return {
    status,
    json,
    text,
    code: foreign ? undefined : json.code,
    foreign,
    retryAfterMs: retryAfterMs(response.headers.get('Retry-After')),
    date: Date.parse(response.headers.get('Date') ?? ''),
  };
}

export function seenOr(answer) {
  return answer.status === 200 && isRecord(answer.json) ? { type: 'seen', record: answer.json } : goneOr(answer);
}

export function goneOr(answer) {
  return answer.code === GONE ? { type: 'gone' } : failure(answer);
}

export function isUpload(json) {
  return (
    ['url', 'method', 'expiresAt'].every((field) => typeof json?.[field] === 'string') &&
    typeof json.headers === 'object' &&
    json.headers !== null
  );
}

// Why a call failed: for good, or so that it's worth trying again.
export function failure({ status, code, json, foreign, retryAfterMs: pause }) {
  if (foreign) {
    return outcomeOf(foreign, pause);
  }
  if (status === 507) {
    // No room for anybody, or none for whoever asks.
    return { type: 'refused', problem: { code: code === QUOTA_EXCEEDED ? 'quota' : 'full' } };
  }
  if (isAboutHost(code)) {
    return { type: 'refused', problem: { code: 'misdirected', status } };
  }
  if (status === 429) {
    return { type: 'lost', cause: { code: 'limited' }, retryAfterMs: pause };
  }
  if (status === 0 || status === 408 || status >= 500) {
    return { type: 'lost', retryAfterMs: pause };
  }
  // Said to be a success, and nothing of what was asked for.
  if (code === undefined) {
    return outcomeOf({ code: 'intermediary', status }, pause);
  }
  const detail = json.detail ?? code;
  return { type: 'refused', problem: { code: KNOWN.get(code) ?? 'problem', detail } };
}
