// What one does with a long list: finding, sorting, and doing the same with many files.
//
// Invariant: says how many files it has looked through, and that there are older ones where that is so. What is
// selected is what one sees selected: a file that is found no more, or gone, is selected no more.

import { Arrangement, ORDERS } from './arrangement.js';
import { byId, h, setText } from './dom.js';
import { Selection } from './selection.js';

// Below that one sees all of them anyway.
const MIN_FILES = 6;
const FIND_AFTER_MS = 120;

export class ListTools {
  #strings;
  #format;
  #actions;
  #arrangement;
  #selection = new Selection();
  #shown = [];
  #cancelTimer = () => {};

  // actions: change() when something else is to be shown, copyLinks(records), remove(records), after(ms, run) → cancel.
  constructor({ strings, format, locale }, actions) {
    this.#strings = strings;
    this.#format = format;
    this.#actions = actions;
    this.#arrangement = new Arrangement(locale);
    byId('find').placeholder = strings.find.label;
    byId('find').addEventListener('input', ({ target }) => this.#find(target.value));
    byId('order').append(...ORDERS.map((order) => h('option', { value: order }, strings.orders[order])));
    byId('order').addEventListener('change', ({ target }) => {
      this.#arrangement.order = target.value;
      actions.change();
    });
    byId('select').addEventListener('click', () => this.#start());
    byId('select-all').addEventListener('click', () => {
      this.#selection.selectAll(this.#shown.map(({ id }) => id));
      actions.change();
    });
    byId('copy-selected').addEventListener('click', () => actions.copyLinks(this.#selected));
    byId('remove-selected').addEventListener('click', () => actions.remove(this.#selected));
    byId('end-selection').addEventListener('click', () => this.end());
    byId('files').addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#selection.isOn) {
        this.end();
      }
    });
  }

  // Whether older files are got one page after the other as one scrolls, or only for whoever asks.
  get isPlain() {
    return !this.#arrangement.isFinding && this.#arrangement.isNewestFirst;
  }

  get isFinding() {
    return this.#arrangement.isFinding;
  }

  // What is shown, in its order, of how many, and what is selected. `records` are the newest first.
  arrange(records) {
    this.#shown = this.#arrangement.of(records);
    this.#selection.keep(this.#shown.map(({ id }) => id));
    return { shown: this.#shown, all: records.length, selection: this.#selection.isOn ? this.#selection : null };
  }

  // `isComplete` is whether these are all that there are.
  show({ all, shown, selection }, isComplete) {
    const isOn = selection !== null;
    const isOfUse = all >= MIN_FILES || !isComplete || isOn || !this.isPlain;
    byId('list-tools').hidden = !isOfUse;
    byId('select').hidden = isOn;
    byId('selection').hidden = !isOn;
    byId('files').classList.toggle('is-selecting', isOn);
    const found = this.#found(shown.length, all, isComplete);
    byId('found').hidden = found === '';
    setText(byId('found'), found);
    if (isOn) {
      const { size } = selection;
      setText(byId('selected'), this.#strings.selection.count(this.#format.count(size)));
      byId('copy-selected').disabled = size === 0;
      byId('remove-selected').disabled = size === 0;
    }
  }

  // A box of a row was clicked.
  pick(id, isWanted, isRange) {
    this.#selection.set(id, isWanted, { isRange, ids: this.#shown.map((record) => record.id) });
    this.#actions.change();
  }

  end() {
    this.#selection.end();
    this.#actions.change();
    byId('select').focus();
  }

  #start() {
    this.#selection.start();
    this.#actions.change();
    byId('select-all').focus();
  }

  get #selected() {
    return this.#selection.of(this.#shown);
  }

  #find(text) {
    this.#cancelTimer();
    this.#cancelTimer = this.#actions.after(FIND_AFTER_MS, () => {
      this.#arrangement.query = text;
      this.#actions.change();
    });
  }

  #found(shown, all, isComplete) {
    const { find } = this.#strings;
    const [some, of] = [shown, all].map((count) => this.#format.count(count));
    if (this.isFinding) {
      return isComplete ? find.found(some, of) : find.foundSoFar(some, of);
    }
    return isComplete || this.isPlain ? '' : find.sortedSoFar(of);
  }
}
