// Whether somebody is signed in: at the service with its key, and at a proxy before it. What follows from an answer
// for that is decided here and nowhere else.
//
//   open      the service asks nobody
//   asking    it isn't known yet who this is
//   in, out   somebody is signed in, or nobody is
//
// Invariant: only the service's word who this is leads in, and a refusal of a call that began before that leads
// nobody out again. Whoever comes in after somebody else finds a page that begins anew: what one person has under way
// never goes on as another's. Another tab's word is a reason to ask, and no more. The key is handed on and never kept.
//
// Absent on purpose: the DOM, and what people read. What touches the world comes in as `ports`.

import { backOff } from './back_off.js';

const UNREACHABLE = { code: 'unreachable' };

export class Session {
  #ports;
  #api = null;
  #standing;
  #hasEnded = false;
  // The ID of whoever was in; undefined until somebody was. The holders of a key are one.
  #whose = undefined;
  // When somebody got in.
  #since = 0;
  // Of signing in and out, so that what was asked before that changes nothing.
  #turn = 0;
  #failures = 0;
  #cancelLook = () => {};
  // What a proxy answered instead of the service; undefined until there was an answer.
  #proxy = undefined;
  // The page begins once, when it may for the first time.
  #begun;
  #mayBegin = () => {};
  #hasBegun = false;

  // `standing` is `asking` or `open`, as the service said with the page. ports: channel {postMessage, onmessage} to
  // the other tabs, now() in milliseconds that never go back, after(ms, run) → cancel, wake() for what waits for
  // somebody to be in, show({standing, who} or {standing, hasEnded, trouble, signOutAt?}), showProxy(problem or null),
  // startAnew() where another person is in than before.
  constructor(standing, ports) {
    this.#standing = standing;
    this.#ports = ports;
    this.#begun = new Promise((resolve) => (this.#mayBegin = resolve));
    this.#hasBegun = standing === 'open';
    ports.channel.onmessage = ({ data }) => this.#hear(data);
  }

  // Whether there is nothing to be asked for at the service but to be let in.
  get isOut() {
    return this.#standing === 'asking' || this.#standing === 'out';
  }

  // The ID of whoever is in or was last; '' for the operator, and where nobody has to be.
  get owner() {
    return this.#whose ?? '';
  }

  // With the key of the link by which the page was opened, or null. Resolves when the page may go on.
  begin(api, key) {
    this.#api = api;
    if (!this.isOut) {
      this.#mayBegin();
    } else if (key) {
      void this.signIn(key);
    } else {
      void this.#lookFirst();
    }
    return this.#begun;
  }

  // Whoever comes back from the issuer is in, and the tabs that wait for it don't know.
  async #lookFirst() {
    await this.#look();
    if (this.#standing === 'in') {
      this.#ports.channel.postMessage('in');
    }
  }

  // What an answer says, to a call that began at `startedAt`: who refused it for want of a sign-in, or null.
  heard(problem, startedAt) {
    if (problem?.by === 'service') {
      if (!this.isOut && startedAt >= this.#since) {
        this.#leave();
      }
      return;
    }
    if (problem === null && this.#proxy !== null) {
      this.#ports.channel.postMessage('in');
    }
    this.#proxy = problem;
    this.#ports.showProxy(problem);
  }

  async signIn(key) {
    if (this.#standing === 'open') {
      return;
    }
    this.#turn += 1;
    const turn = this.#turn;
    const answer = await this.#api.signIn(key);
    if (turn !== this.#turn) {
      return;
    }
    if (answer.type === 'wrongKey') {
      this.#cancelLook();
      this.#leave({ code: 'wrongKey' });
      return;
    }
    if (answer.type !== 'signedIn') {
      this.#leave(whyNot(answer));
      return;
    }
    // The browser may have refused to keep the session, which only the next request shows.
    await this.#look({ code: 'notKept' });
    if (this.#standing === 'in') {
      this.#ports.channel.postMessage('in');
    }
  }

  // Whether that worked.
  async signOut() {
    this.#turn += 1;
    const turn = this.#turn;
    const answer = await this.#api.signOut();
    if (answer.type !== 'signedOut') {
      return false;
    }
    this.#ports.channel.postMessage('out');
    if (turn === this.#turn) {
      this.#leave(null, answer.signOutAt);
    }
    return true;
  }

  // Asks who this is; with what is wrong if it is nobody.
  async #look(trouble = null) {
    const turn = this.#turn;
    this.#cancelLook();
    const answer = await this.#api.session();
    if (turn !== this.#turn) {
      return;
    }
    if (answer.type !== 'session') {
      this.#leave(whyNot(answer));
      this.#cancelLook();
      this.#cancelLook = this.#ports.after(backOff(this.#failures), () => void this.#look());
      this.#failures += 1;
      return;
    }
    this.#failures = 0;
    if (!answer.isAsked) {
      this.#enter('open', answer.who);
    } else if (answer.who !== null) {
      this.#enter('in', answer.who);
    } else {
      this.#leave(trouble);
    }
  }

  #enter(standing, who) {
    const id = who?.id ?? null;
    if (this.#whose !== undefined && this.#whose !== id) {
      this.#ports.startAnew();
      return;
    }
    this.#whose = id;
    const wasOut = this.isOut;
    this.#standing = standing;
    this.#hasEnded = false;
    if (!wasOut) {
      return;
    }
    this.#since = this.#ports.now();
    this.#ports.show({ standing, who });
    if (this.#hasBegun) {
      this.#ports.wake();
    } else {
      this.#hasBegun = true;
      this.#mayBegin();
    }
  }

  #leave(trouble = null, signOutAt = null) {
    this.#hasEnded ||= !this.isOut;
    this.#standing = 'out';
    this.#ports.show({ standing: 'out', hasEnded: this.#hasEnded, trouble, ...(signOutAt && { signOutAt }) });
  }

  #hear(word) {
    if (this.#proxy) {
      this.#ports.wake();
    }
    const isNews = word === 'out' ? this.#standing === 'in' : this.#standing === 'out';
    if (isNews) {
      void this.#look();
    }
  }
}

// Of being signed out at a proxy the page has a notice of its own.
function whyNot({ cause, problem }) {
  const why = cause ?? problem ?? UNREACHABLE;
  return why.code === 'signedOut' ? null : why;
}
