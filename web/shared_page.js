// The page of a link: saves several files as one archive, and looks again while files are on their way.
//
// Invariant: the page is whole without this. It isn't left while an archive is made. Each file is taken by a grant of its
// own, asked for when its turn comes, with the page's key: so a file that is fetched in several goes, or again by its own
// button, counts once. A page that looks again by itself has the key of the one before, so what was taken there doesn't
// count once more. The password stands in its field alone.
//
// Absent on purpose: the texts of the other pages, which are longer than all that this one loads.

import { fetchModule } from './late.js';
import { removeLeftOver } from './own_archives.js';
import { strings as de } from './strings.shared.de.js';
import { strings as en } from './strings.shared.en.js';

// While files are on their way the page looks again so often.
const LOOK_AGAIN_MS = 10_000;
const MAX_NAMED = 3;
// Why files aren't in an archive, in the order in which that is said.
const REASONS = ['taken', 'gone', 'failed'];
// What a page leaves for the one that it makes room for, in this tab.
const LEFT_AS = `file-share link ${location.pathname}`;

const root = document.documentElement;
const said = ([en, de].find(({ language }) => language === root.lang) ?? en).shared.all;
const numbers = new Intl.NumberFormat(root.lang);
// The last of that form, since the service may lie below a path.
const token = /\/s\/+([\w-]+)[^/]*\/*$/.exec(location.pathname)?.[1] ?? '';
const shared = new URL(`${root.dataset.base}/v1/shared/${token}`, location.href).href;
const form = document.querySelector('form');
const button = document.getElementById('all');
const status = document.getElementById('all-status');
// Of the archive that is being made, or null.
let controller = null;

function say(text) {
  if (status !== null && status.textContent !== text) {
    status.textContent = text;
  }
}

function show() {
  button.textContent = controller === null ? said.button : said.stop;
  form.querySelectorAll('button[name="file"], input[type="password"]').forEach((one) => (one.disabled = controller !== null));
}

async function save() {
  if (!form.reportValidity()) {
    return;
  }
  const { key, password } = Object.fromEntries(['key', 'password'].map((name) => [name, form.elements[name]?.value]));
  const title = document.getElementById('title').textContent;
  controller = new AbortController();
  const { signal } = controller;
  show();
  say(said.looking);
  const module = await fetchModule('shared_zip.js').catch(() => null);
  const isOnline = () => navigator.onLine;
  const onProgress = (done, all) => say(said.under(numbers.format(done), numbers.format(all)));
  const outcome =
    module === null
      ? { type: 'unread' }
      : await module.saveLink({ shared, key, password, title, missingName: said.missingName }, { signal, onProgress, isOnline });
  controller = null;
  show();
  say(sentence(outcome));
}

function sentence({ type, files = [], missing = [] }) {
  const of = (reason) => missing.filter(({ why }) => why === reason);
  if (type === 'saved') {
    const some = REASONS.filter((reason) => of(reason).length > 0).map((reason) => said.missing[reason](...named(of(reason))));
    return [said.saved(numbers.format(files.length - missing.length)), ...some].join(' ');
  }
  let why = type;
  if (type === 'nothing') {
    why = of('failed').length > 0 ? 'away' : of('taken').length > 0 ? 'taken' : 'nothing';
  }
  if (['away', 'unread'].includes(why) && !navigator.onLine) {
    why = 'offline';
  }
  return said.why[why] ?? said.why.failed;
}

// How many these are, and the first names of them.
function named(files) {
  const names = files.slice(0, MAX_NAMED).map(({ displayName }) => displayName);
  const more = files.length > names.length ? said.more(numbers.format(files.length - names.length)) : null;
  return [numbers.format(files.length), said.names(names, more)];
}

function lookAgain() {
  if (controller !== null) {
    setTimeout(lookAgain, LOOK_AGAIN_MS);
    return;
  }
  try {
    sessionStorage.setItem(LEFT_AS, JSON.stringify({ key: form.elements.key.value, text: status?.textContent ?? '' }));
  } catch {
    // The browser keeps nothing of this page.
  }
  // Not what a form has sent. With a fragment a browser would only move to a place in this page.
  location.replace(location.href.split('#')[0]);
}

// Takes over from the page before, if that looked again: nobody else finds anything.
function goOn() {
  try {
    const { key, text } = JSON.parse(sessionStorage.getItem(LEFT_AS)) ?? {};
    sessionStorage.removeItem(LEFT_AS);
    if (typeof key === 'string' && typeof text === 'string') {
      form.elements.key.value = key;
      say(text);
    }
  } catch {
    // The browser keeps nothing of this page.
  }
}

function offer() {
  button.addEventListener('click', () => {
    if (controller === null) {
      void save();
    } else {
      controller.abort();
    }
  });
  // Return in the password’s field would press the first file’s button, and take that alone.
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.target.type === 'password') {
      event.preventDefault();
      if (controller === null) {
        void save();
      }
    }
  });
  window.addEventListener('beforeunload', (event) => {
    if (controller !== null) {
      event.preventDefault();
    }
  });
  button.disabled = false;
}

goOn();
// There is none where there is nothing to save at once.
if (button !== null) {
  offer();
}
if (form.dataset.waiting === 'true') {
  setTimeout(lookAgain, LOOK_AGAIN_MS);
}
void removeLeftOver();
