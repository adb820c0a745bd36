// One box, as its owner sees it: its link, what can be done with it, and the table of what was handed in.
//
// Invariant: at most MAX_SHOWN rows are in the document, however many there are; the table as CSV has all. What is asked
// while another box is opened changes nothing. Nothing that can't be undone is done without a question. What is saved of
// a list is saved of all of it, as the service has it then.

import { BoxFiles } from './box_files.js';
import { countingOf, peopleOf, shownOf } from './box_rows.js';
import { chipOf, extensionsOf, standingOfBox, timesLine } from './box_parts.js';
import { BoxTable } from './box_table.js';
import { BoxZip } from './box_zip.js';
import { words } from './box_words.js';
import { copyText } from './copy.js';
import { csvOf } from './csv.js';
import { isTaking, nextOf, timesOf } from './deadline.js';
import { ask, showText } from './dialog.js';
import { byId, h } from './dom.js';
import { strings } from './language.js';
import { showQr } from './qr_dialog.js';
import { savedAs } from './saved_name.js';
import { saveAs } from './save.js';

const { boxes: said } = words;
const CSV = 'text/csv;charset=utf-8';
// Longer than it takes until the box is asked for again.
const LONGEST_WAIT_MS = 60_000;

export class BoxView {
  #parts;
  #id = null;
  #box = null;
  #files;
  #turn = 0;
  // Of the moment at which the box stands elsewhere.
  #timer = null;
  // What is asked of the service now, {isWhole, outcome}, or null.
  #asking = null;
  #table;
  #zip;

