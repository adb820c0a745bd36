// Which of the files that the page has are shown, and in which order.
//
// Invariant: pure. A file is found by any of its name's parts, whatever their case and accents, and in any order.

import { nameOf } from './record.js';

// The longest text that is looked for, in characters.
const MAX_QUERY = 200;
const NEWEST = 'newest';
export const ORDERS = [NEWEST, 'oldest', 'name', 'largest'];

// Names as they are compared, so that they are made once.
const folded = new WeakMap();

export class Arrangement {
  #order = NEWEST;
  #words = [];
  #collator;

  constructor(locale) {
    this.#collator = new Intl.Collator(locale, { numeric: true, sensitivity: 'base' });
  }

  set order(order) {
    this.#order = ORDERS.includes(order) ? order : NEWEST;
  }

  // What is looked for.
  set query(text) {
    this.#words = fold(text.slice(0, MAX_QUERY)).split(/\s+/).filter(Boolean);
  }

  get isFinding() {
    return this.#words.length > 0;
  }

  get isNewestFirst() {
    return this.#order === NEWEST;
  }

  // Those that are looked for, in their order. `records` are the newest first.
  of(records) {
    return this.#sorted(this.isFinding ? records.filter((record) => this.#shows(record)) : records);
  }

  #shows(record) {
    return this.#words.every((word) => nameToFind(record).includes(word));
  }

  #sorted(records) {
    switch (this.#order) {
      case 'oldest':
        return [...records].reverse();
      case 'name':
        return [...records].sort((a, b) => this.#collator.compare(nameOf(a), nameOf(b)));
      case 'largest':
        return [...records].sort((a, b) => b.size - a.size);
      default:
        return records;
    }
  }
}

function nameToFind(record) {
  let name = folded.get(record);
  if (name === undefined) {
    name = fold(nameOf(record));
    folded.set(record, name);
  }
  return name;
}

function fold(text) {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}
