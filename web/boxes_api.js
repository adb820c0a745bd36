// What the owner of boxes asks the service.
//
// Invariant: nothing here tries again; whoever called decides.

import { ServiceCalls, failure } from './service_calls.js';

// The most that a page has.
const PAGE = 100;
const GONE = 'box_not_found';

export class BoxesApi {
  #calls;
  // How far the clock of the service is ahead of this machine's, in milliseconds.
  #ahead = 0;

  // The URL under which the service is shown, with a slash at its end; `session` as service_calls.js has it.
  constructor(base, session) {
    this.#calls = new ServiceCalls(base, { session });
  }

  // What time it is for the service, as far as it has said that.
  get now() {
    return Date.now() + this.#ahead;
  }

  // One's boxes, the newest first. → page {boxes, nextCursor} | refused | lost
  async list(cursor = null) {
    const answer = await this.#call('GET', `v1/boxes?${queryOf(cursor)}`);
    const { boxes, nextCursor = null } = answer.json;
    const isPage = answer.status === 200 && Array.isArray(boxes) && boxes.every(isBox);
    return isPage ? { type: 'page', boxes, nextCursor } : failure(answer);
  }

  // → box {box} | gone | refused | lost
  async describe(id) {
    return boxOr(await this.#call('GET', `v1/boxes/${id}`));
  }

  // → box {box} | refused | lost
  async make(wanted) {
    return boxOr(await this.#call('POST', 'v1/boxes', { body: wanted }));
  }

  // → box {box} | gone | refused | lost
  async change(id, fields) {
    return boxOr(await this.#call('PATCH', `v1/boxes/${id}`, { body: fields }));
  }

  // → ended | refused | lost. What isn't there any more is ended too.
  async end(id) {
    const answer = await this.#call('DELETE', `v1/boxes/${id}`);
    return answer.status === 204 || answer.code === GONE ? { type: 'ended' } : failure(answer);
  }

  // What was handed in, the newest first. → page {files, nextCursor} | gone | refused | lost
  async files(id, cursor = null) {
    const answer = await this.#call('GET', `v1/boxes/${id}/files?${queryOf(cursor)}`);
    const { files, nextCursor = null } = answer.json;
    if (answer.status === 200 && Array.isArray(files) && files.every(isHandIn)) {
      return { type: 'page', files, nextCursor };
    }
    return answer.code === GONE ? { type: 'gone' } : failure(answer);
  }

  async #call(...request) {
    const answer = await this.#calls.call(...request);
    if (answer.foreign === null && Number.isFinite(answer.date)) {
      this.#ahead = answer.date - Date.now();
    }
    return answer;
  }
}

function queryOf(cursor) {
  return new URLSearchParams({ limit: PAGE, ...(cursor && { cursor }) });
}

function boxOr(answer) {
  if ([200, 201].includes(answer.status) && isBox(answer.json)) {
    return { type: 'box', box: answer.json };
  }
  return answer.code === GONE ? { type: 'gone' } : failure(answer);
}

function isBox(json) {
  return ['id', 'url', 'title', 'keep', 'submitter'].every((field) => typeof json?.[field] === 'string') && Array.isArray(json.types);
}

function isHandIn(json) {
  return (
    ['id', 'displayName', 'submitter', 'status', 'createdAt'].every((field) => typeof json?.[field] === 'string') &&
    json.size >= 0 &&
    typeof json.late === 'boolean'
  );
}