  // parts: api, files (the API for these), shared (what links name), format, liveRegion, openForm(box, send),
  // whyOf(event), say(trouble), leave() where the box is gone.
  constructor(parts) {
    this.#parts = parts;
    this.#files = new BoxFiles({
      files: (id, cursor) => parts.api.files(id, cursor),
      now: () => performance.now(),
      after: (ms, run) => setTimeout(run, ms),
    });
    this.#table = new BoxTable(byId('one-table'), parts, {
      refresh: () => this.refresh({ isWhole: true }),
      csv: () => void this.#saveCsv(),
      change: () => this.#showTable(),
    });
    this.#zip = new BoxZip(this.#table.tools, parts);
  }

  // `known` is the box as it was in the list, or null.
  async open(id, known) {
    if (id !== this.#id) {
      this.#id = id;
      this.#box = known;
      this.#files.reset();
      this.#table.reset();
      this.#zip.stop();
    }
    this.#showHead();
    this.#showTable();
    await this.refresh({ isAnew: true });
  }

  close() {
    this.#id = null;
    clearTimeout(this.#timer);
    this.#turn += 1;
    this.#asking = null;
    this.#files.reset();
    this.#zip.stop();
  }

  // Where the link leads may be known only now.
  showAddress() {
    if (this.#id !== null && this.#box !== null) {
      this.#showHead();
    }
  }

  // What the service says now: the box, and of its files what is new, or with `isWhole` all. What is asked already isn't
  // asked twice, unless it has to be what holds from now on. Resolves to whether all of that was said.
  refresh({ isWhole = false, isAnew = false } = {}) {
    const before = this.#asking;
    if (before !== null && !isAnew && (before.isWhole || !isWhole)) {
      return before.outcome;
    }
    this.#turn += 1;
    const mine = { isWhole: isWhole || before?.isWhole === true, outcome: null };
    this.#asking = mine;
    mine.outcome = this.#read(this.#turn, mine.isWhole).finally(() => {
      this.#asking = this.#asking === mine ? null : this.#asking;
    });
    return mine.outcome;
  }

  async #read(turn, isWhole) {
    const id = this.#id;
    const { api, say, whyOf, leave } = this.#parts;
    // Of what was asked later in its place.
    const later = () => (id === this.#id ? (this.#asking?.outcome ?? false) : false);
    const event = await api.describe(id);
    if (turn !== this.#turn) {
      return later();
    }
    if (event.type === 'gone') {
      leave();
      this.#parts.liveRegion.show(said.gone);
      return false;
    }
    if (event.type !== 'box') {
      say(whyOf(event));
      return false;
    }
    this.#box = event.box;
    this.#showHead();
    const read = await this.#files.read(event.box, { whole: isWhole, onPage: () => this.#showTable() });
    if (turn !== this.#turn) {
      return later();
    }
    say(this.#troubleOf(read));
    this.#showTable();
    return read.type === 'read';
  }

  #troubleOf(read) {
    if (read.type === 'tooMany') {
      return said.tooManyToRead;
    }
    return read.type === 'read' ? '' : this.#parts.whyOf(read);
  }

  #showHead() {
    const box = this.#box;
    if (box === null) {
      byId('one-head').replaceChildren(h('h1', { id: 'one-title' }, said.title));
      return;
    }
    document.title = strings.title(box.title);
    const { api, format, shared } = this.#parts;
    this.#showHeadAt(nextOf(timesOf(box), api.now));
    const url = shared.linkOf(box.url);
    const button = (label, onclick, className = '') => h('button', { type: 'button', className, onclick }, label);
    const focused = document.activeElement?.dataset?.what;
    const buttons = [
      ['copy', button(said.copyLink, () => this.#copy(url), 'primary')],
      ['qr', button(strings.qr.button, () => showQr(url, shared.isForNobodyElse))],
      ['change', button(said.change, () => this.#change())],
      isTaking(standingOfBox(box, api.now)) ? ['shut', button(said.shut, () => this.#shut())] : null,
      ['renew', button(said.renew, () => this.#renew())],
      ['end', button(said.end, () => this.#end(), 'danger')],
    ].filter(Boolean);
    buttons.forEach(([what, element]) => (element.dataset.what = what));
    const isShown = byId('one-head').querySelector('.extensions')?.open ?? false;
    byId('one-head').replaceChildren(
      ...[
        h('div', { className: 'panel-head' }, h('h1', { id: 'one-title', dir: 'auto' }, box.title), chipOf(box, api.now)),
        h('p', { className: 'soft' }, timesLine(box, format)),
        extensionsOf(box, isShown, format),
        h('p', { className: 'box-link', dir: 'ltr' }, h('code', {}, url)),
        h('div', { className: 'box-actions', role: 'group', 'aria-label': said.actions }, ...buttons.map(([, element]) => element)),
      ].filter(Boolean),
    );
    // What is drawn anew gets the focus that it had.
    [...byId('one-head').querySelectorAll('[data-what]')].find(({ dataset }) => dataset.what === focused)?.focus();
  }

  // A box that has just been closed is a moment ahead of what is known here of the service's clock, which tells seconds.
  #showHeadAt(next) {
    clearTimeout(this.#timer);
    const wait = next === null ? LONGEST_WAIT_MS : next.at - this.#parts.api.now + 1;
    if (wait < LONGEST_WAIT_MS) {
      this.#timer = setTimeout(() => this.#showHead(), wait);
    }
  }

  #showTable() {
    const { all, isWhole, unlisted } = this.#files;
    const counting = this.#counting();
    const shown = this.#shown();
    this.#zip.offer(this.#box, shown, () => this.#packed());
    this.#table.show(shown, { counting, all: all.length, people: peopleOf(all), isWhole, unlisted, box: this.#box });
  }

  #counting() {
    return countingOf(this.#files.all, this.#box?.keep ?? 'latest');
  }

  #shown() {
    return shownOf(this.#files.all, { ...this.#table.wanted, counting: this.#counting() });
  }

  async #copy(url) {
    if (await copyText(url)) {
      this.#parts.liveRegion.show(said.copied);
    } else {
      showText({ title: said.copyByHand, text: url, close: said.close });
    }
  }

  // '' or what the service has against it.
  async #send(fields, done) {
    const { api, liveRegion, whyOf } = this.#parts;
    const event = await api.change(this.#id, fields);
    if (event.type !== 'box') {
      return event.type === 'gone' ? said.gone : whyOf(event);
    }
    this.#box = event.box;
    this.#showHead();
    liveRegion.show(done);
    void this.refresh({ isAnew: true });
    return '';
  }

  #change() {
    const isSame = (wanted) => Object.keys(wanted).length === 0;
    void this.#parts.openForm(this.#box, async (wanted) => (isSame(wanted) ? '' : this.#send(wanted, said.changed)));
  }

  async #shut() {
    if (await ask({ title: said.shutTitle, text: said.shutText, yes: said.shutYes, no: said.keep })) {
      // The service closes it by its own clock, for whoever has an extension too.
      this.#parts.say(await this.#send({ close: true }, said.isShut));
    }
  }

  async #renew() {
    if (await ask({ title: said.renewTitle, text: said.renewText, yes: said.renewYes, no: said.keep })) {
      this.#parts.say(await this.#send({ renew: true }, said.renewed));
    }
  }

  async #end() {
    const { api, liveRegion, whyOf, say, leave } = this.#parts;
    if (!(await ask({ title: said.endTitle, text: said.endText, yes: said.endYes, no: said.keep }))) {
      return;
    }
    const event = await api.end(this.#id);
    if (event.type === 'ended') {
      leave();
      liveRegion.show(said.ended);
    } else {
      say(whyOf(event));
    }
  }

  // The table of all files, whatever is shown; beside an archive, with the names that files have in it.
  #csv(names = null) {
    const counting = this.#counting();
    const yes = (is) => (is ? said.yes : said.no);
    const rows = this.#files.all.map(({ id, submitter, submitterId, displayName, size, sha256, uploadedAt, late, status }) => [
      submitter,
      submitterId ?? '',
      displayName,
      size,
      sha256 ?? '',
      uploadedAt ?? '',
      yes(late),
      yes(counting.has(id)),
      said.status[status] ?? status,
      id,
      ...(names === null ? [] : [names.get(id) ?? '']),
    ]);
    const columns = [...said.csvColumns, ...(names === null ? [] : [said.csvInZip])];
    return csvOf([columns, ...rows], said.csvSeparator);
  }

  // What is shown, and the table of all, as the service has it now. Null where that can't be read to its end.
  async #packed() {
    const isRead = await this.refresh({ isWhole: true });
    return isRead ? { files: this.#shown(), table: (names) => this.#csv(names) } : null;
  }

  async #saveCsv() {
    if (!(await this.refresh({ isWhole: true }))) {
      this.#parts.liveRegion.show(said.notSaved);
      return;
    }
    const name = savedAs(said.csvName(this.#box.title).replace(/[/\\]/g, '_'));
    saveAs(name, [this.#csv()], CSV);
  }
}
