// A file in the list of <file-share-drop>: its name, how far it is, and the one thing that can be done about it.
//
// Invariant: whoever used the button is still at it when it comes to mean something else.

export function part(tag, name, properties = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  element.setAttribute('part', name);
  return element;
}

// In which bytes are on their way, or about to be.
const BEFORE_BYTES = new Set(['queued', 'hashing', 'creating', 'waiting', 'renewing', 'looking']);

// A name that reads from right to left mixes up what stands around it, unless it is set apart (UAX #9, 2.4).
export const isolated = (name) => `\u2068${name}\u2069`;

export class Row {
  element = part('li', 'item');
  isOver = false;
  #name = part('span', 'name');
  #bar = part('progress', 'progress', { max: 100, value: 0 });
  #state = part('span', 'state');
  #action = part('button', 'action', { type: 'button' });
  #file;
  #words;
  #on;
  #sending;
  #phase = 'queued';
  #act = () => {};

  // on: onDone(result), onFailed(error), onRemoved().
  constructor(file, words, on) {
    this.#file = file;
    this.#words = words;
    this.#on = on;
    this.#name.textContent = file.name;
    this.#name.dir = 'auto';
    this.#bar.setAttribute('aria-label', file.name);
    this.#action.addEventListener('click', () => this.#act());
    this.element.append(this.#name, this.#bar, this.#state, this.#action);
    this.#goes();
  }

  get listeners() {
    return {
      onPhase: (phase) => {
        this.#phase = phase;
        this.#show(0);
      },
      onProgress: ({ loaded, total }) => this.#show(total > 0 ? loaded / total : 0),
    };
  }

  follow(sending) {
    this.#sending = sending;
    this.#await(sending.done);
  }

  // Takes it off the list, if there is nothing to lose.
  remove() {
    this.#sending?.dismiss();
    this.#on.onRemoved();
  }

  giveUp() {
    if (!this.isOver) {
      this.isOver = true;
      this.#sending.cancel();
    }
    this.remove();
  }

  #await(done) {
    done.then(
      (result) => this.#end('done', this.#words.done, result),
      (error) => !this.isOver && this.#end('failed', error.message, error),
    );
  }

  #end(state, text, outcome) {
    this.isOver = true;
    this.element.dataset.state = state;
    this.#state.textContent = text;
    this.#bar.hidden = true;
    if (state === 'failed' && this.#sending.canRetry) {
      this.#button(this.#words.retry, () => this.#again());
    } else {
      this.#button(this.#words.remove, () => this.remove());
    }
    if (state === 'done') {
      this.#on.onDone(outcome);
    } else {
      this.#on.onFailed(outcome);
    }
  }

  #again() {
    this.#goes();
    this.#await(this.#sending.retry());
  }

  #goes() {
    this.isOver = false;
    this.element.dataset.state = 'sending';
    this.#bar.hidden = false;
    this.#show(0);
    this.#button(this.#words.cancel, () => this.giveUp());
  }

  #button(text, act) {
    this.#action.textContent = text;
    // It begins as it looks, for whoever says to their machine what they see.
    this.#action.setAttribute('aria-label', `${text}: ${isolated(this.#file.name)}`);
    this.#act = act;
  }

  #show(share) {
    if (this.isOver) {
      return;
    }
    const percent = Math.floor(share * 100);
    this.#bar.value = percent;
    const isBefore = BEFORE_BYTES.has(this.#phase);
    const isSending = this.#phase === 'sending';
    this.#state.textContent = isBefore
      ? this.#words.waiting
      : isSending
        ? this.#words.sending(percent)
        : this.#words.checking;
  }
}
