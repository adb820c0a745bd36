// Shows what somebody handed in with this browser.
//
// Invariant: shows what there is, and decides nothing. A row that is there stays the same element as long as it says the
// same.

import { words } from './box_words.js';
import { isLate } from './deadline.js';
import { byId, h, nameProperties, oneLine, setText, tile } from './dom.js';

const { handIn } = words;

export class HandInOwn {
  #rows = new Map();
  #format;
  #actions;

  // actions: receipt(id), forget().
  constructor(format, actions) {
    this.#format = format;
    this.#actions = actions;
    byId('forget').addEventListener('click', () => actions.forget());
  }

  // `keep` is which of somebody's files count, if that is known.
  show(handIns, keep) {
    const { arrived } = handIns;
    const gone = new Map(arrived.map(({ id, isGone }) => [id, String(isGone)]));
    for (const [id, row] of this.#rows) {
      if (gone.get(id) !== row.dataset.gone) {
        row.remove();
        this.#rows.delete(id);
      }
    }
    arrived.forEach((entry, at) => {
      const row = this.#rows.get(entry.id) ?? this.#create(entry);
      const list = byId('own-list');
      if (list.children[at] !== row) {
        list.insertBefore(row, list.children[at] ?? null);
      }
    });
    byId('own').hidden = arrived.length === 0;
    byId('not-kept').hidden = handIns.isKept;
    setText(byId('choose-files'), arrived.length === 0 ? handIn.choose : handIn.again);
    const { againLatest, againAll, againHint } = handIn;
    setText(byId('again-hint'), { latest: againLatest, all: againAll }[keep] ?? againHint);
  }

  #create(entry) {
    const { id, name, size, submitter, uploadedAt, dueAt, isGone } = entry;
    const time = this.#format.exactTime(Date.parse(uploadedAt));
    const isAfter = isLate(uploadedAt, dueAt);
    const chip = dueAt === null ? null : h('span', { className: 'chip', dataset: { late: String(isAfter) } }, isAfter ? handIn.isLate : handIn.inTime);
    const row = h(
      'li',
      { className: 'row', dataset: { id, gone: String(isGone) } },
      tile(name),
      h(
        'div',
        { className: 'row-text' },
        h('p', { className: 'row-line' }, h('span', nameProperties(name), ...oneLine(name))),
        h('p', { className: 'handed-in' }, h('time', { dateTime: uploadedAt }, handIn.at(time))),
        h(
          'p',
          { className: 'meta' },
          chip,
          h('span', { title: this.#format.exactSize(size) }, this.#format.size(size)),
          submitter === null ? null : h('span', {}, handIn.as(submitter)),
        ),
        isGone ? h('p', { className: 'error' }, handIn.isGone) : null,
      ),
      h(
        'div',
        { className: 'row-buttons' },
        isGone
          ? null
          : h('button', { type: 'button', 'aria-label': handIn.receiptNamed(name), onclick: () => this.#actions.receipt(id) }, handIn.receipt),
      ),
    );
    this.#rows.set(id, row);
    return row;
  }
}
