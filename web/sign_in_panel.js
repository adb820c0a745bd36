// Where people sign in with the key, in place of what the page shows otherwise.
//
// Invariant: the key stands in its field only until it was taken. What is wrong with it is said at the field.

import { explain } from './explain.js';
import { h, setText } from './dom.js';
import { keyOf } from './key_link.js';
import { strings } from './language.js';

const HINT = 'sign-in-hint';
const ERROR = 'sign-in-error';

export class SignInPanel {
  #root;
  #field;
  #error = h('p', { id: ERROR, className: 'error', role: 'alert' });
  #ended = h('p', { id: 'sign-in-ended', hidden: true }, strings.signedOut.text);

  // `root` is an empty place in the page; signIn(key) resolves when an answer is there.
  constructor(root, signIn) {
    const words = strings.signIn;
    const [before, fileName, after] = words.hint;
    this.#root = root;
    this.#field = h('input', {
      id: 'sign-in-key',
      type: 'password',
      autocomplete: 'current-password',
      autocapitalize: 'none',
      spellcheck: false,
      'aria-describedby': `${this.#ended.id} ${HINT} ${ERROR}`,
    });
    const form = h(
      'form',
      { noValidate: true, onsubmit: (event) => this.#submit(event, signIn) },
      h('label', { htmlFor: this.#field.id }, words.key),
      this.#field,
      this.#error,
      h('button', { type: 'submit', className: 'primary large' }, words.signIn),
    );
    root.append(
      h('h1', { id: 'sign-in-title' }, words.title),
      this.#ended,
      h('p', { id: HINT, className: 'soft' }, before, h('code', {}, fileName), after),
      form,
    );
  }

  // `trouble` is why nobody was let in, or null. The focus goes into the field, and comes back there with an error.
  show({ hasEnded, trouble }) {
    const wasHidden = this.#root.hidden;
    this.#root.hidden = false;
    this.#ended.hidden = !hasEnded;
    this.#say(trouble === null ? '' : (strings.signIn.why[trouble.code] ?? explain(trouble).text));
    if (wasHidden || trouble?.code === 'wrongKey') {
      this.#field.focus();
      this.#field.select();
    }
  }

  hide() {
    this.#root.hidden = true;
    this.#field.value = '';
    this.#say('');
  }

  #say(error) {
    setText(this.#error, error);
    this.#error.hidden = error === '';
    this.#field.setAttribute('aria-invalid', String(error !== ''));
  }

  async #submit(event, signIn) {
    // Nothing is sent as a form.
    event.preventDefault();
    const form = event.currentTarget;
    const key = keyOf(this.#field.value);
    if (key === '') {
      this.#say(strings.signIn.why.noKey);
      this.#field.focus();
    } else if (form.ariaBusy !== 'true') {
      form.ariaBusy = 'true';
      await signIn(key);
      form.ariaBusy = 'false';
    }
  }
}
