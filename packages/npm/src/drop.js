// <file-share-drop>: a place to drop files on, or to choose them, which sends them to a File Share Service.
//
// Invariant: everything in it works by keyboard and says itself to a screen reader, and no HTML or code is made of a
// text: it works under a policy with `style-src 'self'` and Trusted Types. It looks like the page around it; parts and
// two custom properties are there to change that. At most MAX_ROWS files are shown.
//
// Absent on purpose: the token as an attribute, where everybody who looks at the page's source would find it.

import { Client } from './client.js';
import { UploadError } from './upload_error.js';
import { dropStyle } from './drop_style.js';
import { Row, isolated, part } from './drop_row.js';

export const WORDS = {
  choose: 'Choose files',
  drop: 'Drop files here, or',
  cancel: 'Cancel',
  retry: 'Try again',
  remove: 'Remove',
  waiting: 'waiting',
  sending: (percent) => `${percent} %`,
  checking: 'being checked',
  done: 'uploaded',
  failed: (name, why) => `${name} wasn’t uploaded. ${why}`,
  uploaded: (name) => `${name} was uploaded.`,
};

const MAX_ROWS = 200;

// In Node there is nothing to show it in; to import it does no harm.
const Base = globalThis.HTMLElement ?? class {};

export class FileShareDrop extends Base {
  static observedAttributes = ['base', 'multiple', 'accept', 'disabled'];

  #client = null;
  #token;
  #words = WORDS;
  #rows = new Set();
  #parts;

  constructor() {
    super();
    this.#parts = this.#build();
  }

  // A text, or a function that gives one or a promise of it.
  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token;
    this.#client = null;
  }

  get base() {
    return this.getAttribute('base') ?? '/';
  }

  set base(base) {
    this.setAttribute('base', base);
  }

  // What it says, in another language or in other words.
  get words() {
    return this.#words;
  }

  set words(words) {
    this.#words = { ...WORDS, ...words };
    this.#say();
  }

  get disabled() {
    return this.hasAttribute('disabled');
  }

  set disabled(isDisabled) {
    this.toggleAttribute('disabled', isDisabled);
  }

  attributeChangedCallback(name) {
    const { button, input } = this.#parts;
    if (name === 'base') {
      this.#client = null;
    }
    input.multiple = this.hasAttribute('multiple');
    input.accept = this.getAttribute('accept') ?? '';
    button.disabled = this.disabled;
  }

  disconnectedCallback() {
    // Whatever only moved it puts it back at once.
    queueMicrotask(() => {
      if (!this.isConnected) {
        [...this.#rows].forEach((row) => row.giveUp());
      }
    });
  }

  // Sends these files, as if they had been dropped.
  upload(files) {
    const taken = this.hasAttribute('multiple') ? [...files] : [...files].slice(0, 1);
    taken.forEach((file) => this.#send(file));
  }

  #build() {
    const hint = part('p', 'hint');
    const slot = document.createElement('slot');
    hint.append(slot);
    const button = part('button', 'button', { type: 'button' });
    const input = Object.assign(document.createElement('input'), { type: 'file', hidden: true });
    const zone = part('div', 'zone');
    zone.append(hint, button, input);
    const list = part('ul', 'list', { hidden: true });
    // What a list without bullets is to some browsers only if it says so.
    list.setAttribute('role', 'list');
    const status = part('p', 'status');
    status.setAttribute('role', 'status');
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
    root.adoptedStyleSheets = [dropStyle()];
    root.append(zone, list, status);
    button.addEventListener('click', () => input.click());
    input.addEventListener('change', () => {
      const files = [...input.files];
      // So that the same file can be chosen again.
      input.value = '';
      this.upload(files);
    });
    this.#takeDrops(zone);
    this.#parts = { slot, button, input, list, status };
    this.#say();
    return this.#parts;
  }

  #takeDrops(zone) {
    const show = (isOver) => zone.setAttribute('part', isOver ? 'zone zone-over' : 'zone');
    const isTaken = ({ dataTransfer }) => !this.disabled && [...(dataTransfer?.types ?? [])].includes('Files');
    for (const type of ['dragenter', 'dragover']) {
      zone.addEventListener(type, (event) => {
        if (isTaken(event)) {
          event.preventDefault();
          show(true);
        }
      });
    }
    zone.addEventListener('dragleave', (event) => {
      if (!zone.contains(event.relatedTarget)) {
        show(false);
      }
    });
    zone.addEventListener('drop', (event) => {
      show(false);
      if (isTaken(event)) {
        event.preventDefault();
        this.upload(event.dataTransfer.files);
      }
    });
  }

  #say() {
    const { slot, button } = this.#parts;
    slot.replaceChildren(this.#words.drop);
    button.replaceChildren(this.#words.choose);
  }

  #send(file) {
    try {
      this.#client ??= new Client({ base: this.base, token: this.#token });
      const row = new Row(file, this.#words, {
        onDone: (result) => this.#tell('file-share-uploaded', { file, ...result }, this.#words.uploaded(isolated(file.name))),
        onFailed: (error) => this.#failed(file, error),
        onRemoved: () => this.#remove(row),
      });
      row.follow(this.#client.begin(file, row.listeners));
      this.#rows.add(row);
      this.#parts.list.append(row.element);
      this.#parts.list.hidden = false;
      this.#makeRoom();
    } catch (error) {
      // Such as an address that is none: nothing could begin.
      const problem = error instanceof UploadError ? error : new UploadError({ code: 'problem', detail: String(error.message) });
      this.#failed(file, problem);
    }
  }

  #failed(file, error) {
    this.#tell('file-share-failed', { file, error }, this.#words.failed(isolated(file.name), error.message));
  }

  #tell(type, detail, said) {
    this.#parts.status.textContent = said;
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }

  #makeRoom() {
    for (const row of this.#rows) {
      if (this.#rows.size <= MAX_ROWS) {
        return;
      }
      if (row.isOver) {
        row.remove();
      }
    }
  }

  #remove(row) {
    const hadFocus = row.element.contains(this.shadowRoot.activeElement);
    this.#rows.delete(row);
    row.element.remove();
    this.#parts.list.hidden = this.#rows.size === 0;
    if (hadFocus) {
      this.#parts.button.focus();
    }
  }
}

globalThis.customElements?.define('file-share-drop', FileShareDrop);
