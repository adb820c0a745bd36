// What whoever has a box's URL asks the service: what the box takes, and the calls of an upload into it.
//
// Invariant: each file is followed with the submission token that came with it, and with no other. What the box refuses is
// said by a code of its own. The token of the box is in the paths of the calls and nowhere else.
//
// Absent on purpose: what others handed in. No call tells.

import { ServiceCalls, failure, goneOr, isUpload, seenOr } from './service_calls.js';
import { isRecord } from './record.js';
import { mediaType } from './validation.js';

const ANSWER_WITHIN_MS = 15_000;
// The service measures what arrived before it answers.
const COMPLETE_WITHIN_MS = 25_000;
// What the service says of the box in place of a file, and what the page calls it.
const REFUSALS = {
  box_not_found: 'boxGone',
  box_closed: 'boxClosed',
  type_not_allowed: 'typeNotAllowed',
  content_too_large: 'tooLargeForBox',
  quota_exceeded: 'boxFull',
  wrong_password: 'wrongPassword',
};
const FORGOTTEN = { status: 404, code: 'file_not_found', json: {}, text: '', foreign: null, retryAfterMs: 0 };
const TOKEN = /^[\w-]{20,100}$/;

export class DropApi {
  #calls;
  #box;
  #tokens;

  // `base` is the service's URL, `box` what stands behind /b/ in that of the box. tokens: of(id) → the submission token
  // of a file or null; keep({id, token, name, size, submitter, dueAt}) for one that was just made.
  constructor(base, box, tokens) {
    this.#calls = new ServiceCalls(base, { shortest: `v1/drop/${box}` });
    this.#box = box;
    this.#tokens = tokens;
  }

  // What the box takes, and what time it is for the service. → drop {drop} | gone | signIn | refused | lost
  async describe() {
    const answer = await this.#calls.call('GET', `v1/drop/${this.#box}`);
    if (answer.status === 200 && isDrop(answer.json)) {
      return { type: 'drop', drop: answer.json };
    }
    if (answer.code === 'box_not_found') {
      return { type: 'gone' };
    }
    return answer.foreign?.by === 'service' ? { type: 'signIn' } : failure(answer);
  }

  // With the same key the same file. → created {id, upload?} | refused {problem} | lost
  async create({ name, size, type, sha256, key, submitter, password = null }) {
    const contentType = mediaType(type);
    const body = {
      filename: name,
      size,
      ...(contentType && { contentType }),
      ...(sha256 && { sha256 }),
      ...(submitter !== null && { submitter }),
      ...(password !== null && { password }),
    };
    const answer = await this.#calls.call('POST', `v1/drop/${this.#box}/files`, { body, headers: { 'Idempotency-Key': key } });
    const { upload, submissionToken: token, dueAt = null, ...record } = answer.json;
    const isOne = answer.status === 201 && isRecord(record) && TOKEN.test(token) && (upload === undefined || isUpload(upload));
    if (!isOne) {
      return refusalOr(answer);
    }
    this.#tokens.keep({ id: record.id, token, name, size, submitter, dueAt });
    return { type: 'created', id: record.id, upload: upload && this.#calls.withDeadline(upload, answer) };
  }

  // → renewed {upload} | settled | gone | refused | lost
  async renew(id) {
    const answer = await this.#follow('POST', id, 'upload');
    if (answer.status === 200 && isUpload(answer.json.upload)) {
      return { type: 'renewed', upload: this.#calls.withDeadline(answer.json.upload, answer) };
    }
    if (REFUSALS[answer.code]) {
      return refusalOr(answer);
    }
    return answer.code !== undefined && answer.status === 409 ? { type: 'settled' } : goneOr(answer);
  }

  // Waits up to `wait` seconds for the end of `pending`. → seen {record} | gone | refused | lost
  async look(id, wait = 0, signal = undefined) {
    const query = wait > 0 ? `?wait=${wait}` : '';
    const patience = ANSWER_WITHIN_MS + wait * 1000;
    return seenOr(await this.#follow('GET', id, `metadata${query}`, { patience, signal }));
  }

  // Says that the bytes were sent. → seen {record} | gone | refused | lost
  async complete(id) {
    return seenOr(await this.#follow('POST', id, 'complete', { patience: COMPLETE_WITHIN_MS }));
  }

  // What the service signs about a file that arrived. → receipt {text} | gone | refused | lost
  async receipt(id) {
    const answer = await this.#follow('GET', id, 'receipt');
    return answer.status === 200 && answer.text ? { type: 'receipt', text: answer.text } : goneOr(answer);
  }

  // Nobody takes back what they handed in: a record that nothing comes for expires by itself.
  async remove() {
    return { type: 'deleted' };
  }

  async #follow(method, id, what, options = {}) {
    const token = this.#tokens.of(id);
    // Without it the file is nobody's here.
    return token === null
      ? FORGOTTEN
      : this.#calls.call(method, `v1/files/${id}/${what}`, { ...options, headers: { Authorization: `Bearer ${token}` } });
  }
}

function refusalOr(answer) {
  const code = REFUSALS[answer.code];
  return code ? { type: 'refused', problem: { code } } : failure(answer);
}

function isDrop(json) {
  return (
    typeof json.title === 'string' &&
    !Number.isNaN(Date.parse(json.now)) &&
    Array.isArray(json.types) &&
    json.maxFileBytes >= 0 &&
    typeof json.submitter === 'string'
  );
}
