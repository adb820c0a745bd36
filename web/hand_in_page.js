// The page of a box, where people hand in files without an account: puts the parts together.
//
// Invariant: data goes one way, as in the page at `/`, with the same uploads. Only the service's word that a file is
// available makes it one that is handed in. What the box takes is asked again and again, since its owner may change it.

import { alsoExplain, explain } from './explain.js';
import { words } from './box_words.js';
import { backOff } from './back_off.js';
import { isTaking } from './deadline.js';
import { ask } from './dialog.js';
import { sha256 } from './digest.js';
import { byId, fillIn, h, setText } from './dom.js';
import { DropApi } from './drop_api.js';
import { openDropZone } from './drop_zone.js';
import { Format } from './format.js';
import { HandInCard } from './hand_in_card.js';
import { HandInName } from './hand_in_name.js';
import { HandInOwn } from './hand_in_own.js';
import { HandIns, OwnName } from './hand_ins.js';
import { openInterrupted } from './interrupted_panel.js';
import { locale, strings } from './language.js';
import { openLanguageSwitch } from './language_switch.js';
import { fetchModule } from './late.js';
import { LiveRegion } from './live_region.js';
import { PendingPoller } from './pending_poller.js';
import { put } from './put.js';
import { ScreenLock } from './share.js';
import { signInAt } from './sign_in_address.js';
import { after, newName, now, reach } from './upload_ports.js';
import { Uploads } from './uploads.js';
import { UploadsView } from './uploads_view.js';
import { refusal } from './validation.js';

// What one page takes at a time; a box is no place for a disk.
const MAX_AT_ONCE = 100;
const TICK_MS = 1000;
// How often it is asked what the box takes, as long as somebody looks.
const REFRESH_MS = 60_000;
const TOPIC = 'hand-in';
// Of what arrived, so many are looked at when the page is opened, the newest first.
const MAX_LOOKED_AT = 20;
// By these a box says that it isn't as it was when the page asked.
const IS_OTHER = new Set(['boxGone', 'boxClosed', 'typeNotAllowed', 'tooLargeForBox']);

