// Shows the list of files.
//
// Invariant: a row that is there stays the same element, so that focus and selections survive whatever
// is added or changes around it.

import { holdOf, nameOf, otherContentOf, standing } from './record.js';
import { RowWindow } from './row_window.js';
import { h, icon, nameProperties, oneLine, tile } from './dom.js';

export class FilesView {
  #root;
  // Those that are there, by the ID of their record.
  #rows = new Map();
  #records = [];
  #show = () => {};
  #window = new RowWindow();
  #isLong = false;
  // In the place of rows that aren't there.
  #above = gap();
  #below = gap();
  #strings;
  #format;
  #actions;

  // actions: pageOf(id), downloadOf(id), download(id) → a click's handler, copy(record), remove(record, row),
  // pick(id, isWanted, isRange), and share(record) or null where the browser has no way to.
  constructor(root, { strings, format }, actions) {
    this.#root = root;
    this.#strings = strings;
    this.#format = format;
    this.#actions = actions;
    root.append(this.#above, this.#below);
    // Once a frame, if there are rows that aren't there.
    let willLook = false;
    const look = () => {
      if (this.#isLong && !willLook) {
        willLook = true;
        requestAnimationFrame(() => {
          willLook = false;
          this.#place();
        });
      }
    };
    window.addEventListener('scroll', look, { passive: true });
    window.addEventListener('resize', look);
  }

  // The records in `shown` are seen, in this order; `selection` is null where nothing can be selected. `fresh` are the
  // IDs of files that this page has just sent, and `others` those of files that it wanted to send and that hold
  // somebody else's bytes.
  render({ shown, selection }, { fresh, others }, now) {
    this.#records = shown;
    this.#show = (record) => {
      const row = this.#rows.get(record.id) ?? this.#create(record, fresh.has(record.id));
      this.#update(row, record, others.has(record.id) ? 'otherBytes' : standing(record), now);
      this.#showPick(row, record, selection);
      return row;
    };
    this.#place();
    if (this.#isLong && this.#window.measure(...this.#measured())) {
      this.#place();
    }
  }

