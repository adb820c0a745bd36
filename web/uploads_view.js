// Shows the uploads of this page that aren't files in the list yet.
//
// Invariant: shows states, and decides nothing.

import { h, icon, nameProperties, oneLine, setText, tile } from './dom.js';
import { explain, fillOperator, operatorPart } from './explain.js';
import { isInFlight, isOver } from './upload_machine.js';

const MAX_WAITING_ROWS = 100;
// What is said while an upload waits for something in particular.
const WAITING = {
  signedOut: (words) => words.waitingSignedOut,
  intermediary: (words) => words.waitingIntermediary,
  limited: (words) => words.waitingLimited,
};

export class UploadsView {
  #root;
  #rows = new Map();
  #waitingRows = 0;
  #strings;
  #format;
  #actions;

  // actions: cancel(item), retry(item), dismiss(item).
  constructor(root, { strings, format }, actions) {
    this.#root = root;
    this.#strings = strings;
    this.#format = format;
    this.#actions = actions;
  }

  // However many wait, only the first of them have a row. What ended before it had one has none either, unless
  // that was a failure.
  update(item) {
    let row = this.#rows.get(item.key);
    if (!row) {
      const isWaiting = item.state.phase === 'queued';
      if (item.state.phase === 'cancelled' || (isWaiting && this.#waitingRows >= MAX_WAITING_ROWS)) {
        return;
      }
      row = this.#create(item);
      this.#root.append(row.element);
    }
    this.#waitingRows += Number(item.state.phase === 'queued') - Number(row.element.dataset.phase === 'queued');
    const { phase } = item.state;
    const { size } = item.file;
    const isFailed = isOver(item.state) && phase !== 'available';
    row.element.dataset.phase = phase;
    setText(row.state, this.#state(item.state));
    setText(row.detail, isFailed ? this.why(item) : this.#progress(item));
    const { problem, cause } = item.state;
    fillOperator(row.operator, explain(isFailed ? problem : cause, this.#format).operator);
    this.#showBar(row.bar, phase, item.loaded, size);
    const canCancel = phase === 'queued' || (isInFlight(item.state) && phase !== 'completing');
    showOneOf(row, { cancel: canCancel, again: isFailed && !item.isFinal, dismiss: isFailed });
  }

  // Whether there is a row for it.
  has(item) {
    return this.#rows.has(item.key);
  }

  // Gives rows to those that wait, as far as there is room; says how many have none.
  fill(items) {
    const hidden = items.filter((item) => item.state.phase === 'queued' && !this.has(item));
    const room = Math.max(0, MAX_WAITING_ROWS - this.#waitingRows);
    hidden.slice(0, room).forEach((item) => this.update(item));
    return Math.max(0, hidden.length - room);
  }

  // Where the focus was in the row, it goes to the next one.
  remove(item) {
    const row = this.#rows.get(item.key);
    if (!row) {
      return;
    }
    this.#rows.delete(item.key);
    this.#waitingRows -= Number(row.element.dataset.phase === 'queued');
    const hadFocus = row.element.contains(document.activeElement);
    const neighbour = row.element.nextElementSibling ?? row.element.previousElementSibling;
    row.element.remove();
    if (hadFocus) {
      (neighbour?.querySelector('button:not([hidden])') ?? document.getElementById('choose-files')).focus();
    }
  }

  // Why an upload is over without a file, in words.
  why({ state: { problem } }) {
    return explain(problem, this.#format).text;
  }

  #create(item) {
    const strings = this.#strings;
    const state = h('span', { className: 'state' });
    const detail = h('p', { className: 'meta' });
    const operator = operatorPart();
    const bar = h('progress', { 'aria-label': strings.progressNamed(item.name) });
    const cancel = h(
      'button',
      { type: 'button', className: 'square', title: strings.cancel, 'aria-label': strings.cancelNamed(item.name) },
      icon('close'),
    );
    const again = h(
      'button',
      { type: 'button', className: 'wide', title: strings.tryAgain, 'aria-label': strings.tryAgainNamed(item.name) },
      icon('again'),
      h('span', {}, strings.tryAgain),
    );
    const dismiss = h(
      'button',
      { type: 'button', className: 'square', title: strings.dismiss, 'aria-label': strings.dismissNamed(item.name) },
      icon('close'),
    );
    cancel.addEventListener('click', () => this.#actions.cancel(item));
    again.addEventListener('click', () => this.#actions.retry(item));
    dismiss.addEventListener('click', () => this.#actions.dismiss(item));
    const element = h(
      'li',
      { className: 'row' },
      tile(item.name, item.file.type),
      h(
        'div',
        { className: 'row-text' },
        h('p', { className: 'row-line' }, h('span', nameProperties(item.name), ...oneLine(item.name)), state),
        bar,
        detail,
        operator,
      ),
      h('div', { className: 'row-buttons' }, again, cancel, dismiss),
    );
    const row = { element, state, detail, operator, bar, cancel, again, dismiss };
    this.#rows.set(item.key, row);
    return row;
  }

  #state({ phase, offline, cause, isProcessing }) {
    const { phase: words } = this.#strings;
    switch (phase) {
      case 'waiting':
        return offline ? words.waitingOffline : (WAITING[cause?.code] ?? ((all) => all.waiting))(words);
      case 'confirming':
        return isProcessing ? words.processing : words.confirming;
      default:
        return words[phase === 'completing' ? 'confirming' : phase];
    }
  }

  #progress({ state: { phase, offline, cause }, file, loaded, meter }) {
    if (phase !== 'sending') {
      const size = this.#format.size(file.size);
      const why = phase === 'waiting' && !offline && cause?.code === 'intermediary' ? explain(cause).text : '';
      return why === '' ? size : [size, why].join(this.#strings.list);
    }
    const speed = meter.speed();
    const left = meter.secondsLeft(file.size);
    return [
      this.#strings.sentOf(this.#format.size(loaded), this.#format.size(file.size)),
      speed === null ? null : this.#format.speed(speed),
      left === null || loaded === file.size ? null : this.#format.timeLeft(left),
    ]
      .filter(Boolean)
      .join(this.#strings.list);
  }

  #showBar(bar, phase, loaded, size) {
    bar.hidden = ['queued', 'rejected', 'failed', 'cancelled', 'available'].includes(phase);
    bar.max = Math.max(1, size);
    if (phase === 'sending' || phase === 'waiting') {
      bar.value = loaded;
    } else {
      // No value: something is going on, and how much of it is left isn't known.
      bar.removeAttribute('value');
    }
  }
}

// Shows the buttons that make sense now. A button that goes while it has the focus hands it on.
function showOneOf(row, wanted) {
  const focused = Object.keys(wanted).find((name) => row[name] === document.activeElement);
  for (const [name, isWanted] of Object.entries(wanted)) {
    row[name].hidden = !isWanted;
  }
  if (focused && !wanted[focused]) {
    const next = Object.keys(wanted).find((name) => wanted[name]);
    if (next) {
      row[next].focus();
    }
  }
}
