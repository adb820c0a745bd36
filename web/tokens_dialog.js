// The tokens by which programs act for whoever is signed in: what each may do, when it was used last, and its end. Loaded
// when somebody asks for it.
//
// Invariant: nothing is asked for before somebody looks. No token's text is here, since the service shows none again.

import { ask } from './dialog.js';
import { h, setText } from './dom.js';
import { strings as de } from './strings.tokens.de.js';
import { strings as en } from './strings.tokens.en.js';

export class TokensDialog {
  #api;
  #format;
  #strings;
  #words;
  #whyNot;
  #dialog = null;
  #list = h('ul', { className: 'tokens' });
  #state = h('p', { role: 'status' });

  // api: tokens(), endToken(id); why(event) is why one of them came to nothing, in words, or ''.
  constructor({ api, format, strings, why }) {
    this.#api = api;
    this.#format = format;
    this.#strings = strings;
    this.#words = (strings.language === de.language ? de : en).tokens;
    this.#whyNot = why;
  }

  async open() {
    if (this.#dialog !== null) {
      return;
    }
    const words = this.#words;
    const close = h('button', { type: 'button', autofocus: true, onclick: () => this.#dialog.close() }, this.#strings.close);
    this.#dialog = h(
      'dialog',
      { className: 'wide-dialog', 'aria-labelledby': 'tokens-title' },
      h('h2', { id: 'tokens-title' }, words.title),
      h('p', {}, words.hint),
      this.#state,
      this.#list,
      h('div', { className: 'dialog-buttons' }, close),
    );
    this.#dialog.addEventListener('close', () => {
      this.#dialog.remove();
      this.#dialog = null;
    });
    this.#list.replaceChildren();
    this.#state.hidden = false;
    setText(this.#state, words.loading);
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    this.#show(await this.#api.tokens());
  }

  #show(answer) {
    const isThere = answer.type === 'tokens';
    const tokens = isThere ? answer.tokens : [];
    this.#list.replaceChildren(...tokens.map((token) => this.#row(token)));
    if (isThere) {
      this.#showState(null);
    } else {
      setText(this.#state, this.#why(answer));
    }
  }

  // What is to be said besides, or null.
  #showState(said) {
    const none = this.#list.childElementCount === 0 ? this.#words.none : null;
    const text = [said, none].filter(Boolean).join(' ');
    setText(this.#state, text);
    this.#state.hidden = text === '';
    this.#list.hidden = this.#list.childElementCount === 0;
  }

  #why(event) {
    return this.#whyNot(event) || this.#words.unreachable;
  }

  #row(token) {
    const words = this.#words;
    const { id, label, scopes, lastUsedAt, expiresAt } = token;
    const used = lastUsedAt === null ? words.neverUsed : words.lastUsed(this.#format.timeOfEnd(Date.parse(lastUsedAt)));
    const end = h('button', { type: 'button', 'aria-label': words.endNamed(label) }, words.end);
    const row = h(
      'li',
      { dataset: { id } },
      h('strong', { dir: 'auto' }, label),
      h('span', {}, words.may(scopes.map((scope) => words.scopes[scope] ?? scope))),
      h('span', {}, used),
      h('span', {}, words.until(this.#format.timeOfEnd(Date.parse(expiresAt)))),
      end,
    );
    end.addEventListener('click', () => this.#end(row, token));
    return row;
  }

  async #end(row, { id, label }) {
    const words = this.#words;
    const isWanted = await ask({ title: words.endTitle, text: words.endText(label), yes: words.endYes, no: this.#strings.keep });
    if (!isWanted) {
      return;
    }
    const answer = await this.#api.endToken(id);
    if (answer.type !== 'ended') {
      this.#showState(this.#why(answer));
      return;
    }
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next ?? this.#dialog)?.querySelector('button')?.focus();
    this.#showState(words.ended(label));
  }
}
