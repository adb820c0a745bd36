// Shows the uploads that were interrupted, with what goes on with each.
//
// Invariant: shows what there is, and decides nothing. A row that is there stays the same element.

import { byId, h, icon, nameProperties, oneLine, setText, tile } from './dom.js';

// How many files that weren't begun are named.
const MAX_NAMED = 3;

export class InterruptedView {
  #rows = new Map();
  #strings;
  #format;
  #actions;

  // actions: offer(id, file), remove({id, name}), forgetNotBegun().
  constructor({ strings, format }, actions) {
    this.#strings = strings;
    this.#format = format;
    this.#actions = actions;
    byId('forget-not-begun').addEventListener('click', () => {
      actions.forgetNotBegun();
      byId('choose-files').focus();
    });
  }

  show(items, notBegun, now) {
    const wanted = new Set(items.map(({ entry }) => entry.id));
    for (const [id, row] of this.#rows) {
      if (!wanted.has(id)) {
        this.#remove(id, row);
      }
    }
    for (const item of items) {
      const row = this.#rows.get(item.entry.id) ?? this.#create(item.entry);
      this.#update(row, item, now);
    }
    byId('interrupted').hidden = items.length === 0 && notBegun.count === 0;
    byId('interrupted-hint').hidden = items.length === 0;
    byId('interrupted-list').hidden = items.length === 0;
    byId('not-begun').hidden = notBegun.count === 0;
    setText(byId('not-begun-text'), notBegun.count === 0 ? '' : this.#notBegun(notBegun));
  }

  #remove(id, { element }) {
    const hadFocus = element.contains(document.activeElement);
    const neighbour = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    this.#rows.delete(id);
    if (hadFocus) {
      (neighbour?.querySelector('button') ?? byId('choose-files')).focus();
    }
  }

  #create(entry) {
    const words = this.#strings.interrupted;
    const { id, name } = entry;
    const state = h('span', { className: 'state' });
    const detail = h('p', { className: 'meta' });
    const problem = h('p', { className: 'problem', role: 'alert' });
    const input = h('input', { type: 'file', hidden: true });
    input.addEventListener('change', () => {
      const [file] = input.files;
      if (file) {
        void this.#actions.offer(id, file);
      }
      // So that the same file can be chosen again.
      input.value = '';
    });
    const choose = h(
      'button',
      { type: 'button', className: 'wide', title: words.choose, 'aria-label': words.chooseNamed(name), onclick: () => input.click() },
      icon('again'),
      h('span', {}, words.choose),
    );
    const remove = h(
      'button',
      {
        type: 'button',
        className: 'square',
        title: this.#strings.remove,
        'aria-label': this.#strings.removeNamed(name),
        onclick: () => this.#actions.remove(entry),
      },
      icon('remove'),
    );
    const element = h(
      'li',
      { className: 'row', dataset: { phase: 'interrupted' } },
      tile(name, entry.type),
      h(
        'div',
        { className: 'row-text' },
        h('p', { className: 'row-line' }, h('span', nameProperties(name), ...oneLine(name)), state),
        detail,
        problem,
      ),
      h('div', { className: 'row-buttons' }, choose, remove, input),
    );
    byId('interrupted-list').append(element);
    const row = { element, state, detail, problem, choose };
    this.#rows.set(id, row);
    return row;
  }

  #update(row, { entry, record, problem, isChecking }, now) {
    const strings = this.#strings;
    const since = Date.parse(record?.createdAt ?? '') || entry.keptAt;
    setText(row.state, isChecking ? strings.interrupted.checking : strings.interrupted.state);
    const waiting = strings.waitingSince(this.#format.since(since, now));
    setText(row.detail, [this.#format.size(entry.size), waiting].join(strings.list));
    setText(row.problem, problem === null ? '' : this.#why(problem));
    row.problem.hidden = problem === null;
    row.choose.ariaDisabled = String(isChecking);
  }

  #notBegun({ count, names }) {
    const named = names.slice(0, MAX_NAMED);
    const more = count > named.length ? this.#strings.said.more(this.#format.count(count - named.length)) : null;
    return this.#strings.interrupted.notBegun(count, this.#format.count(count), this.#strings.selection.names(named, more));
  }

  #why(problem) {
    const { why } = this.#strings.interrupted;
    return problem.code === 'otherSize'
      ? why.otherSize(...this.#format.sizes(problem.size, problem.expected))
      : why[problem.code];
  }
}
