// The table of what was handed in: who, what, when to the second, and whether that was late.
//
// Invariant: shows what there is, and decides nothing. At most MAX_SHOWN rows. It stays a table to a screen reader also
// where it is narrow and looks like a list. A row that is there stays the same element as long as it says the same.

import { words } from './box_words.js';
import { askFirst } from './download.js';
import { h, icon, setText } from './dom.js';
import { strings } from './language.js';

const { boxes: said } = words;
export const MAX_SHOWN = 500;

export class BoxTable {
  #parts;
  #body = h('tbody', { role: 'rowgroup' });
  #query = h('input', { type: 'search', autocomplete: 'off', autocapitalize: 'none', spellcheck: false, 'aria-label': said.filter, placeholder: said.filter });
  #which = h('select', { 'aria-label': said.show }, ...Object.entries(said.shows).map(([value, label]) => h('option', { value }, label)));
  #count = h('p', { className: 'soft panel-hint', role: 'status' });
  #note = h('p', { className: 'soft panel-hint' });
  #csv;
  #table;
  // By the file's ID: {element, said}.
  #rows = new Map();
  #more = h('div', { className: 'box-actions' });

  // parts: files (the API for them), format, liveRegion, whyOf(event). actions: refresh(), csv(), change().
  constructor(root, parts, actions) {
    this.#parts = parts;
    const button = (label, onclick) => h('button', { type: 'button', onclick }, label);
    this.#csv = button(said.csv, actions.csv);
    this.#more.append(button(said.refresh, () => void actions.refresh()), this.#csv);
    const heads = [said.who, said.what, said.when, said.state, said.get];
    this.#table = h(
      'table',
      { className: 'handed', role: 'table', 'aria-label': said.table },
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...heads.map((text) => h('th', { scope: 'col', role: 'columnheader' }, text)))),
      this.#body,
    );
    this.#query.addEventListener('input', actions.change);
    this.#which.addEventListener('change', actions.change);
    root.append(
      h('div', { className: 'panel-head' }, h('h2', {}, said.table)),
      h('div', { className: 'list-tools' }, this.#query, this.#which),
      this.#count,
      this.#table,
      this.#note,
      this.#more,
    );
  }

  // What somebody wants to see.
  get wanted() {
    return { query: this.#query.value, show: this.#which.value };
  }

  // A place for what else can be done with all of it.
  get tools() {
    return this.#more;
  }

  reset() {
    this.#query.value = '';
    this.#which.value = 'all';
    this.#rows.clear();
    this.#body.replaceChildren();
  }

  show(files, { counting, all, people, isWhole, unlisted, box }) {
    const { format } = this.#parts;
    const shown = files.slice(0, MAX_SHOWN);
    const rows = shown.map((file) => this.#row(file, counting, box));
    const kept = new Set(shown.map(({ id }) => id));
    [...this.#rows.keys()].filter((id) => !kept.has(id)).forEach((id) => this.#rows.delete(id));
    if (rows.length !== this.#body.children.length || rows.some((row, at) => this.#body.children[at] !== row)) {
      this.#body.replaceChildren(...rows);
    }
    this.#table.hidden = rows.length === 0;
    this.#csv.hidden = all === 0;
    const isSome = files.length !== all;
    const counted = said.counted(format.count(all), format.count(people));
    const parts = [counted, isSome ? said.shown(format.count(files.length), format.count(all)) : null, isWhole ? null : said.getting];
    const none = all === 0 ? said.nothing : said.noMatch;
    setText(this.#count, all === 0 && isWhole ? '' : parts.filter(Boolean).join(strings.list));
    const notes = [
      files.length > MAX_SHOWN ? said.tooMany(format.count(MAX_SHOWN)) : null,
      unlisted > 0 ? said.unlisted(format.count(unlisted)) : null,
      rows.length === 0 && isWhole ? none : null,
    ];
    setText(this.#note, notes.filter(Boolean).join(' '));
  }

  #row(file, counting, box) {
    const isReplaced = box?.keep === 'latest' && file.status === 'available' && !counting.has(file.id);
    const now = JSON.stringify([file.status, file.late, isReplaced, file.displayName, file.submitter]);
    const known = this.#rows.get(file.id);
    if (known?.said === now) {
      return known.element;
    }
    const element = this.#create(file, isReplaced);
    this.#rows.set(file.id, { element, said: now });
    return element;
  }

  #create(file, isReplaced) {
    const { format } = this.#parts;
    const { id, submitter, submitterId = null, displayName, size, status, uploadedAt, createdAt, late } = file;
    const at = uploadedAt ?? createdAt;
    const time = format.moment(Date.parse(at));
    const cell = (className, ...children) => h('td', { className, role: 'cell' }, ...children);
    const chips = [
      late ? ['late', said.late] : null,
      isReplaced ? ['replaced', said.replaced] : null,
      status === 'available' ? null : [status, said.status[status] ?? status],
    ].filter(Boolean);
    return h(
      'tr',
      { role: 'row', dataset: { id, status, replaced: String(isReplaced) } },
      cell('who-cell', h('bdi', {}, submitter), submitterId === null ? null : h('small', { className: 'soft' }, said.signedIn)),
      cell('what-cell', h('bdi', {}, displayName), h('small', { className: 'soft', title: format.exactSize(size) }, format.size(size))),
      cell('when-cell', h('time', { dateTime: at }, uploadedAt === null ? said.begun(time) : time)),
      cell('state-cell', ...chips.map(([kind, text]) => h('span', { className: 'chip', dataset: { kind } }, text))),
      cell('get-cell', status === 'available' ? this.#download(id, displayName, submitter) : null),
    );
  }

  #download(id, name, who) {
    const { files, liveRegion, whyOf } = this.#parts;
    const link = h(
      'a',
      { className: 'button square', href: files.downloadOf(id), download: '', title: said.download, 'aria-label': said.downloadNamed(name, who) },
      icon('download'),
    );
    link.addEventListener('click', askFirst(() => files.look(id), (problem) => liveRegion.show(whyOf({ problem }))));
    return link;
  }
}
