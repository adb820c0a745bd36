// Shows a batch: one figure while it is under way, also in the tab's title, and what came of it at the end.
//
// Invariant: shows what the batch says, and decides nothing.

import { byId, setText } from './dom.js';
import { nameOf } from './record.js';

export class BatchView {
  #strings;
  #format;
  #records = [];

  #canShare;

  // actions: copy(text, done), copyLinks(ids), pageOf(id), showQr(link), dismiss(), and share({title, links}) or null
  // where there is no way to.
  constructor({ strings, format }, { copy, copyLinks, share, pageOf, showQr, dismiss }) {
    this.#strings = strings;
    this.#format = format;
    byId('copy-links').addEventListener('click', () => {
      void copyLinks(this.#records.map(({ id }) => id));
    });
    byId('show-qr').addEventListener('click', () => showQr(pageOf(this.#records[0].id)));
    this.#canShare = share !== null;
    byId('share-links').addEventListener('click', () => {
      const links = this.#records.map(({ id }) => pageOf(id));
      share({ title: links.length === 1 ? nameOf(this.#records[0]) : strings.arrivedCount(links.length), links });
    });
    byId('copy-receipt').addEventListener('click', () => {
      const parts = this.#records.map((record) => this.#receipt(record, pageOf(record.id)));
      copy(parts.join('\n\n'), strings.receiptCopied);
    });
    byId('dismiss-batch').setAttribute('aria-label', strings.dismissBatch);
    byId('dismiss-batch').addEventListener('click', dismiss);
  }

  show(batch) {
    const { isOver, arrived } = batch;
    this.#records = arrived;
    const strings = this.#strings;
    const isSent = isOver && arrived.length > 0;
    setText(byId('uploads-title'), isOver ? (isSent ? strings.sent : strings.notSent) : strings.sending);
    setText(byId('uploads-summary'), isOver ? this.#end(batch) : this.#progress(batch));
    byId('batch-bar').hidden = isOver || batch.all < 2;
    byId('batch-bar').value = batch.percent;
    byId('batch-end').hidden = !isOver;
    byId('copy-links').hidden = !isSent;
    // A code leads to one page.
    byId('show-qr').hidden = !isSent || arrived.length > 1;
    byId('copy-receipt').hidden = !isSent;
    byId('share-links').hidden = !isSent || !this.#canShare;
    setText(byId('copy-links'), arrived.length === 1 ? strings.copyLink : strings.copyLinks);
  }

  // What stands in the tab: nothing of a batch once that was put away.
  showTitle(batch) {
    const { product, title } = this.#strings;
    const state = batch === null ? null : batch.isOver ? this.counts(batch) : this.#strings.percent(batch.percent);
    document.title = state === null ? product : title(state);
  }

  #progress(batch) {
    const left = batch.secondsLeft;
    return this.#join([
      batch.all > 1 ? this.#strings.summary(batch.through, batch.all) : null,
      this.#strings.percent(batch.percent),
      left === null ? null : this.#format.timeLeft(left),
    ]);
  }

  #end(batch) {
    return this.#join([this.counts(batch), this.#format.timeOfEnd(batch.endedAt)]);
  }

  // How many files came to which end.
  counts({ arrived, failed, cancelled }) {
    const { arrivedCount, failedCount, cancelledCount } = this.#strings;
    return this.#join([
      arrived.length > 0 ? arrivedCount(arrived.length) : null,
      failed.length > 0 ? failedCount(failed.length) : null,
      cancelled > 0 ? cancelledCount(cancelled) : null,
    ]);
  }

  #receipt(record, link) {
    const at = Date.parse(record.uploadedAt ?? record.createdAt);
    return this.#strings.receipt({
      name: nameOf(record),
      size: this.#format.exactSize(record.size),
      sha256: record.sha256,
      time: this.#format.exactTime(at),
      link,
    });
  }

  #join(parts) {
    return parts.filter((part) => part !== null).join(this.#strings.list);
  }
}
