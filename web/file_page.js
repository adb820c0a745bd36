// The page of one file, which people pass on: waits while the file is on its way, and hands it over.
//
// Invariant: a download begins by itself only for somebody who has waited for it here.

import { Announcer } from './announcer.js';
import { Api } from './api.js';
import { copyText } from './copy.js';
import { showText } from './dialog.js';
import { breakable, byId, fillIn, h, icon, tile } from './dom.js';
import { Format } from './format.js';
import { locale, strings } from './language.js';

const LONG_WAIT_S = 20;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
// A service that doesn't wait must not be asked again and again.
const MIN_TURN_MS = 1000;

const base = new URL(document.documentElement.dataset.base, location.href);
const id = location.pathname.split('/').pop();
const api = new Api(base);
const format = new Format({ strings, locale });
const announcer = new Announcer(byId('said'), byId('toast'));

function show(state, ...children) {
  const card = byId('card');
  card.dataset.state = state;
  card.setAttribute('aria-busy', String(state === 'pending' || state === 'unreachable'));
  card.replaceChildren(...children);
}

function head(record) {
  document.title = `${record.filename} – ${strings.product}`;
  const created = Date.parse(record.createdAt);
  return [
    tile(record.filename, record.contentType),
    h('h1', {}, ...breakable(record.filename)),
    h(
      'p',
      { className: 'meta' },
      h('span', { title: format.exactSize(record.size) }, format.size(record.size)),
      h(
        'time',
        { dateTime: record.createdAt, title: format.exactTime(created) },
        strings.file.shared(format.when(created, Date.now())),
      ),
    ),
  ];
}

function message(title, text) {
  return [h('h2', {}, title), h('p', { className: 'soft' }, text)];
}

async function copy(text, done) {
  if (await copyText(text)) {
    announcer.show(done);
  } else {
    showText({ title: strings.copyByHand, text, close: strings.close });
  }
}

function showAvailable(record, hasWaited) {
  const download = h(
    'a',
    { className: 'button primary large', href: api.downloadOf(id), download: '' },
    icon('download'),
    h('span', {}, strings.download),
  );
  const link = h(
    'button',
    { type: 'button', className: 'large', onclick: () => copy(api.pageOf(id), strings.copied) },
    icon('link'),
    h('span', {}, strings.copyLink),
  );
  show(
    'available',
    ...head(record),
    h('div', { className: 'card-buttons' }, download, link),
    h('p', { className: 'soft', hidden: !hasWaited }, strings.file.started),
    h(
      'details',
      {},
      h('summary', {}, strings.file.check),
      h(
        'div',
        { className: 'check' },
        h('p', {}, strings.file.checkText),
        h('code', { className: 'digest' }, record.sha256),
        h('code', {}, strings.file.checkCommand(record.filename)),
        h(
          'button',
          { type: 'button', onclick: () => copy(record.sha256, strings.digestCopied) },
          strings.file.copyDigest,
        ),
      ),
    ),
  );
  if (hasWaited) {
    announcer.say(strings.file.started);
    download.click();
  }
}

function showEnd(record, hasWaited) {
  const { file } = strings;
  switch (record.status) {
    case 'available':
      showAvailable(record, hasWaited);
      return;
    case 'rejected':
      show('rejected', ...head(record), ...message(file.rejectedTitle, file.rejectedText(record.reason)));
      return;
    default:
      show('expired', ...head(record), ...message(file.expiredTitle, file.expiredText));
  }
  announcer.say(byId('card').querySelector('h2').textContent);
}

function showPending(record) {
  show(
    'pending',
    ...head(record),
    h('progress', { 'aria-label': strings.file.pendingTitle }),
    ...message(strings.file.pendingTitle, strings.file.pendingText),
  );
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
    window.addEventListener('online', end);
    document.addEventListener('visibilitychange', end);
  });
}

async function follow() {
  let hasWaited = false;
  let failures = 0;
  for (;;) {
    const startedAt = Date.now();
    const event = await api.look(id, hasWaited ? LONG_WAIT_S : 0);
    if (event.type === 'seen' && event.record.status !== 'pending') {
      showEnd(event.record, hasWaited);
      return;
    }
    if (event.type === 'gone' || event.type === 'refused') {
      show('gone', ...message(strings.file.goneTitle, strings.file.goneText));
      return;
    }
    if (event.type === 'seen') {
      failures = 0;
      if (!hasWaited) {
        showPending(event.record);
        announcer.say(`${strings.file.pendingTitle}. ${strings.file.pendingText}`);
      } else {
        await pause(MIN_TURN_MS - (Date.now() - startedAt));
      }
      hasWaited = true;
    } else {
      failures += 1;
      if (!hasWaited) {
        show('unreachable', ...message(strings.file.unreachableTitle, strings.file.unreachableText));
      }
      await pause(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1)));
    }
  }
}

fillIn(strings);
void follow();
