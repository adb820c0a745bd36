// Shows the list of files.
//
// Invariant: a row that is there stays the same element, so that focus and selections survive whatever
// is added or changes around it.

import { nameOf, standing } from './record.js';
import { breakable, h, icon, nameProperties, setText, tile } from './dom.js';

export class FilesView {
  #root;
  #rows = new Map();
  #strings;
  #format;
  #actions;

  // actions: pageOf(id), downloadOf(id), download(id) → a click's handler, copy(record), remove(record, row).
  constructor(root, { strings, format }, actions) {
    this.#root = root;
    this.#strings = strings;
    this.#format = format;
    this.#actions = actions;
  }

  // `fresh` are the IDs of files that this page has just sent, and `others` those of files that it wanted to
  // send and that hold somebody else's bytes.
  render(records, { fresh, others }, now) {
    const wanted = new Set(records.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (!wanted.has(id)) {
        this.#remove(id, row);
      }
    }
    let place = this.#root.firstElementChild;
    for (const record of records) {
      const row = this.#rows.get(record.id) ?? this.#create(record, fresh.has(record.id));
      this.#update(row, record, others.has(record.id) ? 'otherBytes' : standing(record), now);
      if (row.element === place) {
        place = place.nextElementSibling;
      } else {
        this.#root.insertBefore(row.element, place);
      }
    }
  }

  // The focus goes to the row that takes the place, so that a keyboard needn't begin at the top.
  #remove(id, { element }) {
    const hadFocus = element.contains(document.activeElement);
    const neighbour = element.nextElementSibling ?? element.previousElementSibling;
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
    const name = h('a', { ...nameProperties(called), href: this.#actions.pageOf(id) }, ...breakable(called));
    const size = h('span', { title: this.#format.exactSize(record.size) }, this.#format.size(record.size));
    const time = h('time', {
      dateTime: record.createdAt,
      title: this.#format.exactTime(Date.parse(record.createdAt)),
    });
    const status = h('span', { className: 'chip' });
    const reason = h('span', { className: 'reason' });
    const copy = button('link', strings.copyLink, strings.copyLinkNamed(called), 'copy');
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
    const element = h(
      'li',
      { className: isFresh ? 'row is-fresh' : 'row' },
      tile(called, record.contentType),
      h('div', { className: 'row-text' }, name, h('p', { className: 'meta' }, size, time, status, reason)),
      h('div', { className: 'row-buttons' }, copy, download, remove),
    );
    const row = { element, time, status, reason, copy, download, shown: null, since: null };
    this.#rows.set(id, row);
    return row;
  }

  // `status` is what the record comes to for whoever looks.
  #update(row, record, status, now) {
    setText(row.time, this.#format.when(Date.parse(record.createdAt), now));
    const since = status === 'pending' ? this.#format.since(Date.parse(record.createdAt), now) : null;
    if (row.shown === status && row.since === since) {
      return;
    }
    row.shown = status;
    row.since = since;
    const { statusWhy, why } = this.#strings;
    const isAvailable = status === 'available';
    const isComing = status === 'pending' || status === 'processing';
    row.element.dataset.status = status;
    row.status.hidden = isAvailable;
    row.status.textContent = since === null ? this.#strings.status[status] : this.#strings.waitingSince(since);
    row.status.title = isComing ? statusWhy[status] : '';
    row.reason.hidden = isAvailable || isComing;
    row.reason.textContent = status === 'rejected' ? statusWhy.rejected(record.reason ?? why.unsaid) : (statusWhy[status] ?? '');
    // A link can be passed on before the file is there: whoever opens it waits.
    row.copy.hidden = !isAvailable && !isComing;
    // Its place is kept, so that what stands beside it doesn't jump.
    row.download.classList.toggle('is-away', !isAvailable);
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
