// The page at `/`: puts the parts together.
//
// Invariant: data goes one way. Uploads and the list tell of changes, the views show them, and what
// people do goes back as calls.

import { refusal } from './validation.js';
import { LiveRegion } from './live_region.js';
import { Batch } from './batch.js';
import { BatchView } from './batch_view.js';
import { copyText } from './copy.js';
import { ask, showText } from './dialog.js';
import { sha256 } from './digest.js';
import { byId, fillIn, setText } from './dom.js';
import { askFirst } from './download.js';
import { openDropZone } from './drop_zone.js';
import { explain, fillOperator, operatorPart } from './explain.js';
import { FilesView } from './files_view.js';
import { beginHeadline, makeRoom, rememberFiles } from './headline.js';
import { Format } from './format.js';
import { openInterrupted } from './interrupted_panel.js';
import { locale, strings } from './language.js';
import { fetchModule } from './late.js';
import { deleteMany } from './delete_many.js';
import { Links } from './links.js';
import { ListSync, MAX_LISTED } from './list_sync.js';
import { ListTools } from './list_tools.js';
import { put } from './put.js';
import { ScreenLock, share } from './share.js';
import { getOlderAhead } from './older_ahead.js';
import { holdOf, isFinal, keptUntil, nameOf } from './record.js';
import { showQr } from './qr_dialog.js';
import { openShareAddress } from './share_notice.js';
import { openSession } from './sign_in.js';
import { isInFlight, isOver } from './upload_machine.js';
import { after, newName, now, reach, told } from './upload_ports.js';
import { MAX_QUEUED, Uploads } from './uploads.js';
import { UploadsView } from './uploads_view.js';
import { PendingPoller } from './pending_poller.js';

// Of announcements, so that of those about a batch the last one holds.
const TOPIC = 'batch';
// How many files that weren't sent are named in one.
const MAX_NAMED = 3;
const TIMES_EVERY_MS = 30_000;

const base = new URL(document.documentElement.dataset.base, location.href);
const maxUploadBytes = Number(told('max-upload-bytes'));
const format = new Format({ strings, locale });
const liveRegion = new LiveRegion(byId('said'), byId('toast'));
const { api, session, isIn, isGuest, owner } = openSession({ base, liveRegion, wake });
const shared = openShareAddress({ base, api, isIn, root: byId('share-notice'), onSession: showUse });
const listOperator = operatorPart();
const screenLock = new ScreenLock();
const fresh = new Set();
const others = new Set();
// What shows how much of the service is taken, where somebody may only have so much.
let useLine = null;

const poller = new PendingPoller({
  look: (id, wait, signal) => api.look(id, wait, signal),
  onSeen: (record) => {
    uploads.seen(record);
    interrupted.seen(record);
    listSync.upsert(record);
  },
  onWaiting: (record) => {
    uploads.seen(record);
    interrupted.seen(record);
    listSync.saw(record);
  },
  onGone: (id) => {
    uploads.gone(id);
    interrupted.gone(id);
    listSync.forget(id);
  },
  now,
  after,
  isPaused: () => document.hidden,
});

const uploads = new Uploads(
  {
    api,
    put,
    sha256,
    refusal: (file) => refusal(file, maxUploadBytes),
    reach,
    watch: (id) => poller.watch(id, true),
    newName,
    now,
    isOnline: () => navigator.onLine,
    after,
  },
  onUpload,
);

const { kept, interrupted, show: showInterrupted } = openInterrupted(
  { place: base.pathname, strings, format },
  {
    owner,
    now,
    after,
    newName,
    look: (id) => api.look(id),
    watch: (id) => poller.watch(id),
    sha256,
    resume: (upload) => uploads.resume(upload),
    held: () => uploads.items.map(({ state }) => state.id).filter(Boolean),
    remove: removeFile,
    onChange: showFiles,
  },
);

const links = new Links(api);
const batch = new Batch();
const batchView = new BatchView(
  { strings, format },
  {
    copy,
    copyLinks,
    share,
    pageOf: (id) => shared.pageOf(id),
    showQr: (link) => showQr(link, shared.isForNobodyElse),
    dismiss: putBatchAway,
  },
);
let isPutAway = false;
let willShow = false;

