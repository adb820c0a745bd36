// One box, as its owner sees it: its link, what can be done with it, and the table of what was handed in.
//
// Invariant: at most MAX_SHOWN rows are in the document, however many there are; the table as CSV has all. What is asked
// while another box is opened changes nothing. Nothing that can't be undone is done without a question.

import { countingOf, merged, peopleOf, shownOf } from './box_rows.js';
import { chipOf, standingOfBox, timesLine } from './box_parts.js';
import { BoxTable } from './box_table.js';
import { BoxZip } from './box_zip.js';
import { words } from './box_words.js';
import { copyText } from './copy.js';
import { csvOf } from './csv.js';
import { isTaking } from './deadline.js';
import { ask, showText } from './dialog.js';
import { byId, h } from './dom.js';
import { strings } from './language.js';
import { showQr } from './qr_dialog.js';
import { savedAs } from './saved_name.js';
import { saveAs } from './save.js';

const { boxes: said } = words;
const CSV = 'text/csv;charset=utf-8';
// A box holds 10,000 files at the most, and a page of them has 100.
const MAX_PAGES = 110;

export class BoxView {
  #parts;
  #id = null;
  #box = null;
  #files = [];
  // Whether all were fetched.
  #isWhole = false;
  #turn = 0;
  #table;
  #zip;

  // parts: api, files (the API for these), shared (what links name), format, liveRegion, openForm(box, send),
  // whyOf(event), say(trouble), leave() where the box is gone.
  constructor(parts) {
    this.#parts = parts;
    this.#table = new BoxTable(byId('one-table'), parts, {
      refresh: () => this.refresh(),
      csv: () => this.#saveCsv(),
      change: () => this.#showTable(),
    });
    this.#zip = new BoxZip(this.#table.tools, parts);
  }

  // `known` is the box as it was in the list, or null.
  async open(id, known) {
    if (id !== this.#id) {
      this.#id = id;
      this.#box = known;
      this.#files = [];
      this.#isWhole = false;
      this.#table.reset();
      this.#zip.stop();
    }
    this.#showHead();
    this.#showTable();
    await this.refresh();
  }

  close() {
    this.#id = null;
    this.#turn += 1;
    this.#zip.stop();
  }

  // What the service says now: the box, and of its files what is new. The whole list the first time.
  async refresh() {
    this.#turn += 1;
    const turn = this.#turn;
    const id = this.#id;
    const { api, say, whyOf, leave } = this.#parts;
    const event = await api.describe(id);
    if (turn !== this.#turn) {
      return;
    }
    if (event.type === 'gone') {
      leave();
      this.#parts.liveRegion.show(said.gone);
      return;
    }
    if (event.type !== 'box') {
      say(whyOf(event));
      return;
    }
    this.#box = event.box;
    this.#showHead();
    const trouble = await this.#getFiles(id, turn);
    if (turn === this.#turn) {
      say(trouble);
      this.#showTable();
    }
  }

  // '' or what went wrong.
  async #getFiles(id, turn) {
    const { api, whyOf } = this.#parts;
    let cursor = null;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const event = await api.files(id, cursor);
      if (turn !== this.#turn) {
        return '';
      }
      if (event.type !== 'page') {
        return whyOf(event);
      }
      const isKnown = this.#isWhole && event.files.every((file) => this.#isSettled(file));
      this.#files = merged(this.#files, event.files);
      cursor = event.nextCursor;
      if (cursor === null || isKnown) {
        this.#isWhole = true;
        return '';
      }
      this.#showTable();
    }
    return '';
  }

  // Whether nothing about the file changes any more, and it was there before.
  #isSettled({ id, status }) {
    const known = this.#files.find((file) => file.id === id);
    return known !== undefined && known.status === status && status !== 'pending';
  }

  #showHead() {
    const box = this.#box;
    if (box === null) {
      byId('one-head').replaceChildren(h('h1', { id: 'one-title' }, said.title));
      return;
    }
    document.title = strings.title(box.title);
    const { api, format, shared } = this.#parts;
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
    byId('one-head').replaceChildren(
      h('div', { className: 'panel-head' }, h('h1', { id: 'one-title', dir: 'auto' }, box.title), chipOf(box, api.now)),
      h('p', { className: 'soft' }, timesLine(box, format)),
      h('p', { className: 'box-link', dir: 'ltr' }, h('code', {}, url)),
      h('div', { className: 'box-actions', role: 'group', 'aria-label': said.actions }, ...buttons.map(([, element]) => element)),
    );
    // What is drawn anew gets the focus that it had.
    buttons.find(([what]) => what === focused)?.[1].focus();
  }

  #showTable() {
    const files = this.#files;
    const counting = countingOf(files, this.#box?.keep ?? 'latest');
    const shown = shownOf(files, { ...this.#table.wanted, counting });
    this.#zip.offer(this.#box, shown, () => this.#csv());
    this.#table.show(shown, { counting, all: files.length, people: peopleOf(files), isWhole: this.#isWhole, box: this.#box });
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
    void this.refresh();
    return '';
  }

  #change() {
    void this.#parts.openForm(this.#box, (wanted) => this.#send(wanted, said.changed));
  }

  async #shut() {
    if (await ask({ title: said.shutTitle, text: said.shutText, yes: said.shutYes, no: said.keep })) {
      const now = new Date(this.#parts.api.now);
      const { dueAt } = this.#box;
      // Nothing is due after the end; what came before isn't late by that.
      const isDueLater = dueAt !== null && Date.parse(dueAt) > now.getTime();
      const closesAt = now.toISOString();
      this.#parts.say(await this.#send({ closesAt, ...(isDueLater && { dueAt: closesAt }) }, said.isShut));
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

  // The table of all files, whatever is shown.
  #csv() {
    const counting = countingOf(this.#files, this.#box.keep);
    const yes = (is) => (is ? said.yes : said.no);
    const rows = this.#files.map(({ id, submitter, submitterId, displayName, size, sha256, uploadedAt, late, status }) => [
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
    ]);
    return csvOf([said.csvColumns, ...rows], said.csvSeparator);
  }

  #saveCsv() {
    const name = savedAs(said.csvName(this.#box.title).replace(/[/\\]/g, '_'));
    saveAs(name, [this.#csv()], CSV);
  }
}
