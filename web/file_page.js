// The page of one file, which people pass on: waits while the file is on its way, and hands it over.
//
// Invariant: a download begins by itself only for somebody who has waited for it here. Only the service's word
// ends the waiting: in a state that isn't known, and while something else answers, the page goes on asking. What is
// shown has the same elements as what the service wrote in its place (src/web_page/file_page.rs).

import { LiveRegion } from './live_region.js';
import { backOff } from './back_off.js';
import { copyText } from './copy.js';
import { showText } from './dialog.js';
import { askFirst } from './download.js';
import { breakable, byId, fillIn, h, icon, tile } from './dom.js';
import { Format } from './format.js';
import { explain, fillOperator, operatorPart } from './explain.js';
import { locale, ofLanguage, strings } from './language.js';
import { fetchModule } from './late.js';
import { Links } from './links.js';
import { endOf, isFinal, nameOf, otherContentOf, standing } from './record.js';
import { savedAs, shellWord } from './saved_name.js';
import { qrButton, showQr } from './qr_dialog.js';
import { openShareAddress } from './share_notice.js';
import { openSession } from './sign_in.js';
import { strings as de } from './strings.file.de.js';
import { strings as en } from './strings.file.en.js';

const LONG_WAIT_S = 20;
// What a card has, whether the service wrote it or this page.
const DOWNLOAD = 'a[download]';
const CHECKS = 'details:not(.operator)';
const CHECKS_TITLE = `${CHECKS} > summary`;

const base = new URL(document.documentElement.dataset.base, location.href);
// What stands behind it belongs to the text that the link was copied from.
const id = /\/f\/([^/]*?)(?:[.)>,]|%3E)*\/?$/i.exec(location.pathname)?.[1] ?? '';
const words = ofLanguage([en, de]).file;
const format = new Format({ strings, locale });
const liveRegion = new LiveRegion(byId('said'), byId('toast'));
// Ends the pause that is being made.
let wake = () => {};
const { api, isIn } = openSession({ base, liveRegion, wake: () => wake() });
const shared = openShareAddress({ base, api, isIn, root: byId('share-notice') });
const links = new Links(api);

// What somebody opened stays open, and the keyboard where it is: the service's own card may have been there for long.
function show(state, ...children) {
  const card = byId('card');
  const isOpen = card.querySelector(CHECKS)?.open ?? false;
  const focused = [CHECKS_TITLE, DOWNLOAD].find((selector) => card.querySelector(selector)?.matches(':focus'));
  card.dataset.state = state;
  card.setAttribute('aria-busy', String(['pending', 'processing', 'unreachable'].includes(state)));
  // What there is nothing of would be written as null.
  card.replaceChildren(...children.filter((child) => child !== null));
  const checks = card.querySelector(CHECKS);
  if (checks && isOpen) {
    checks.open = true;
  }
  if (focused) {
    card.querySelector(focused)?.focus();
  }
}

function head(record) {
  const name = nameOf(record);
  document.title = strings.title(name);
  const created = Date.parse(record.createdAt);
  return [
    tile(name, record.contentType),
    h('h1', { dir: 'auto', title: name }, ...breakable(name)),
    h(
      'p',
      { className: 'meta' },
      h('span', { title: format.exactSize(record.size) }, format.size(record.size)),
      h(
        'time',
        { dateTime: record.createdAt, title: format.exactTime(created) },
        words.shared(format.when(created, Date.now())),
      ),
    ),
    end(record),
  ];
}

// When the file goes, for whoever has to fetch it before; null if it stays.
function end(record) {
  const at = endOf(record);
  if (at === null || !['available', 'pending', 'processing'].includes(standing(record))) {
    return null;
  }
  const time = h('time', { dateTime: record.deleteAfter }, words.deletedOn(format.exactTime(at)));
  return h('p', { className: 'soft' }, time);
}

function message(title, text) {
  return [h('h2', {}, title), h('p', { className: 'soft' }, text)];
}

async function copy(text, done) {
  if (await copyText(text)) {
    liveRegion.show(done);
  } else {
    showText({ title: strings.copyByHand, text, close: strings.close });
  }
}

async function copyLink() {
  const made = await links.of(id);
  if (made.type === 'linked') {
    await copy(shared.linkOf(made.url), strings.copied);
    return;
  }
  const { text } = explain(made.problem ?? made.cause, format);
  liveRegion.show([strings.noLink, text].filter(Boolean).join(' '));
}

function sayTrouble(problem) {
  // Of being signed out the page has a notice of its own.
  if (problem.code !== 'signedOut') {
    liveRegion.show(explain(problem, format).text);
  }
}

// What few people ask for comes when they do. Null if it doesn't come, which people are told.
async function late(loading) {
  try {
    return await loading;
  } catch {
    sayTrouble({ code: 'unreachable' });
    return null;
  }
}

async function openReceipt() {
  const module = await late(fetchModule('receipt.js'));
  if (module === null) {
    return;
  }
  const { showReceipt } = module;
  const answer = await api.receipt(id);
  if (answer.type === 'receipt') {
    showReceipt(answer.text, { strings, format, say: (sentence) => liveRegion.show(sentence) });
    return;
  }
  if (answer.type === 'gone') {
    liveRegion.show(words.goneTitle);
    return;
  }
  sayTrouble(answer.cause ?? answer.problem ?? { code: 'unreachable' });
}

