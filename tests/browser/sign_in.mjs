// A sign-in before a service, as a proxy with an identity provider has it: who has no session gets nothing
// through, and a session ends when a test says so.
//
// Invariant: knows nothing of the service. What it doesn't let by never gets there.

import http from 'node:http';

const ENTRANCE = '/signed-in';

export class SignIn {
  #provider;
  #how;
  #session = 1;

  // How somebody without a session is met: 302 leads to the provider, which is another origin; 401 and 403
  // show its page in place.
  static async open(how) {
    const signIn = new SignIn();
    signIn.#how = how;
    signIn.#provider = http.createServer((request, response) => {
      const back = new URL(request.url, 'http://provider').searchParams.get('back');
      signIn.#show(response, 200, `${back}${ENTRANCE}`);
    });
    await new Promise((resolve) => signIn.#provider.listen(0, '127.0.0.1', resolve));
    return signIn;
  }

  get base() {
    return `http://127.0.0.1:${this.#provider.address().port}/`;
  }

  close() {
    this.#provider.closeAllConnections();
    this.#provider.close();
  }

  // All sessions are over.
  expire() {
    this.#session += 1;
  }

  // For a fault proxy: whether it answered itself.
  intercept(request, response) {
    if (request.url === ENTRANCE) {
      const cookie = `session=${this.#session}; Path=/; HttpOnly; SameSite=Lax`;
      response.writeHead(302, { 'Set-Cookie': cookie, Location: '/' }).end();
      return true;
    }
    const cookies = (request.headers.cookie ?? '').split('; ');
    if (cookies.includes(`session=${this.#session}`)) {
      return false;
    }
    if (this.#how === 302) {
      const back = `http://${request.headers.host}`;
      response.writeHead(302, { Location: `${this.base}?back=${encodeURIComponent(back)}` }).end();
    } else {
      this.#show(response, this.#how, ENTRANCE);
    }
    return true;
  }

  #show(response, status, target) {
    response
      .writeHead(status, { 'Content-Type': 'text/html; charset=utf-8' })
      .end(`<!DOCTYPE html><html lang="en"><title>Sign in</title><a href="${target}">Sign in</a></html>`);
  }
}
