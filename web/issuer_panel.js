// Where people are led to the issuer that they sign in at, in place of what the page shows otherwise.
//
// Invariant: whoever has something under way goes there in another tab, since leaving this one would lose it. The
// page itself leads nobody anywhere: it may have been opened by somebody who only looks on.

import { explain } from './explain.js';
import { h, setText } from './dom.js';
import { strings } from './language.js';

export class IssuerPanel {
  #root;
  #startAt;
  #ended = h('p', { hidden: true }, strings.signedOut.text);
  #error = h('p', { className: 'error', role: 'alert', hidden: true });
  #way = h('a', { className: 'button primary large', id: 'sign-in-way' }, strings.signIn.signIn);
  #elsewhere = h('p', { className: 'soft', hidden: true }, strings.signIn.newTab);
  #out = h('a', {}, strings.signIn.signOutThere);
  #outThere = h('p', { className: 'soft', hidden: true }, strings.signIn.stillThere, ' ', this.#out);

  // `root` is an empty place in the page; startAt() is the address that leads to the issuer and back here.
  constructor(root, startAt) {
    this.#root = root;
    this.#startAt = startAt;
    root.append(
      h('h1', { id: 'sign-in-title' }, strings.signIn.title),
      this.#ended,
      this.#error,
      h('p', {}, this.#way),
      this.#elsewhere,
      this.#outThere,
    );
  }

  // `trouble` is why it isn't known who this is, or null; signOutAt where somebody who has just signed out here does
  // so at the issuer.
  show({ hasEnded, trouble, signOutAt = null }) {
    const wasHidden = this.#root.hidden;
    this.#root.hidden = false;
    const isLost = hasEnded && signOutAt === null;
    this.#ended.hidden = !isLost;
    this.#elsewhere.hidden = !isLost;
    this.#way.href = this.#startAt();
    this.#way.target = isLost ? '_blank' : '_self';
    this.#outThere.hidden = signOutAt === null;
    if (signOutAt !== null) {
      this.#out.href = signOutAt;
    }
    const error = trouble === null ? '' : (strings.signIn.why[trouble.code] ?? explain(trouble).text);
    setText(this.#error, error);
    this.#error.hidden = error === '';
    if (wasHidden) {
      this.#way.focus();
    }
  }

  hide() {
    this.#root.hidden = true;
    // It has what shows the issuer who signs out.
    this.#out.removeAttribute('href');
  }
}
