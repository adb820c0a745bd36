// Files that somebody has selected, to do the same with all of them.
//
// Invariant: pure. What isn't in the list any more isn't selected any more.

export class Selection {
  #ids = new Set();
  #isOn = false;
  // Where a range begins.
  #last = null;

  get isOn() {
    return this.#isOn;
  }

  get size() {
    return this.#ids.size;
  }

  has(id) {
    return this.#ids.has(id);
  }

  start() {
    this.#isOn = true;
  }

  end() {
    this.#isOn = false;
    this.clear();
  }

  clear() {
    this.#ids.clear();
    this.#last = null;
  }

  // With `isRange` all from the one that was set last to this one, as they are shown: `ids`.
  set(id, isWanted, { isRange = false, ids = [] } = {}) {
    const [from, to] = [ids.indexOf(this.#last), ids.indexOf(id)].sort((a, b) => a - b);
    const which = isRange && from >= 0 ? ids.slice(from, to + 1) : [id];
    for (const one of which) {
      if (isWanted) {
        this.#ids.add(one);
      } else {
        this.#ids.delete(one);
      }
    }
    this.#last = id;
  }

  selectAll(ids) {
    ids.forEach((id) => this.#ids.add(id));
  }

  // Keeps those that there are.
  keep(ids) {
    const there = new Set(ids);
    [...this.#ids].filter((id) => !there.has(id)).forEach((id) => this.#ids.delete(id));
  }

  // Of these records the selected ones.
  of(records) {
    return records.filter(({ id }) => this.#ids.has(id));
  }
}
