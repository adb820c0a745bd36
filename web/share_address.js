// Which address links name that are passed on to others: the one that the service says, else the page's own.
//
// Invariant: a link is known at once, since browsers let a page copy only while somebody presses. Until the service
// has said something, nothing is claimed about it.
//
// Absent on purpose: the DOM. `share_notice.js` shows it.

// Names and addresses that mean the computer of whoever asks for them.
const THIS_COMPUTER = /^(?:.+\.)?localhost\.?$|^127\.|^0\.0\.0\.0$|^\[::1?\]$|^\[::ffff:7f/i;

export function meansThisComputer({ hostname }) {
  return THIS_COMPUTER.test(hostname);
}

export class ShareAddress {
  #own;
  #base;
  #ask;
  #onChange;
  #isKnown = false;

  // `base` is the page's own, with a slash at its end. ask() resolves to what the service says:
  // session {who, shareBase} or anything else. onChange() is called when it has said something.
  constructor(base, ask, onChange) {
    this.#own = base;
    this.#base = base;
    this.#ask = ask;
    this.#onChange = onChange;
  }

  // Asks again: the computer may be in another network by now.
  async look() {
    const answer = await this.#ask();
    // Nobody is told anything, which changes nothing of what was known.
    if (answer.type === 'session' && answer.who !== null) {
      this.#base = webAddress(answer.shareBase) ?? this.#own;
      this.#isKnown = true;
      this.#onChange();
    }
  }

  // Whether it is known that nobody else can open a link.
  get isForNobodyElse() {
    return this.#isKnown && meansThisComputer(this.#base);
  }

  pageOf(id) {
    return new URL(`f/${id}`, this.#base).href;
  }

  // The URL of a link or a box, as the service made it, which names the address by which it was asked for it.
  linkOf(url) {
    return new URL(url.split('/').slice(-2).join('/'), this.#base).href;
  }
}

function webAddress(text) {
  try {
    const url = new URL(`${text}/`);
    return ['http:', 'https:'].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}
