// The page of a link: saves several files as one archive, and looks again while files are on their way.
//
// Invariant: the page is whole without this. It isn't left while an archive is made. Each file is taken by a grant of its own, asked for when its turn comes, with
// the page's key: so a file that is fetched in several goes, or again by its own button, counts once. The password stands
// in its field alone.
//
// Absent on purpose: the texts of the other pages, which are longer than all that this one loads.

import { fetchModule } from './late.js';
import { strings as de } from './strings.shared.de.js';
import { strings as en } from './strings.shared.en.js';

// While files are on their way the page looks again so often.
const LOOK_AGAIN_MS = 10_000;
const MAX_NAMED = 3;

const root = document.documentElement;
const said = ([en, de].find(({ language }) => language === root.lang) ?? en).shared.all;
const numbers = new Intl.NumberFormat(root.lang);
const token = /\/s\/+([\w-]+)/.exec(location.pathname)?.[1] ?? '';
const shared = new URL(`${root.dataset.base}/v1/shared/${token}`, location.href).href;
const form = document.querySelector('form');
const button = document.getElementById('all');
const status = document.getElementById('all-status');
// Of the archive that is being made, or null.
let controller = null;

function say(text) {
  if (status.textContent !== text) {
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
  const onProgress = (done, all) => say(said.under(numbers.format(done), numbers.format(all)));
  const outcome =
    module === null
      ? { type: 'failed' }
      : await module.saveLink({ shared, key, password, title, missingName: said.missingName }, { signal, onProgress });
  controller = null;
  show();
  say(sentence(outcome));
}

function sentence({ type, files = [], missing = [] }) {
  if (type !== 'saved') {
    return said.why[type] ?? said.why.failed;
  }
  const names = missing.slice(0, MAX_NAMED).map(({ displayName }) => displayName);
  const some = missing.length > 0 ? said.missing(numbers.format(missing.length), names.join(', ')) : null;
  return [said.saved(numbers.format(files.length - missing.length)), some].filter(Boolean).join('. ');
}

function lookAgain() {
  if (controller === null) {
    // Not what a form has sent.
    location.replace(location.href);
  } else {
    setTimeout(lookAgain, LOOK_AGAIN_MS);
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

// There is none where there is nothing to save at once.
if (button !== null) {
  offer();
}
if (form.dataset.waiting === 'true') {
  setTimeout(lookAgain, LOOK_AGAIN_MS);
}
