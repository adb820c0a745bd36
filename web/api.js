// The service's API, as far as the pages use it. The contract is openapi.json.
//
// Invariant: an answer that didn't come, or asks for patience, is one kind of outcome: `lost`. What
// somebody else than the service answered says nothing about a file: nothing is seen, settled, gone or deleted
// by it. While nobody is signed in, nothing is asked about files. Nothing here tries again; whoever called decides.

import { mediaType } from './validation.js';
import { JOSE, SIGN_IN_REQUIRED, isAboutHost, mediaTypeOf, notFromService, outcomeOf } from './intermediary.js';
import { retryAfterMs } from './put_outcome.js';
import { isRecord } from './record.js';

const ANSWER_WITHIN_MS = 15_000;
// The service measures what arrived before it answers.
const COMPLETE_WITHIN_MS = 25_000;
const JSON_TYPES = new Set(['application/json', 'application/problem+json']);
const GONE = 'file_not_found';
const NO_TOKEN = 'token_not_found';
const FORBIDDEN = 403;
const SHORTEST = 'v1/files?limit=1';
const SESSION = 'v1/session';
const NOBODY_ASKED = { isOut: false, heard() {} };
const NO_PROOF = () => ({});

export class Api {
  #base;
  #session;
  #proof;

  // The URL under which the service is shown, with a slash at its end. session: isOut as long as nobody may ask
  // about files, heard(problem, startedAt) with each answer whether the person has been signed out: what shows
  // it, or null, and when the call began in performance.now(). proof() gives the headers by which a caller without a
  // session shows who it is, or a promise of them.
  constructor(base, session = NOBODY_ASKED, proof = NO_PROOF) {
    this.#base = base;
    this.#session = session;
    this.#proof = proof;
  }

