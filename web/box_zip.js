// The button that saves what is shown of a box as one archive, and how far that is.
//
// Invariant: one archive at a time. What is missing in it is said, by name.

import { words } from './box_words.js';
import { h, setText } from './dom.js';
import { fetchModule } from './late.js';
import { savedAs } from './saved_name.js';

const { boxes: said } = words;
const MAX_NAMED = 3;

export class BoxZip {
  #parts;
  #box = null;
  #files = [];
  #table = () => '';
  #button = h('button', { type: 'button', hidden: true });
  #status = h('p', { className: 'soft panel-hint', role: 'status' });
  // Of the archive that is being made, or null.
  #controller = null;

  // `root` is a row of buttons. parts: files (the API for them), format, liveRegion.
  constructor(root, parts) {
    this.#parts = parts;
    this.#button.addEventListener('click', () => void (this.#controller === null ? this.#save() : this.stop()));
    root.append(this.#button);
    root.after(this.#status);
    window.addEventListener('beforeunload', (event) => {
      if (this.#controller !== null) {
        event.preventDefault();
      }
    });
  }

  // What would be in it. table() gives the table of the box as CSV.
  offer(box, files, table) {
    this.#box = box;
    this.#files = files.filter(({ status, sha256 }) => status === 'available' && typeof sha256 === 'string');
    this.#table = table;
    this.#show();
  }

  stop() {
    this.#controller?.abort();
    setText(this.#status, '');
  }

  #show() {
    const count = this.#files.length;
    this.#button.hidden = this.#controller === null && count === 0;
    setText(this.#button, this.#controller === null ? said.zip(this.#parts.format.count(count)) : said.zipStop);
  }

  async #save() {
    const [box, files, { format }] = [this.#box, this.#files, this.#parts];
    const controller = new AbortController();
    this.#controller = controller;
    this.#show();
    const say = (text) => setText(this.#status, text);
    const module = await fetchModule('zip_download.js').catch(() => null);
    const outcome =
      module === null
        ? { type: 'failed' }
        : await module.saveZip(
            {
              name: savedAs(`${box.title}.zip`.replace(/[/\\]/g, '_')),
              title: box.title,
              files,
              also: [{ name: said.csvName('_'), text: this.#table() }],
              missingName: said.zipMissingName,
            },
            {
              urlOf: (id) => this.#parts.files.downloadOf(id),
              signal: controller.signal,
              after: (ms, run) => setTimeout(run, ms),
              onProgress: (done) => say(said.zipping(format.count(done), format.count(files.length))),
            },
          );
    this.#controller = null;
    this.#show();
    say(this.#sentence(outcome, files));
  }

  #sentence({ type, missing = [] }, files) {
    const { format } = this.#parts;
    switch (type) {
      case 'saved': {
        const names = missing.slice(0, MAX_NAMED).map(({ displayName }) => displayName);
        const some = missing.length > 0 ? said.zipMissing(format.count(missing.length), names.join(', ')) : null;
        return [said.zipSaved(format.count(files.length - missing.length)), some].filter(Boolean).join('. ');
      }
      case 'tooLarge':
        return said.zipTooLarge(format.size(files.reduce((sum, { size }) => sum + size, 0)));
      case 'stopped':
        return said.zipStopped;
      default:
        return said.zipFailed;
    }
  }
}
