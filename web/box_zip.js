// The button that saves what is shown of a box as one archive, and how far that is.
//
// Invariant: one archive at a time, of all that there is when it is asked for. What is missing in it is said, by name.

import { words } from './box_words.js';
import { h, setText } from './dom.js';
import { strings } from './language.js';
import { fetchModule } from './late.js';
import { savedAs } from './saved_name.js';

const { boxes: said } = words;
const MAX_NAMED = 3;

export class BoxZip {
  #parts;
  #box = null;
  #count = 0;
  #ready = async () => null;
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

  // `files` are what would be in it now. ready() resolves to what is to be in it when it is asked for: {files, table}, where
  // table(names) is the table of the box as CSV, with the name that each file of the archive has there by its ID, or to
  // null where that can't be had.
  offer(box, files, ready) {
    this.#box = box;
    this.#count = packed(files).length;
    this.#ready = ready;
    this.#show();
  }

  stop() {
    this.#controller?.abort();
    setText(this.#status, '');
  }

  #show() {
    const count = this.#count;
    this.#button.hidden = this.#controller === null && count === 0;
    setText(this.#button, this.#controller === null ? said.zip(this.#parts.format.count(count)) : said.zipStop);
  }

  async #save() {
    const [box, ready, { format }] = [this.#box, this.#ready, this.#parts];
    const controller = new AbortController();
    this.#controller = controller;
    this.#show();
    const say = (text) => setText(this.#status, text);
    const module = await fetchModule('zip_download.js').catch(() => null);
    const outcome =
      module === null
        ? { type: 'unreachable' }
        : await module.saveZip(
            {
              name: savedAs(`${box.title}.zip`.replace(/[/\\]/g, '_')),
              title: box.title,
              ready: async () => {
                say(said.getting);
                const all = await ready();
                if (all === null) {
                  return null;
                }
                const files = packed(all.files);
                return { files, also: [{ name: said.tableName, text: all.table(module.namesOf(box.title, [said.tableName], files)) }] };
              },
              missingName: said.zipMissingName,
            },
            {
              urlOf: ({ id }) => this.#parts.files.downloadOf(id),
              signal: controller.signal,
              after: (ms, run) => setTimeout(run, ms),
              onProgress: (done, all) => say(said.zipping(format.count(done), format.count(all))),
            },
          );
    this.#controller = null;
    this.#show();
    say(this.#sentence(outcome));
  }

  #sentence({ type, files = [], missing = [], bytes = 0 }) {
    const { format } = this.#parts;
    switch (type) {
      case 'saved': {
        const named = missing.slice(0, MAX_NAMED).map(({ displayName }) => displayName);
        const more = missing.length > named.length ? strings.said.more(format.count(missing.length - named.length)) : null;
        const names = strings.selection.names(named, more);
        const some = missing.length > 0 ? said.zipMissing(format.count(missing.length), names) : null;
        return [said.zipSaved(format.count(files.length - missing.length)), some].filter(Boolean).join('. ');
      }
      case 'tooLarge':
        return said.zipTooLarge(format.size(bytes));
      case 'stopped':
        return said.zipStopped;
      case 'unreachable':
        return said.unreachable;
      case 'unread':
        return said.notSaved;
      case 'signedOut':
        return said.zipSignedOut;
      case 'away':
        return said.zipAway;
      default:
        return said.zipFailed;
    }
  }
}

// What can be in an archive.
function packed(files) {
  return files.filter(({ status, sha256 }) => status === 'available' && typeof sha256 === 'string');
}