const { handIn } = words;
const base = new URL(document.documentElement.dataset.base, location.href);
// The last of that form, since the service may lie below a path.
const box = /\/b\/+([\w-]+)[^/]*\/*$/.exec(location.pathname)?.[1] ?? '';
const storage = storageOf();
const format = new Format({ strings, locale });
const liveRegion = new LiveRegion(byId('said'), byId('toast'));
const screenLock = new ScreenLock();

const handIns = new HandIns(storage, { place: base.pathname, box, now });
const ownName = new OwnName(storage, base.pathname);
const api = new DropApi(base, box, { of: (id) => handIns.tokenOf(id), keep: (entry) => handIns.keep(entry) });
// What the service said last of the box, or null.
let drop = null;
let isOpen = false;
// Whether only those hand in who have an extension.
let isExtended = false;

function storageOf() {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}

const poller = new PendingPoller({
  look: (id, wait, signal) => api.look(id, wait, signal),
  onSeen: (record) => {
    uploads.seen(record);
    interrupted.seen(record);
    settle(record);
  },
  onWaiting: (record) => {
    uploads.seen(record);
    interrupted.seen(record);
  },
  onGone: (id) => {
    uploads.gone(id);
    interrupted.gone(id);
    forget(id);
  },
  now,
  after,
  isPaused: () => document.hidden,
});

const uploads = new Uploads(
  {
    api: {
      create,
      renew: async (id) => heard(await api.renew(id)),
      look: (id) => api.look(id),
      complete: (id) => api.complete(id),
      remove: (id) => {
        forget(id);
        return api.remove(id);
      },
    },
    put,
    sha256,
    refusal: whyNot,
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
  { place: `${base.pathname}b/${box.slice(0, 18)}`, strings, format },
  {
    owner: () => '',
    now,
    after,
    newName,
    look: (id) => api.look(id),
    watch: (id) => poller.watch(id),
    sha256,
    resume: (upload) => uploads.resume(upload),
    held: () => uploads.items.map(({ state }) => state.id).filter(Boolean),
    // Nobody takes back what was begun: it expires by itself.
    remove: ({ id }) => {
      interrupted.gone(id);
      forget(id);
    },
    onChange: showAll,
  },
);

const card = new HandInCard(format, onStanding);
const name = new HandInName(ownName, { take: send, again: tryAgain });
const own = new HandInOwn(format, { receipt: openReceipt, forget: forgetAll });
const uploadsView = new UploadsView(
  byId('uploads-list'),
  { strings, format },
  { cancel: (item) => uploads.cancel(item), retry: (item) => uploads.retry(item), dismiss },
);

async function create(wanted) {
  if (name.isWrong) {
    return { type: 'refused', problem: { code: 'wrongPassword' } };
  }
  const { password } = name;
  const event = heard(await api.create({ ...wanted, submitter: name.name, password }));
  if (event.problem?.code === 'wrongPassword') {
    name.refuse(password);
  }
  return event;
}

// What the page shows of the box is asked for again where an answer doesn't fit to it.
function heard(event) {
  if (IS_OTHER.has(event.problem?.code) && !isLooking) {
    void look();
  }
  return event;
}

// As the service will judge it, so that nobody waits for that.
function whyNot(file) {
  const { types = [], maxFileBytes = Number.MAX_SAFE_INTEGER } = drop ?? {};
  const ending = /\.([^.]*)$/.exec(file.name)?.[1].toLowerCase() ?? '';
  const isOfKind = types.length === 0 || types.includes(ending);
  return isOfKind ? refusal(file, maxFileBytes) : { code: 'typeNotAllowed' };
}

function onUpload(item) {
  const { phase, record } = item.state;
  kept.follow(item);
  if (phase === 'available') {
    uploads.dismiss(item);
    uploadsView.remove(item);
    settle(record);
  } else {
    uploadsView.update(item);
  }
  showAll();
}

// What its record came to: only then it is handed in, or isn't.
function settle(record) {
  if (record.status !== 'available') {
    forget(record.id);
    return;
  }
  const isNew = handIns.open.includes(record.id);
  if (handIns.arrive(record) && isNew) {
    const time = format.exactTime(Date.parse(record.uploadedAt));
    liveRegion.show(handIn.saidIn(record.displayName ?? record.filename, time));
  }
  showAll();
}

// What will never arrive; what did stays.
function forget(id) {
  if (handIns.open.includes(id)) {
    handIns.forget(id);
  }
}

function showAll() {
  const { items, isBusy } = uploads;
  screenLock.want(isBusy);
  name.lock(isBusy);
  byId('uploads').hidden = items.length === 0;
  byId('forget').hidden = isBusy;
  uploadsView.fill(items);
  own.show(handIns, drop?.keep);
}

function dismiss(item) {
  uploads.dismiss(item);
  uploadsView.remove(item);
  showAll();
}

function onStanding(standing, isFirst) {
  isOpen = isTaking(standing);
  isExtended = standing === 'extended';
  setText(byId('name-hint'), isExtended ? handIn.extendedHint : handIn.nameHint);
  byId('give').hidden = !isOpen;
  byId('way-on').replaceChildren();
  if (!isFirst) {
    liveRegion.say(handIn.standing[standing], TOPIC);
  }
}

function takeFiles({ files, isCut, unreadable }) {
  unreadable.forEach((folder) => liveRegion.show(strings.folderUnreadable(folder)));
  if (!isOpen) {
    liveRegion.show(words.refusals.boxClosed);
  } else if (files.length === 0) {
    liveRegion.show(strings.nothingInside);
  } else {
    void hold(files);
  }
  if (isCut) {
    liveRegion.show(handIn.tooManyAtOnce(format.count(MAX_AT_ONCE)));
  }
}

// Where one file of each person counts, whoever gives several hears that before they are sent.
async function hold(files) {
  const isMeant =
    drop?.keep !== 'latest' ||
    files.length === 1 ||
    (await ask({ title: handIn.severalTitle(files.length), text: handIn.severalText, yes: handIn.severalYes, no: handIn.severalNo }));
  if (isMeant && name.allows(files)) {
    await send(files);
  }
}

// The password was corrected: what it was asked for goes on.
function tryAgain() {
  const refused = uploads.items.filter(({ state }) => state.phase === 'failed' && state.problem?.code === 'wrongPassword');
  refused.forEach((item) => uploads.retry(item));
}

async function send(files) {
  const others = await interrupted.take(files);
  uploads.add(others);
  liveRegion.say(strings.said.started(files.length), TOPIC);
  byId('uploads').scrollIntoView({ block: 'nearest' });
}

async function openReceipt(id) {
  const [answer, module] = await Promise.all([api.receipt(id), fetchModule('receipt.js').catch(() => null)]);
  if (answer.type === 'receipt' && module !== null) {
    module.showReceipt(answer.text, { strings, format, say: (sentence) => liveRegion.show(sentence) });
    return;
  }
  if (answer.type === 'gone') {
    handIns.mark(id, true);
    showAll();
  }
  const why = answer.type === 'gone' ? handIn.isGone : explain(answer.cause ?? answer.problem ?? null, format).text;
  liveRegion.show(why || strings.qr.unreachable);
}

async function forgetAll() {
  const isWanted = await ask({ title: handIn.forgetTitle, text: handIn.forgetText, yes: handIn.forgetYes, no: handIn.forgetNo });
  if (isWanted) {
    handIns.forgetAll();
    ownName.forget();
    name.clear();
    showAll();
    byId('title').focus();
  }
}

// Whether what was handed in is there still, which whoever asked for it may have deleted.
async function lookAtOwn() {
  for (const { id } of handIns.arrived.slice(0, MAX_LOOKED_AT)) {
    const event = await api.look(id);
    if (event.type === 'lost') {
      return;
    }
    if (['seen', 'gone'].includes(event.type) && handIns.mark(id, event.type === 'gone')) {
      showAll();
    }
  }
}

let failures = 0;
let isLooking = false;
let cancelAsking = () => {};

// What the box takes now; and again after a while.
async function look() {
  cancelAsking();
  isLooking = true;
  const event = await api.describe();
  isLooking = false;
  failures = event.type === 'lost' ? failures + 1 : 0;
  cancelAsking();
  cancelAsking = after(failures > 0 ? backOff(failures - 1) : REFRESH_MS, () => void (document.hidden ? null : look()));
  show(event);
}

function show(event) {
  switch (event.type) {
    case 'drop':
      drop = event.drop;
      name.want({ name: drop.submitter === 'named', password: drop.needsPassword === true });
      byId('trouble').hidden = true;
      card.show(drop);
      showAll();
      return;
    case 'gone':
      closed('gone', handIn.goneTitle, handIn.goneText);
      return;
    case 'signIn':
      closed('signIn', handIn.signInTitle, ...waysIn());
      return;
    default: {
      // What is shown stays: it was true just now.
      const { text } = explain(event.cause ?? event.problem ?? null, format);
      setText(byId('trouble'), [handIn.unreachableTitle, text, handIn.unreachableText].filter(Boolean).join('. '));
      byId('trouble').hidden = false;
    }
  }
}

// Where somebody signs in who then comes back here.
function waysIn() {
  if (document.documentElement.dataset.signIn !== 'oidc') {
    return [handIn.noSignIn];
  }
  return [handIn.signInText, h('a', { className: 'button primary large', href: signInAt(base, location) }, handIn.signIn)];
}

function closed(state, title, text, ...more) {
  drop = null;
  isOpen = false;
  isExtended = false;
  byId('give').hidden = true;
  byId('trouble').hidden = true;
  card.say(state, title, text, ...more);
}

function wake() {
  uploads.wake();
  poller.wake();
  if (!document.hidden) {
    void look();
  }
}

function start() {
  fillIn({ ...strings, ...words });
  openLanguageSwitch(byId('language'));
  const kinds = () => (drop?.types ?? []).join(', ');
  const closedNow = () => (isExtended ? words.refusals.noExtension : words.refusals.boxClosed);
  alsoExplain({ ...words.refusals, boxClosed: closedNow, typeNotAllowed: () => words.refusals.typeNotAllowed(kinds()) });
  const pastedName = () => handIn.pastedName(new Date().toISOString().slice(0, 19).replace(/[:T]/g, '-'));
  openDropZone({ max: MAX_AT_ONCE, pastedName, onFiles: takeFiles });
  window.addEventListener('beforeunload', (event) => {
    if (uploads.isBusy) {
      event.preventDefault();
      // What older browsers need; none shows the text any more.
      event.returnValue = strings.leave;
    }
  });
  window.addEventListener('online', wake);
  document.addEventListener('visibilitychange', wake);
  document.addEventListener('visibilitychange', () => void screenLock.renew());
  setInterval(() => card.tick(), TICK_MS);
  showAll();
  void look();
  void interrupted.begin();
  // What was sent, and of which the page didn't hear that it arrived.
  handIns.open.forEach((id) => poller.watch(id));
  void lookAtOwn();
  showInterrupted();
}

start();
