// The page at `/boxes`: one's boxes, and what was handed in into one of them.
//
// Invariant: what is shown is what the service said last. Which box is shown stands in the fragment of the address, by an
// ID that is no secret, so that a reload and a bookmark lead back to it.

import { BoxView } from './box_view.js';
import { chipOf, timesLine } from './box_parts.js';
import { words } from './box_words.js';
import { BoxesApi } from './boxes_api.js';
import { byId, fillIn, h } from './dom.js';
import { explain } from './explain.js';
import { Format } from './format.js';
import { locale, strings } from './language.js';
import { fetchModule } from './late.js';
import { LiveRegion } from './live_region.js';
import { openShareAddress } from './share_notice.js';
import { openSession } from './sign_in.js';

const { boxes: said } = words;
const BOX_ID = /^#([0-9a-f]{28})$/;
const REFRESH_MS = 30_000;

const base = new URL(document.documentElement.dataset.base, location.href);
const maxBytes = Number(document.querySelector('meta[name="max-upload-bytes"]').content);
const format = new Format({ strings, locale });
const liveRegion = new LiveRegion(byId('said'), byId('toast'));
const { api: files, session, isIn, isGuest } = openSession({ base, liveRegion, wake: () => void refresh() });
const api = new BoxesApi(base, session);
const shared = openShareAddress({ base, api: files, isIn, root: byId('share-notice'), onChange: () => view.showAddress() });
const view = new BoxView({ api, files, shared, format, liveRegion, openForm, whyOf, say, leave });

// The boxes that are known, the newest first; null until the service has said which there are.
let boxes = null;
let nextCursor = null;

const chosen = () => BOX_ID.exec(location.hash)?.[1] ?? null;

// Why something came to nothing, for a person. Of being signed out the page has a notice of its own.
function whyOf(event) {
  const problem = event.cause ?? event.problem ?? null;
  if (problem?.code === 'signedOut') {
    return '';
  }
  return explain(problem, format).text || said.unreachable;
}

// What is wrong, with a way to try again; '' if nothing is.
function say(text) {
  byId('trouble-text').textContent = text;
  byId('trouble').hidden = text === '';
}

function leave() {
  boxes = null;
  location.hash = '';
}

async function openForm(box, send) {
  const module = await fetchModule('box_form.js').catch(() => null);
  if (module === null) {
    liveRegion.show(said.unreachable);
    return;
  }
  const canSignIn = document.documentElement.dataset.signIn === 'oidc';
  module.openBoxForm(box, { said: said.form, maxBytes, format, canSignIn, now: () => api.now, send });
}

function make() {
  void openForm(null, async (wanted) => {
    const event = await api.make(wanted);
    if (event.type !== 'box') {
      return whyOf(event);
    }
    boxes = [event.box, ...(boxes ?? [])];
    location.hash = event.box.id;
    liveRegion.show(said.made);
    return '';
  });
}

function rowOf(box) {
  return h(
    'li',
    { className: 'row box-row', dataset: { id: box.id } },
    h(
      'div',
      { className: 'row-text' },
      h('p', { className: 'row-line' }, h('a', { href: `#${box.id}`, dir: 'auto' }, box.title), chipOf(box, api.now)),
      h('p', { className: 'meta' }, timesLine(box, format)),
    ),
  );
}

function showList() {
  const all = boxes ?? [];
  byId('boxes-list').replaceChildren(...all.map(rowOf));
  byId('boxes-list').hidden = all.length === 0;
  byId('boxes-loading').hidden = boxes !== null || !byId('trouble').hidden;
  byId('boxes-empty').hidden = boxes === null || all.length > 0 || nextCursor !== null;
  byId('boxes-more').hidden = nextCursor === null;
}

async function getList(cursor = null) {
  const event = await api.list(cursor);
  if (event.type === 'page') {
    boxes = cursor === null ? event.boxes : [...(boxes ?? []), ...event.boxes];
    nextCursor = event.nextCursor;
  }
  if (chosen() === null) {
    say(event.type === 'page' ? '' : whyOf(event));
    showList();
  }
}

// Shows what the address names.
async function show({ isNew = true } = {}) {
  const id = chosen();
  byId('all').hidden = id !== null;
  byId('one').hidden = id === null;
  if (isNew) {
    say('');
  }
  if (id === null) {
    view.close();
    document.title = strings.title(said.title);
    showList();
    await getList();
  } else {
    await view.open(id, (boxes ?? []).find((box) => box.id === id) ?? null);
  }
}

async function refresh() {
  if (document.hidden || isGuest()) {
    return;
  }
  await (chosen() === null ? getList() : view.refresh());
}

function start() {
  if (isGuest()) {
    return;
  }
  byId('make').addEventListener('click', make);
  byId('make').hidden = false;
  byId('more-boxes').addEventListener('click', () => void getList(nextCursor));
  byId('try-again').addEventListener('click', () => void show());
  byId('back').addEventListener('click', () => byId('all-title').focus());
  window.addEventListener('hashchange', () => void show());
  document.addEventListener('visibilitychange', () => void refresh());
  setInterval(() => void refresh(), REFRESH_MS);
  void show();
}

fillIn({ ...strings, ...words });
void isIn.then(start);