  // With the same key the same file. → created {id, upload?} | refused {problem} | lost
  async create({ name, size, type, sha256, key }) {
    const contentType = mediaType(type);
    const body = { filename: name, size, ...(contentType && { contentType }), ...(sha256 && { sha256 }) };
    const answer = await this.#call('POST', 'v1/files', { body, headers: { 'Idempotency-Key': key } });
    const { upload, ...record } = answer.json;
    if (answer.status !== 201 || !isRecord(record) || !(upload === undefined || isUpload(upload))) {
      return failure(answer);
    }
    return { type: 'created', id: record.id, upload: upload && this.#withDeadline(upload, answer) };
  }

  // → renewed {upload} | settled | gone | refused | lost
  async renew(id) {
    const answer = await this.#call('POST', `v1/files/${id}/upload`);
    if (answer.status === 200 && isUpload(answer.json.upload)) {
      return { type: 'renewed', upload: this.#withDeadline(answer.json.upload, answer) };
    }
    return answer.code !== undefined && answer.status === 409 ? { type: 'settled' } : goneOr(answer);
  }

  // Waits up to `wait` seconds for the end of `pending`. → seen {record} | gone | refused | lost
  async look(id, wait = 0, signal = undefined) {
    const query = wait > 0 ? `?wait=${wait}` : '';
    const patience = ANSWER_WITHIN_MS + wait * 1000;
    const answer = await this.#call('GET', `v1/files/${id}/metadata${query}`, { patience, signal });
    return seenOr(answer);
  }

  // What the service signs about an available file. → receipt {text} | gone | refused | lost
  async receipt(id) {
    const answer = await this.#call('GET', `v1/files/${id}/receipt`);
    return answer.status === 200 && answer.text ? { type: 'receipt', text: answer.text } : goneOr(answer);
  }

  // What verifies receipts. → keys {keys} | refused | lost
  async receiptKeys() {
    const answer = await this.#call('GET', 'v1/receipts/keys');
    const { keys } = answer.json;
    return answer.status === 200 && Array.isArray(keys) ? { type: 'keys', keys } : failure(answer);
  }

  // Says that the bytes were sent, which spares the wait for the store's notification. A hint that a
  // service needn't take. → seen {record} | gone | refused | lost
  async complete(id) {
    const answer = await this.#call('POST', `v1/files/${id}/complete`, { patience: COMPLETE_WITHIN_MS });
    return seenOr(answer);
  }

  // One's own files, or everybody's. → page {files, nextCursor} | refused | lost
  async list({ limit, cursor, isOfAll }) {
    const query = new URLSearchParams({ limit, ...(cursor && { cursor }), ...(isOfAll && { owner: 'all' }) });
    const answer = await this.#call('GET', `v1/files?${query}`);
    const { files, nextCursor = null } = answer.json;
    const isPage = Array.isArray(files) && files.every(isRecord) && (nextCursor === null || typeof nextCursor === 'string');
    return answer.status === 200 && isPage ? { type: 'page', files, nextCursor } : failure(answer);
  }

  // → deleted | refused | lost. What isn't there any more is deleted too.
  async remove(id) {
    const answer = await this.#call('DELETE', `v1/files/${id}`);
    return answer.status === 204 || answer.code === GONE ? { type: 'deleted' } : failure(answer);
  }

  // The links that pass a file on. → links {links} | gone | refused | lost
  async linksOf(id) {
    const answer = await this.#call('GET', `v1/files/${id}/links`);
    const { links } = answer.json;
    const isList = Array.isArray(links) && links.every(isLink);
    return answer.status === 200 && isList ? { type: 'links', links } : goneOr(answer);
  }

  // Passes files on. → linked {url} | gone | refused | lost
  async link(wanted) {
    const answer = await this.#call('POST', 'v1/links', { body: wanted });
    return answer.status === 201 && isLink(answer.json) ? { type: 'linked', url: answer.json.url } : goneOr(answer);
  }

  // Whether the service asks who one is, who that is (null for nobody), and what links for others begin with (null
  // for what the page's own do). → session {isAsked, who, shareBase} | refused | lost
  async session() {
    const answer = await this.#call('GET', SESSION);
    const { principal, signIn, shareBase = null } = answer.json;
    return answer.status === 200 && principal !== undefined
      ? { type: 'session', isAsked: typeof signIn === 'string', who: principal, shareBase }
      : failure(answer);
  }

  // → signedIn | wrongKey | refused | lost
  async signIn(key) {
    const answer = await this.#call('POST', SESSION, { body: { key } });
    if (answer.foreign?.by === 'service') {
      return { type: 'wrongKey' };
    }
    return answer.status === 204 ? { type: 'signedIn' } : failure(answer);
  }

  // signOutAt is the issuer's page, where one is signed out there too, or null. → signedOut {signOutAt} | refused | lost
  async signOut() {
    const answer = await this.#call('POST', `${SESSION}/end`);
    const { signOutAt = null } = answer.json;
    return answer.status === 200 && !answer.foreign ? { type: 'signedOut', signOutAt } : failure(answer);
  }

  // Leads to the issuer, and then back to a page of the service.
  signInAt(page) {
    const path = `/${page.pathname.slice(this.#base.pathname.length)}${page.search}`;
    return new URL(`${SESSION}/start?${new URLSearchParams({ returnTo: path })}`, this.#base).href;
  }

  // What waits with the code that was typed. → waiting {client, from, beganAt} | unknown | tooMany | refused | lost
  async waitingProgram(userCode) {
    const answer = await this.#call('POST', 'v1/pairings/look', { body: { userCode } });
    const { client, from = null, beganAt } = answer.json;
    const isIt = typeof client === 'string' && typeof beganAt === 'string';
    return answer.status === 200 && isIt ? { type: 'waiting', client, from, beganAt } : pairingFailure(answer);
  }

  // → approved | unknown | tooMany | refused | lost
  async letIn(userCode) {
    const answer = await this.#call('POST', 'v1/pairings/approve', { body: { userCode } });
    return answer.status === 204 ? { type: 'approved' } : pairingFailure(answer);
  }

  // The tokens of whoever is signed in, the newest first. → tokens {tokens} | refused | lost
  async tokens() {
    const answer = await this.#call('GET', 'v1/tokens');
    const { tokens } = answer.json;
    const isIt = answer.status === 200 && Array.isArray(tokens) && tokens.every(isToken);
    return isIt ? { type: 'tokens', tokens } : failure(answer);
  }

  // → ended | refused | lost. What isn't there any more is ended too.
  async endToken(id) {
    const answer = await this.#call('DELETE', `v1/tokens/${encodeURIComponent(id)}`);
    return answer.status === 204 || answer.code === NO_TOKEN ? { type: 'ended' } : failure(answer);
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
    if (answer.foreign?.code !== 'signedOut' || answer.status !== FORBIDDEN || path === SHORTEST) {
      return answer;
    }
    const { foreign, status } = await this.#call('GET', SHORTEST);
    const isIn = foreign === null && status !== 0;
    return isIn ? { ...answer, foreign: { code: 'intermediary', status: FORBIDDEN } } : answer;
  }

  // When the URL runs out by this machine's clock, which may be wrong; the service's `Date` helps.
  #withDeadline(upload, { date }) {
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

function seenOr(answer) {
  return answer.status === 200 && isRecord(answer.json) ? { type: 'seen', record: answer.json } : goneOr(answer);
}

function goneOr(answer) {
  return answer.code === GONE ? { type: 'gone' } : failure(answer);
}

function pairingFailure(answer) {
  switch (answer.code) {
    case 'pairing_not_found':
      return { type: 'unknown' };
    case 'too_many_tries':
      return { type: 'tooMany', retryAfterMs: answer.retryAfterMs };
    default:
      return failure(answer);
  }
}

function isToken(json) {
  return (
    ['id', 'label', 'expiresAt'].every((field) => typeof json?.[field] === 'string') &&
    !Number.isNaN(Date.parse(json.expiresAt)) &&
    (json.lastUsedAt === null || !Number.isNaN(Date.parse(json.lastUsedAt))) &&
    Array.isArray(json.scopes)
  );
}

function isLink(json) {
  return typeof json?.url === 'string' && Array.isArray(json.files);
}

function isUpload(json) {
  return (
    ['url', 'method', 'expiresAt'].every((field) => typeof json?.[field] === 'string') &&
    typeof json.headers === 'object' &&
    json.headers !== null
  );
}

// Why a call failed: for good, or so that it's worth trying again.
function failure({ status, code, json, foreign, retryAfterMs: pause }) {
  if (foreign) {
    return outcomeOf(foreign, pause);
  }
  if (status === 507) {
    return { type: 'refused', problem: { code: 'full' } };
  }
  if (isAboutHost(code)) {
    return { type: 'refused', problem: { code: 'misdirected', status } };
  }
  if (status === 0 || status === 408 || status === 429 || status >= 500) {
    return { type: 'lost', retryAfterMs: pause };
  }
  // Said to be a success, and nothing of what was asked for.
  if (code === undefined) {
    return outcomeOf({ code: 'intermediary', status }, pause);
  }
  return { type: 'refused', problem: { code: 'problem', detail: json.detail ?? code } };
}