const uploadsView = new UploadsView(
  byId('uploads-list'),
  { strings, format },
  {
    cancel: (item) => uploads.cancel(item),
    retry: (item) => uploads.retry(item),
    dismiss,
  },
);

const listSync = new ListSync(
  { api, channel: new BroadcastChannel(`file-share ${base.pathname}`), after, isHidden: () => document.hidden },
  showFiles,
);

const filesView = new FilesView(
  byId('files-list'),
  { strings, format },
  {
    pageOf: (id) => api.pageOf(id),
    downloadOf: (id) => api.downloadOf(id),
    download: (id) => askFirst(() => api.look(id), sayTrouble),
    copy: ({ id }) => copyLinks([id]),
    remove: removeFile,
    share: share && ((record) => share({ title: nameOf(record), links: [shared.pageOf(record.id)] })),
    pick: (id, isWanted, isRange) => listTools.pick(id, isWanted, isRange),
  },
);
const listTools = new ListTools(
  { strings, format, locale },
  { change: showFiles, copyLinks: (records) => copyLinks(records.map(({ id }) => id)), remove: removeFiles, after },
);

function onUpload(item) {
  const { phase, record } = item.state;
  batch.follow(item, now());
  kept.follow(item);
  isPutAway = false;
  if (phase === 'available') {
    fresh.add(record.id);
    uploads.dismiss(item);
    uploadsView.remove(item);
    listSync.upsert(record);
  } else {
    uploadsView.update(item);
    if (item.state.problem?.code === 'otherBytes') {
      others.add(item.state.id);
    }
    if (item.state.problem?.code === 'quota') {
      useLine?.askSoon();
    }
    if (phase === 'rejected') {
      // It is shown as an upload until that is taken off the list; then it is a file like any other.
      listSync.upsert(record);
    }
  }
  showUploadsSoon();
}

// Once for all that happens at a time, such as a folder that is dropped.
function showUploadsSoon() {
  if (!willShow) {
    willShow = true;
    queueMicrotask(() => {
      willShow = false;
      showUploads();
    });
  }
}

function showUploads() {
  const { items } = uploads;
  const going = items.filter((item) => !isOver(item.state));
  if (batch.endsNow(now())) {
    sayEnd(items);
  }
  screenLock.want(going.length > 0);
  byId('uploads').hidden = items.length === 0 && (batch.all === 0 || isPutAway);
  batchView.show(batch);
  batchView.showTitle(batch.all === 0 || isPutAway ? null : batch);
  byId('uploads-list').hidden = items.length === 0;
  byId('cancel-all').hidden = going.filter(canBeCancelled).length < 2;
  byId('clear-over').hidden = items.length - going.length < 2;
  const hidden = uploadsView.fill(items);
  byId('uploads-waiting').hidden = hidden === 0;
  setText(byId('uploads-waiting'), hidden === 0 ? '' : strings.moreWaiting(hidden));
  if (going.length > 0) {
    liveRegion.progress(() => strings.said.progress(batch.percent, going.length), TOPIC, now());
  }
}

// What came of the batch, in one sentence.
function sayEnd(items) {
  const { failed } = batch;
  const named = failed.slice(0, MAX_NAMED);
  const more = failed.length > named.length ? strings.said.more(failed.length - named.length) : null;
  const one = failed.length === 1 ? items.filter(({ name, state }) => name === failed[0] && isOver(state)).at(-1) : undefined;
  const why = [more, one && uploadsView.why(one)].filter(Boolean).join(' ');
  liveRegion.say(strings.said.finished(batchView.counts(batch), named, why), TOPIC);
}

function canBeCancelled({ state }) {
  return state.phase === 'queued' || isInFlight(state);
}

