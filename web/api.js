// The service's API, as far as the pages use it. The contract is openapi.json.
//
// Invariant: what a call comes to is judged in service_calls.js; here each is given the name of what it means. Nothing
// here tries again; whoever called decides.

import { ServiceCalls, failure, goneOr, isUpload, seenOr } from './service_calls.js';
import { signInAt } from './sign_in_address.js';
import { mediaType } from './validation.js';
import { isRecord } from './record.js';

const ANSWER_WITHIN_MS = 15_000;
// The service measures what arrived before it answers.
const COMPLETE_WITHIN_MS = 25_000;
const GONE = 'file_not_found';
const NO_TOKEN = 'token_not_found';
const SESSION = 'v1/session';

export class Api {
  #base;
  #calls;

  // The URL under which the service is shown, with a slash at its end; `session` and `proof` as service_calls.js has
  // them.
  constructor(base, session, proof) {
    this.#base = base;
    this.#calls = new ServiceCalls(base, { session, proof });
  }

  // With the same key the same file. → created {id, upload?} | refused {problem} | lost
  async create({ name, size, type, sha256, key, metadata }) {
    const contentType = mediaType(type);
    const wanted = { ...(contentType && { contentType }), ...(sha256 && { sha256 }), ...(metadata && { metadata }) };
    const body = { filename: name, size, ...wanted };
    const answer = await this.#calls.call('POST', 'v1/files', { body, headers: { 'Idempotency-Key': key } });
    const { upload, ...record } = answer.json;
    if (answer.status !== 201 || !isRecord(record) || !(upload === undefined || isUpload(upload))) {
      return failure(answer);
    }
    return { type: 'created', id: record.id, upload: upload && this.#calls.withDeadline(upload, answer) };
  }

  // → renewed {upload} | settled | gone | refused | lost
  async renew(id) {
    const answer = await this.#calls.call('POST', `v1/files/${id}/upload`);
    if (answer.status === 200 && isUpload(answer.json.upload)) {
      return { type: 'renewed', upload: this.#calls.withDeadline(answer.json.upload, answer) };
    }
    return answer.code !== undefined && answer.status === 409 ? { type: 'settled' } : goneOr(answer);
  }

  // Waits up to `wait` seconds for the end of `pending`. → seen {record} | gone | refused | lost
  async look(id, wait = 0, signal = undefined) {
    const query = wait > 0 ? `?wait=${wait}` : '';
    const patience = ANSWER_WITHIN_MS + wait * 1000;
    const answer = await this.#calls.call('GET', `v1/files/${id}/metadata${query}`, { patience, signal });
    return seenOr(answer);
  }

  // What the service signs about an available file. → receipt {text} | gone | refused | lost
  async receipt(id) {
    const answer = await this.#calls.call('GET', `v1/files/${id}/receipt`);
    return answer.status === 200 && answer.text ? { type: 'receipt', text: answer.text } : goneOr(answer);
  }

  // What verifies receipts. → keys {keys} | refused | lost
  async receiptKeys() {
    const answer = await this.#calls.call('GET', 'v1/receipts/keys');
    const { keys } = answer.json;
    return answer.status === 200 && Array.isArray(keys) ? { type: 'keys', keys } : failure(answer);
  }

  // Says that the bytes were sent, which spares the wait for the store's notification. A hint that a
  // service needn't take. → seen {record} | gone | refused | lost
  async complete(id) {
    const answer = await this.#calls.call('POST', `v1/files/${id}/complete`, { patience: COMPLETE_WITHIN_MS });
    return seenOr(answer);
  }

  // One's own files, or everybody's. → page {files, nextCursor} | refused | lost
  async list({ limit, cursor, isOfAll }) {
    const query = new URLSearchParams({ limit, ...(cursor && { cursor }), ...(isOfAll && { owner: 'all' }) });
    const answer = await this.#calls.call('GET', `v1/files?${query}`);
    const { files, nextCursor = null } = answer.json;
    const isPage = Array.isArray(files) && files.every(isRecord) && (nextCursor === null || typeof nextCursor === 'string');
    return answer.status === 200 && isPage ? { type: 'page', files, nextCursor } : failure(answer);
  }

  // → deleted | refused | lost. What isn't there any more is deleted too.
  async remove(id) {
    const answer = await this.#calls.call('DELETE', `v1/files/${id}`);
    return answer.status === 204 || answer.code === GONE ? { type: 'deleted' } : failure(answer);
  }

  // The links that pass a file on. → links {links} | gone | refused | lost
  async linksOf(id) {
    const answer = await this.#calls.call('GET', `v1/files/${id}/links?limit=100`);
    const { links } = answer.json;
    const isList = Array.isArray(links) && links.every(isLink);
    return answer.status === 200 && isList ? { type: 'links', links } : goneOr(answer);
  }

  // Passes files on. → linked {url} | gone | refused | lost
  async link(wanted) {
    const answer = await this.#calls.call('POST', 'v1/links', { body: wanted });
    return answer.status === 201 && isLink(answer.json) ? { type: 'linked', url: answer.json.url } : goneOr(answer);
  }

  // Whether the service asks who one is, who that is (null for nobody), what links for others begin with (null for what
  // the page's own do), and how much of what they may have they have taken (null where nothing bounds it).
  // → session {isAsked, who, shareBase, quota} | refused | lost
  async session() {
    const answer = await this.#calls.call('GET', SESSION);
    const { principal, signIn, shareBase = null, quota = null } = answer.json;
    return answer.status === 200 && principal !== undefined
      ? { type: 'session', isAsked: typeof signIn === 'string', who: principal, shareBase, quota }
      : failure(answer);
  }

  // → signedIn | wrongKey | refused | lost
  async signIn(key) {
    const answer = await this.#calls.call('POST', SESSION, { body: { key } });
    if (answer.foreign?.by === 'service') {
      return { type: 'wrongKey' };
    }
    return answer.status === 204 ? { type: 'signedIn' } : failure(answer);
  }

  // signOutAt is the issuer's page, where one is signed out there too, or null. → signedOut {signOutAt} | refused | lost
  async signOut() {
    const answer = await this.#calls.call('POST', `${SESSION}/end`);
    const { signOutAt = null } = answer.json;
    return answer.status === 200 && !answer.foreign ? { type: 'signedOut', signOutAt } : failure(answer);
  }

  // Leads to the issuer, and then back to a page of the service.
  signInAt(page) {
    return signInAt(this.#base, page);
  }

  // What waits with the code that was typed. → waiting {client, from, beganAt} | unknown | tooMany | refused | lost
  async waitingProgram(userCode) {
    const answer = await this.#calls.call('POST', 'v1/pairings/look', { body: { userCode } });
    const { client, from = null, beganAt } = answer.json;
    const isIt = typeof client === 'string' && typeof beganAt === 'string';
    return answer.status === 200 && isIt ? { type: 'waiting', client, from, beganAt } : pairingFailure(answer);
  }

  // → approved | unknown | tooMany | refused | lost
  async letIn(userCode) {
    const answer = await this.#calls.call('POST', 'v1/pairings/approve', { body: { userCode } });
    return answer.status === 204 ? { type: 'approved' } : pairingFailure(answer);
  }

  // The tokens of whoever is signed in, the newest first. → tokens {tokens} | refused | lost
  async tokens() {
    const answer = await this.#calls.call('GET', 'v1/tokens');
    const { tokens } = answer.json;
    const isIt = answer.status === 200 && Array.isArray(tokens) && tokens.every(isToken);
    return isIt ? { type: 'tokens', tokens } : failure(answer);
  }

  // → ended | refused | lost. What isn't there any more is ended too.
  async endToken(id) {
    const answer = await this.#calls.call('DELETE', `v1/tokens/${encodeURIComponent(id)}`);
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

