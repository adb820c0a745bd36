// A proxy between a browser and a server, on which a test can put faults: lost answers, broken
// connections, slow lines.
//
// Invariant: nothing is changed on the way unless a fault says so, the Host header least of all, since
// it is part of what is signed.

import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const READ_WITHIN_MS = 500;

export class FaultProxy {
  #server;
  #target;
  #prefix;
  #overrides;
  #intercept;
  #host;
  #faults = [];
  #standing = new Map();
  #underway = new Map();
  // What came this way: {method, path, headers}.
  requests = [];

  // To `target`, a base URL. With a prefix it is shown under that, as a proxy shows several services.
  // With `overrides` the parameter `response-content-disposition` of a URL is heeded, as S3 has it:
  // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html. The stand-in for S3 forgets it
  // where a version is named, and a browser would show the file instead of saving it. With `host` that is the
  // Host header that goes on. `intercept` answers what it doesn't let by: (request, response) → whether it did.
  static async open(target, { port = 0, prefix = '', overrides = false, host = null, intercept = () => false } = {}) {
    const faultProxy = new FaultProxy();
    faultProxy.#host = host;
    faultProxy.#intercept = intercept;
    faultProxy.#target = new URL(target);
    faultProxy.#prefix = prefix;
    faultProxy.#overrides = overrides;
    faultProxy.#server = http.createServer((request, response) => faultProxy.#pass(request, response));
    await new Promise((resolve, reject) => {
      faultProxy.#server.once('error', reject);
      faultProxy.#server.listen(port, '127.0.0.1', resolve);
    });
    return faultProxy;
  }

  get port() {
    return this.#server.address().port;
  }

  get base() {
    return `http://127.0.0.1:${this.port}${this.#prefix}/`;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  // Forgets what came and which faults were left.
  clear() {
    this.requests = [];
    this.#faults = [];
    this.#standing.clear();
    this.#underway.clear();
  }

  // The next request that matches, {method, path: RegExp}, meets this fault, one of
  //   {drop: true}            the connection breaks before anything is passed on
  //   {loseAnswer: true}      everything is passed on, and the connection breaks instead of an answer
  //   {cutAfter: bytes}       the connection breaks when so much of the body has come
  //   {cutAnswerAfter: bytes} the connection breaks when so much of the answer's body has gone
  //   {answer: {status, headers, body}}   is answered here
  //   {hold: promise}         waits for it
  //   {bytesPerSecond}        the body goes on so slowly
  //   {rewrite: (json) => json}   the answer is another
  //   {path: (path) => path}  goes on under another path
  next(match, fault) {
    this.#faults.push({ match, fault });
  }

  // Every request that matches meets this fault from now on, until `clear` or until what this gives is called.
  always(match, fault) {
    this.#standing.set(match, fault);
    return () => this.#standing.delete(match);
  }

  // How many of these there were.
  count(match) {
    return this.requests.filter((request) => matches(match, request)).length;
  }

  // The most of these that were under way at a time.
  mostAtOnce(name) {
    return this.#underway.get(name)?.most ?? 0;
  }

  async #pass(incoming, response) {
    const path = incoming.url.startsWith(this.#prefix) ? incoming.url.slice(this.#prefix.length) : null;
    if (path === null) {
      response.writeHead(404).end();
      return;
    }
    const request = { method: incoming.method, path, headers: incoming.headers };
    this.requests.push(request);
    this.#count(request, response);
    // The request forgets its connection when that breaks.
    const { socket } = incoming;
    if (this.#intercept(incoming, response)) {
      incoming.resume();
      return;
    }
    const fault = this.#faultFor(request);
    if (fault.drop) {
      socket.destroy();
      return;
    }
    if (fault.answer) {
      incoming.resume();
      await new Promise((resolve) => incoming.once('end', resolve));
      response.writeHead(fault.answer.status, fault.answer.headers).end(fault.answer.body ?? '');
      return;
    }
    await fault.hold;
    const outgoing = http.request({
      host: this.#target.hostname,
      port: this.#target.port,
      path: fault.path ? fault.path(path) : path,
      method: incoming.method,
      headers: this.#host ? { ...incoming.headers, host: this.#host } : incoming.rawHeaders,
      agent: false,
    });
    outgoing.on('error', () => socket.destroy());
    outgoing.on('response', (answer) => this.#answer(fault, socket, path, answer, response));
    // Not the request's own `close`, which comes as soon as it was read to its end.
    response.on('close', () => {
      if (!response.writableFinished) {
        outgoing.destroy();
      }
    });
    await this.#body(fault, socket, incoming, outgoing);
  }

  #faultFor(request) {
    const at = this.#faults.findIndex(({ match }) => matches(match, request));
    if (at >= 0) {
      return this.#faults.splice(at, 1)[0].fault;
    }
    return [...this.#standing].find(([match]) => matches(match, request))?.[1] ?? {};
  }

  async #answer(fault, socket, path, answer, response) {
    if (fault.loseAnswer) {
      answer.resume();
      answer.on('end', () => socket.destroy());
      return;
    }
    if (fault.rewrite) {
      const chunks = await answer.toArray();
      const body = JSON.stringify(fault.rewrite(JSON.parse(Buffer.concat(chunks))));
      response.writeHead(answer.statusCode, { 'Content-Type': 'application/json' }).end(body);
      return;
    }
    response.writeHead(answer.statusCode, [...answer.rawHeaders, ...this.#overriding(path, answer)]);
    if (fault.cutAnswerAfter !== undefined) {
      const body = Buffer.concat(await answer.toArray());
      // Soon after, since a browser forgets what nobody has read yet.
      response.write(body.subarray(0, fault.cutAnswerAfter), () => setTimeout(() => socket.destroySoon(), READ_WITHIN_MS));
      return;
    }
    answer.pipe(response);
  }

  // Only what the answer doesn't say itself, so that a stand-in which learns it goes on working.
  #overriding(path, { statusCode, headers }) {
    const disposition = new URL(path, this.#target).searchParams.get('response-content-disposition');
    const isMissing = statusCode === 200 && disposition !== null && !headers['content-disposition'];
    return this.#overrides && isMissing ? ['Content-Disposition', disposition] : [];
  }

  async #body(fault, socket, incoming, outgoing) {
    let passed = 0;
    try {
      for await (const chunk of incoming) {
        passed += chunk.length;
        if (fault.cutAfter !== undefined && passed > fault.cutAfter) {
          outgoing.destroy();
          socket.destroy();
          return;
        }
        if (!outgoing.write(chunk)) {
          await drained(outgoing);
        }
        if (fault.bytesPerSecond) {
          await pause((chunk.length * 1000) / fault.bytesPerSecond);
        }
      }
      outgoing.end();
    } catch {
      outgoing.destroy();
    }
  }

  #count({ method, path }, response) {
    for (const name of [method, ...(path.includes('wait=') ? ['wait'] : [])]) {
      const counter = this.#underway.get(name) ?? { now: 0, most: 0 };
      this.#underway.set(name, counter);
      counter.now += 1;
      counter.most = Math.max(counter.most, counter.now);
      response.once('close', () => (counter.now -= 1));
    }
  }
}

// Until more can be written, or nothing ever can.
function drained(outgoing) {
  return new Promise((resolve) => {
    const end = () => {
      outgoing.off('drain', end);
      outgoing.off('close', end);
      resolve();
    };
    outgoing.on('drain', end);
    outgoing.on('close', end);
  });
}

function matches({ method, path }, request) {
  return (!method || method === request.method) && (!path || path.test(request.path));
}