function showFiles() {
  const owned = uploads.owned;
  const records = listSync.list.records.filter(({ id }) => !owned.has(id) && !interrupted.owns(id));
  records.filter((record) => !isFinal(record)).forEach(({ id }) => poller.watch(id));
  lookAtUse();
  const arranged = listTools.arrange(records);
  filesView.render(arranged, { fresh, others }, now());
  listTools.show(arranged, listSync.list.isComplete);
  const isEmpty = records.length === 0;
  if (listSync.isLoaded) {
    rememberFiles(!isEmpty);
  }
  byId('files-list').hidden = arranged.shown.length === 0;
  byId('files-empty').hidden = !(isEmpty && listSync.isLoaded && listSync.list.isComplete);
  byId('files-loading').hidden = listSync.isLoaded || listSync.isFailing;
  showListTrouble();
  byId('files-more').hidden = !listSync.isLoaded || listSync.list.isComplete;
  byId('load-more').hidden = listSync.isFull;
  byId('list-full').hidden = !listSync.isFull;
  byId('load-more').disabled = listSync.isGettingOlder;
  const words = listTools.isPlain ? strings : { loadMore: strings.find.older, loadingMore: strings.find.looking };
  setText(byId('load-more'), listSync.isGettingOlder ? words.loadingMore : words.loadMore);
}

function showListTrouble() {
  const { text, operator } = explain(listSync.problem, format);
  // Of being signed out the page has a notice of its own.
  byId('list-notice').hidden = !listSync.isFailing || listSync.problem?.code === 'signedOut';
  setText(byId('list-trouble'), [text, strings.listUnreachable].filter(Boolean).join(' '));
  fillOperator(listOperator, operator);
}

function putBatchAway() {
  isPutAway = true;
  byId('uploads-note').hidden = true;
  showUploads();
  byId('choose-files').focus();
}

function dismiss(item) {
  uploads.dismiss(item);
  uploadsView.remove(item);
  showUploadsSoon();
  // A record that it leaves behind is a file in the list like any other.
  showFiles();
}

async function copyLinks(ids) {
  const made = await links.ofAll(ids);
  if (made.type !== 'linked') {
    const { text } = explain(made.problem ?? made.cause, format);
    liveRegion.show([strings.noLink, text].filter(Boolean).join(' '));
    return;
  }
  const text = made.urls.map((url) => shared.linkOf(url)).join('\n');
  await copy(text, ids.length === 1 ? strings.copied : strings.linksCopied(ids.length));
}

function sayTrouble(problem) {
  // Of being signed out the page has a notice of its own.
  if (problem.code !== 'signedOut') {
    liveRegion.show(explain(problem, format).text);
  }
}

async function copy(text, done) {
  if (await copyText(text)) {
    liveRegion.show(done);
  } else {
    showText({ title: strings.copyByHand, text, close: strings.close });
  }
}

async function removeFile(record) {
  const { id } = record;
  const name = nameOf(record);
  const kept = keptUntil(record, Date.now());
  if (holdOf(record) || kept !== null) {
    liveRegion.show(strings.removeRefused(name, holdOf(record) ? strings.why.held : strings.why.keptUntil(format.exactTime(kept))));
    return;
  }
  const isWanted = await ask({
    title: strings.removeTitle,
    text: strings.removeText(name),
    yes: strings.remove,
    no: strings.keep,
  });
  if (!isWanted) {
    return;
  }
  const answer = await listSync.remove(id);
  if (answer.type === 'deleted') {
    poller.forget(id);
    interrupted.gone(id);
    liveRegion.show(strings.removed(name));
  } else if (['held', 'retained'].includes(answer.problem?.code)) {
    // Since the list was read.
    liveRegion.show(strings.removeRefused(name, strings.why[answer.problem.code]));
    void listSync.refresh();
  } else {
    liveRegion.show(strings.removeFailed(name));
  }
}

// What few people need comes when they do.
async function showUse({ type, quota }) {
  if (type !== 'session') {
    return;
  }
  if (quota !== null && useLine === null) {
    const module = await fetchModule('use_line.js').catch(() => null);
    useLine ??= module && new module.UseLine(byId('use'), { strings, format, ask: () => shared.look(), after });
  }
  useLine?.show(quota);
  lookAtUse();
}

// What is in the list now, so that it is noticed when that changes.
function lookAtUse() {
  if (listSync.isLoaded) {
    useLine?.look(listSync.list.records);
  }
}

let tokens = null;

async function openTokens() {
  const module = await fetchModule('tokens_dialog.js').catch(() => null);
  const why = ({ cause, problem }) => explain(cause ?? problem, format).text;
  tokens ??= module && new module.TokensDialog({ api, format, strings, why });
  if (tokens === null) {
    liveRegion.show(strings.qr.unreachable);
  } else if (!session.isOut) {
    void tokens.open();
  }
}