  // As many rows as there have to be, where one is now.
  #place() {
    const records = this.#records;
    const { from, to } = this.#window.range(records.length, () => {
      const { top } = this.#root.getBoundingClientRect();
      return { top, seen: window.innerHeight };
    });
    this.#isLong = to - from < records.length;
    const there = this.#withFocused(records.slice(from, to), from);
    const wanted = new Set(there.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (!wanted.has(id)) {
        this.#remove(id, row);
      }
    }
    this.#above.hidden = from === 0;
    this.#below.hidden = to === records.length;
    this.#above.style.height = `${this.#window.heightOf(from)}px`;
    this.#below.style.height = `${this.#window.heightOf(records.length - to)}px`;
    let place = this.#above.nextElementSibling;
    there.forEach((record, at) => {
      const { element } = this.#show(record);
      setPosition(element, this.#isLong ? from + at + 1 : null, records.length);
      if (element === place) {
        place = place.nextElementSibling;
      } else {
        this.#root.insertBefore(element, place);
      }
    });
  }

  // A row with the focus stays, however far one scrolls.
  #withFocused(there, from) {
    const focused = document.activeElement?.closest('.row');
    const id = [...this.#rows].find(([, { element }]) => element === focused)?.[0];
    const at = id === undefined ? -1 : this.#records.findIndex((record) => record.id === id);
    if (at < 0 || (at >= from && at < from + there.length)) {
      return there;
    }
    return at < from ? [this.#records[at], ...there] : [...there, this.#records[at]];
  }

  // How many rows there are, and how high they are together.
  #measured() {
    const rows = [...this.#rows.values()].map(({ element }) => element.getBoundingClientRect());
    return [rows.length, rows.reduce((sum, { height }) => sum + height, 0)];
  }

  // The focus goes to the row that takes the place, so that a keyboard needn't begin at the top.
  #remove(id, { element }) {
    const hadFocus = element.contains(document.activeElement);
    const isRow = (sibling) => sibling?.matches('.row');
    const neighbour = [element.nextElementSibling, element.previousElementSibling].find(isRow);
    element.remove();
    this.#rows.delete(id);
    if (hadFocus) {
      (neighbour?.querySelector('.name') ?? this.#root.closest('section'))?.focus();
    }
  }

  #create(record, isFresh) {
    const strings = this.#strings;
    const { id } = record;
    const called = nameOf(record);
    const name = h('a', { ...nameProperties(called), href: this.#actions.pageOf(id) }, ...oneLine(called));
    const size = h('span', { className: 'size', title: this.#format.exactSize(record.size) }, this.#format.size(record.size));
    const time = h('time', {
      dateTime: record.createdAt,
      title: this.#format.exactTime(Date.parse(record.createdAt)),
    });
    const status = h('span', { className: 'chip' });
    const reason = h('span', { className: 'reason' });
    const copy = button('link', strings.copyLink, strings.copyLinkNamed(called), 'copy');
    copy.title = strings.copyLink;
    copy.addEventListener('click', () => this.#actions.copy(record));
    const download = h(
      'a',
      {
        className: 'button square',
        href: this.#actions.downloadOf(id),
        download: '',
        title: strings.download,
        'aria-label': strings.downloadNamed(called),
      },
      icon('download'),
    );
    download.addEventListener('click', this.#actions.download(id));
    const remove = button('remove', null, strings.removeNamed(called), 'square');
    remove.title = strings.remove;
    remove.addEventListener('click', () => this.#actions.remove(record));
    const share = this.#actions.share && button('share', null, strings.shareNamed(called), 'square');
    share?.addEventListener('click', () => this.#actions.share(record));
    const others = h('div', { className: 'row-others' }, share, download, remove);
    const element = h(
      'li',
      { className: isFresh ? 'row is-fresh' : 'row' },
      tile(called, record.contentType),
      h('div', { className: 'row-text' }, name, h('p', { className: 'meta' }, size, time, status, reason)),
      h('div', { className: 'row-buttons' }, copy, opener(others, strings.moreNamed(called))),
      others,
    );
    const row = { element, time, status, reason, copy, download, pick: null, when: '', shown: null, since: null, held: null };
    this.#rows.set(id, row);
    return row;
  }

  // `status` is what the record comes to for whoever looks.
  #update(row, record, status, now) {
    const when = this.#format.when(Date.parse(record.createdAt), now);
    if (row.when !== when) {
      row.when = when;
      row.time.textContent = when;
    }
    const since = status === 'pending' ? this.#format.since(Date.parse(record.createdAt), now) : null;
    const hold = holdOf(record);
    const held = hold && this.#strings.held.text(hold.reason);
    if (row.shown === status && row.since === since && row.held === held) {
      return;
    }
    row.shown = status;
    row.since = since;
    row.held = held;
    const { statusWhy } = this.#strings;
    const isAvailable = status === 'available';
    const isComing = status === 'pending' || status === 'processing';
    row.element.dataset.status = status;
    row.status.hidden = isAvailable && held === null;
    row.status.textContent = this.#statusText(status, since, held);
    row.status.title = isComing ? statusWhy[status] : '';
    row.reason.hidden = held === null && (isAvailable || isComing);
    row.reason.textContent = held ?? (status === 'rejected' ? this.#whyRejected(record) : (statusWhy[status] ?? ''));
    // A link can be passed on before the file is there: whoever opens it waits.
    row.copy.hidden = !isAvailable && !isComing;
    // Its place is kept, so that what stands beside it doesn't jump.
    row.download.classList.toggle('is-away', !isAvailable);
  }

  #statusText(status, since, held) {
    if (since !== null) {
      return this.#strings.waitingSince(since);
    }
    return status === 'available' && held !== null ? this.#strings.held.chip : this.#strings.status[status];
  }

  #whyRejected(record) {
    const { statusWhy, why } = this.#strings;
    const otherContent = otherContentOf(record);
    return otherContent === null
      ? (why[record.reasonCode] ?? statusWhy.rejected(record.reason ?? why.unsaid))
      : statusWhy.otherContent(otherContent);
  }

  // A box to select the file with, made when the first is wanted.
  #showPick(row, record, selection) {
    if (selection === null) {
      row.pick?.parentElement.remove();
      row.pick = null;
      return;
    }
    if (row.pick === null) {
      row.pick = h('input', { type: 'checkbox', 'aria-label': this.#strings.selection.named(nameOf(record)) });
      row.pick.addEventListener('click', (event) => this.#actions.pick(record.id, row.pick.checked, event.shiftKey));
      row.element.prepend(h('label', { className: 'pick' }, row.pick));
    }
    row.pick.checked = selection.has(record.id);
  }
}

// Where there is no room for the other buttons, what shows them.
function opener(others, label) {
  const more = h(
    'button',
    { type: 'button', className: 'square opener', 'aria-label': label, 'aria-expanded': 'false' },
    icon('more'),
  );
  more.addEventListener('click', () => {
    const isOpen = others.classList.toggle('is-open');
    more.setAttribute('aria-expanded', String(isOpen));
  });
  return more;
}

function gap() {
  return h('li', { className: 'gap', 'aria-hidden': 'true', hidden: true });
}

// Where not all rows are there, a screen reader is told which these are.
function setPosition(element, position, length) {
  if (position === null) {
    element.removeAttribute('aria-posinset');
    element.removeAttribute('aria-setsize');
  } else {
    element.setAttribute('aria-posinset', position);
    element.setAttribute('aria-setsize', length);
  }
}

function button(iconName, text, label, className) {
  return h(
    'button',
    { type: 'button', className, 'aria-label': label },
    icon(iconName),
    text === null ? null : h('span', {}, text),
  );
}
