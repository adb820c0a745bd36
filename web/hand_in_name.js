// Who hands in: the name that somebody types, the password where the box asks for one, and the files that wait for these.
//
// Invariant: nothing is handed in without what the box wants, and nothing that was chosen is lost while that is asked for.
// While something is on its way the name stays. The password stands in its field alone; one that was wrong is tried once.

import { words } from './box_words.js';
import { byId, setText } from './dom.js';
import { faultOf } from './submitter_name.js';

const { handIn, refusals } = words;

export class HandInName {
  #own;
  #wants = { name: true, password: false };
  #held = [];
  #on;
  // A password that the service has refused, or null.
  #wrong = null;

  // own: get(), keep(name), where it is remembered. on: take({name, file}s) hands in what waited, again() what was refused
  // for its password.
  constructor(own, on) {
    this.#own = own;
    this.#on = on;
    byId('name').value = own.get();
    byId('who').addEventListener('submit', (event) => {
      // Nothing is sent as a form.
      event.preventDefault();
      this.#submit();
    });
    byId('name').addEventListener('input', () => say('name', ''));
    byId('password').addEventListener('input', () => say('password', ''));
  }

  // Whether the box takes a name that is typed, and asks for a password.
  want({ name, password }) {
    this.#wants = { name, password };
    byId('who').hidden = !name && !password;
    byId('name-part').hidden = !name;
    byId('password-part').hidden = !password;
  }

  // Null where the name comes from the sign-in.
  get name() {
    return this.#wants.name ? typed() : null;
  }

  // Null where none is asked for.
  get password() {
    return this.#wants.password ? byId('password').value : null;
  }

  // Whether the service has refused the password that is there: it isn't asked again.
  get isWrong() {
    return this.#wrong !== null && this.password === this.#wrong;
  }

  refuse(password) {
    this.#wrong = password;
    if (this.isWrong) {
      say('password', refusals.wrongPassword);
      byId('password').focus();
    }
  }

  // While files are on their way.
  lock(isLocked) {
    byId('name').readOnly = isLocked;
  }

  clear() {
    byId('name').value = '';
    byId('password').value = '';
  }

  // Whether these files can go at once. Else they wait, and the focus is where something is missing.
  allows(files) {
    if (this.#isWhole()) {
      return true;
    }
    this.#held.push(...files);
    this.#show();
    return false;
  }

  #submit() {
    if (!this.#isWhole()) {
      return;
    }
    const files = this.#held;
    this.#held = [];
    this.#show();
    if (this.isWrong) {
      this.refuse(this.password);
      this.#held = files;
      this.#show();
      return;
    }
    if (files.length > 0) {
      this.#on.take(files);
    }
    this.#on.again();
    byId('choose-files').focus();
  }

  #isWhole() {
    const faults = [
      ['name', this.#wants.name ? (handIn[faultOf(typed())] ?? '') : ''],
      ['password', this.#wants.password && byId('password').value === '' ? handIn.noPassword : ''],
    ];
    faults.forEach(([field, fault]) => say(field, fault));
    const missing = faults.find(([, fault]) => fault !== '');
    if (missing) {
      byId(missing[0]).focus();
    } else if (this.#wants.name) {
      this.#own.keep(typed());
    }
    return missing === undefined;
  }

  #show() {
    byId('held').hidden = this.#held.length === 0;
    setText(byId('held-text'), this.#held.length === 0 ? '' : handIn.waiting(this.#held.length));
  }
}

const typed = () => byId('name').value.trim();

function say(field, fault) {
  const error = byId(`${field}-error`);
  setText(error, fault);
  error.hidden = fault === '';
  byId(field).setAttribute('aria-invalid', String(fault !== ''));
}