function removeFiles(records) {
  return deleteMany(records, { strings, format }, { remove: (id) => api.remove(id), gone: forgetFile, say: (text) => liveRegion.show(text), after });
}

function forgetFile(id) {
  listSync.forget(id);
  poller.forget(id);
  interrupted.gone(id);
}

// How many drops are being compared with what was interrupted.
let looking = 0;

async function takeFiles({ files, isCut, unreadable }) {
  // A drop finds the page also where it shows no place for one.
  if (session.isOut) {
    liveRegion.show(strings.signIn.first);
    return;
  }
  if (isGuest()) {
    liveRegion.show(strings.guest.first);
    return;
  }
  makeRoom();
  looking += 1;
  const others = await interrupted.take(files).finally(() => (looking -= 1));
  const taken = uploads.add(others);
  const begun = taken + files.length - others.length;
  if (begun > 0) {
    liveRegion.say(strings.said.started(begun), TOPIC);
  }
  unreadable.forEach((name) => liveRegion.show(strings.folderUnreadable(name)));
  if (isCut || taken < others.length) {
    // It stays until it was read, since what isn't taken would be missed late.
    byId('uploads-note').textContent = strings.tooMany(format.count(MAX_QUEUED));
    byId('uploads-note').hidden = false;
    liveRegion.say(strings.tooMany(format.count(MAX_QUEUED)));
  } else if (files.length === 0 && unreadable.length === 0) {
    liveRegion.show(strings.nothingInside);
  }
}

function pastedName() {
  return strings.pastedName(new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-'));
}

function wake() {
  uploads.wake();
  poller.wake();
  if (!document.hidden) {
    refreshList();
  }
}

function refreshList() {
  if (!isGuest()) {
    void listSync.refresh();
  }
}

function start() {
  beginHeadline();
  fillIn(strings);
  const limit = format.size(maxUploadBytes);
  byId('drop-hint').textContent = strings.dropHint(limit);
  byId('drop-hint-touch').textContent = strings.dropHintTouch(limit);
  openDropZone({ max: MAX_QUEUED, pastedName, onFiles: takeFiles });
  byId('cancel-all').addEventListener('click', () => {
    uploads.cancelAll();
    // What had no row yet leaves none.
    uploads.items.filter((item) => !uploadsView.has(item)).forEach((item) => uploads.dismiss(item));
    showUploadsSoon();
  });
  byId('clear-over').addEventListener('click', () =>
    uploads.items.filter(({ state }) => isOver(state)).forEach(dismiss),
  );
  byId('show-tokens').addEventListener('click', () => void openTokens());
  byId('load-more').addEventListener('click', () => {
    const isPlain = listTools.isPlain;
    void (isPlain ? listSync.older({ isByHand: true }) : listSync.allOlder(() => !listTools.isPlain));
  });
  byId('everybodys').addEventListener('change', ({ target }) => void listSync.showAll(target.checked));
  byId('list-notice').append(listOperator);
  byId('list-full').textContent = strings.listFull(format.count(MAX_LISTED));
  // Whoever looks for something is told how far that went, and asks for more.
  getOlderAhead(byId('files-more'), { isWanted: () => listTools.isPlain, older: () => listSync.older(), after });
  window.addEventListener('beforeunload', (event) => {
    if (uploads.isBusy || looking > 0) {
      event.preventDefault();
      // What older browsers need; none shows the text any more.
      event.returnValue = strings.leave;
    }
  });
  window.addEventListener('online', wake);
  document.addEventListener('visibilitychange', wake);
  document.addEventListener('visibilitychange', () => void screenLock.renew());
  setInterval(() => {
    showInterrupted();
    showFiles();
  }, TIMES_EVERY_MS);
  showFiles();
  void isIn.then(() => {
    refreshList();
    return isGuest() ? null : lookForInterrupted();
  });
}

async function lookForInterrupted() {
  await interrupted.begin();
  const count = interrupted.items.length + interrupted.notBegun.count;
  if (count > 0) {
    liveRegion.say(strings.interrupted.said(count));
  }
}

start();