let areChecksThere = false;

async function fillInChecks(place, record) {
  if (areChecksThere) {
    return;
  }
  areChecksThere = true;
  const modules = await late(Promise.all([fetchModule('check_file.js'), fetchModule('receipt.js')]));
  if (modules === null) {
    areChecksThere = false;
    return;
  }
  const [{ fileCheck }, { receiptCheck }] = modules;
  const keys = () => api.receiptKeys();
  const server = new URL('.', base).href.replace(/\/$/, '');
  place.append(...fileCheck(record, { strings }), ...receiptCheck(record, { strings, format, keys, server }));
}

function showAvailable(record, hasWaited) {
  const download = h(
    'a',
    { className: 'button primary large', href: api.downloadOf(id), download: '' },
    icon('download'),
    h('span', {}, strings.download),
  );
  download.addEventListener('click', askFirst(() => api.look(id), sayTrouble));
  const link = h(
    'button',
    { type: 'button', className: 'large', onclick: copyLink },
    icon('link'),
    h('span', {}, strings.copyLink),
  );
  const receipt = h(
    'button',
    { type: 'button', className: 'large', onclick: openReceipt },
    h('span', {}, words.receipt),
  );
  const check = h('div', { className: 'check' });
  const checks = h('details', { ontoggle: () => fillInChecks(check, record) }, h('summary', {}, words.check), check);
  check.append(
    h('p', {}, words.checkText),
    h('code', { className: 'digest' }, record.sha256),
    h('code', { dir: 'ltr' }, words.checkCommand(shellWord(savedAs(nameOf(record))))),
    h(
      'button',
      { type: 'button', onclick: () => copy(record.sha256, strings.digestCopied) },
      words.copyDigest,
    ),
  );
  show(
    'available',
    ...head(record),
    h('div', { className: 'card-buttons' }, download, link, receipt, qrButton(() => showQr(shared.pageOf(id), shared.isForNobodyElse))),
    h('p', { className: 'soft', hidden: !hasWaited }, words.started),
    checks,
  );
  if (hasWaited) {
    liveRegion.say(words.started);
    download.click();
  }
}

function whyRejected(record) {
  const otherContent = otherContentOf(record);
  return otherContent === null
    ? (strings.why[record.reasonCode] ?? words.rejectedText(record.reason ?? strings.why.unsaid))
    : words.otherContentText(otherContent);
}

function showEnd(record, hasWaited) {
  switch (record.status) {
    case 'available':
      showAvailable(record, hasWaited);
      return;
    case 'rejected':
      show('rejected', ...head(record), ...message(words.rejectedTitle, whyRejected(record)));
      break;
    case 'withdrawn':
      show('withdrawn', ...head(record), ...message(words.withdrawnTitle, words.withdrawnText(record.reason ?? strings.why.unsaid)));
      break;
    default:
      show('expired', ...head(record), ...message(words.expiredTitle, words.expiredText));
  }
  liveRegion.say(byId('card').querySelector('h2').textContent);
}

function showWaiting(record) {
  const [title, text] =
    standing(record) === 'pending'
      ? [words.pendingTitle, words.pendingText]
      : [words.processingTitle, words.processingText];
  show(standing(record), ...head(record), h('progress', { 'aria-label': title }), ...message(title, text));
  liveRegion.say([title, text].join('. '));
}

function showUnreachable({ cause, problem }) {
  const { text, operator } = explain(cause ?? problem ?? null, format);
  const { unreachableTitle, unreachableText } = words;
  const part = operatorPart();
  fillOperator(part, operator);
  show('unreachable', ...message(unreachableTitle, [text, unreachableText].filter(Boolean).join(' ')), part);
}

// Until `ms` have passed, or the network is back, or somebody looks again.
function pause(ms) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener('online', end);
      document.removeEventListener('visibilitychange', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    wake = end;
    window.addEventListener('online', end);
    document.addEventListener('visibilitychange', end);
  });
}

async function follow() {
  // What people were shown: nothing, `unreachable`, or what the file's record came to.
  let shown = null;
  let hasWaited = false;
  let failures = 0;
  // Answers in a row that the service didn't wait for, since it waits for the end of `pending` only.
  let turns = 0;
  for (;;) {
    const startedAt = Date.now();
    const event = await api.look(id, hasWaited && failures === 0 ? LONG_WAIT_S : 0);
    if (event.type === 'seen' && isFinal(event.record)) {
      showEnd(event.record, hasWaited);
      return;
    }
    if (event.type === 'gone') {
      show('gone', ...message(words.goneTitle, words.goneText));
      return;
    }
    if (event.type === 'seen') {
      failures = 0;
      const now = standing(event.record);
      turns = now === 'processing' ? turns + 1 : 0;
      if (now !== shown) {
        showWaiting(event.record);
        shown = now;
      }
      // The first look doesn't wait, and neither does one that is to show whether the service is back.
      await pause(hasWaited ? backOff(turns) - (Date.now() - startedAt) : 0);
      hasWaited = true;
    } else {
      failures += 1;
      if (!hasWaited) {
        showUnreachable(event);
        shown = 'unreachable';
      }
      await pause(backOff(failures - 1));
    }
  }
}

fillIn(strings);
void isIn.then(follow);
