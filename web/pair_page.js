// The page where people let a program in that shows them a code: they type the code, see what asks and from where,
// and say yes.
//
// Invariant: the code is typed here, and comes from no address, no storage and no other page: whoever sends somebody
// a link lets nobody in by it. Nothing is let in before it was looked at.

import { LiveRegion } from './live_region.js';
import { byId, fillIn, h, setText } from './dom.js';
import { explain } from './explain.js';
import { Format } from './format.js';
import { locale, ofLanguage, strings } from './language.js';
import { readCode } from './pairing_code.js';
import { openSession } from './sign_in.js';
import { strings as de } from './strings.pair.de.js';
import { strings as en } from './strings.pair.en.js';

const TITLE = 'pair-title';
const HINT = 'pair-hint';
const ERROR = 'pair-error';
const MINUTE_MS = 60_000;

const words = ofLanguage([en, de]).pair;
const base = new URL(document.documentElement.dataset.base, location.href);
const format = new Format({ strings, locale });
const liveRegion = new LiveRegion(byId('said'), byId('toast'));
const { api, isIn, isGuest } = openSession({ base, liveRegion, wake() {} });

// What is wrong, at whatever it is about; nothing as long as nothing is.
const error = h('p', { id: ERROR, className: 'error', role: 'alert', hidden: true });

function say(text) {
  setText(error, text);
  error.hidden = text === '';
}

// Why it came to nothing, for a person. Of being signed out the page has a notice of its own.
function why(event) {
  switch (event.type) {
    case 'unknown':
      return words.why.unknown;
    case 'tooMany':
      return words.why.tooMany(Math.max(1, Math.ceil(event.retryAfterMs / MINUTE_MS)));
    default: {
      const problem = event.cause ?? event.problem ?? null;
      return problem?.code === 'signedOut' ? '' : explain(problem, format).text || words.why.unreachable;
    }
  }
}

function show(state, title, ...children) {
  const heading = h('h1', { id: TITLE, tabIndex: -1 }, title);
  say('');
  byId('card').dataset.state = state;
  byId('card').replaceChildren(heading, ...children);
  document.title = strings.title(title);
  return heading;
}

// One at a time: what is pressed again meanwhile does nothing.
async function once(part, act) {
  if (part.ariaBusy !== 'true') {
    part.ariaBusy = 'true';
    try {
      await act();
    } finally {
      part.ariaBusy = 'false';
    }
  }
}

function showForm(typed = '', trouble = '') {
  const field = h('input', {
    id: 'pair-code',
    type: 'text',
    value: typed,
    autocomplete: 'off',
    autocapitalize: 'characters',
    spellcheck: false,
    maxLength: 32,
    'aria-describedby': `${HINT} ${ERROR}`,
  });
  const refuse = (text) => {
    say(text);
    field.setAttribute('aria-invalid', String(text !== ''));
    field.focus();
    field.select();
  };
  const form = h(
    'form',
    {
      noValidate: true,
      onsubmit: (event) => {
        // Nothing is sent as a form.
        event.preventDefault();
        void once(form, () => look(field.value, refuse));
      },
    },
    h('label', { htmlFor: field.id }, words.code),
    field,
    error,
    h('button', { type: 'submit', className: 'primary large' }, words.next),
  );
  show('code', words.title, h('p', { id: HINT, className: 'soft' }, words.hint), form);
  refuse(trouble);
}

async function look(typed, refuse) {
  const code = readCode(typed);
  if (code === null) {
    refuse(words.why.noCode);
    return;
  }
  const event = await api.waitingProgram(code);
  if (event.type === 'waiting') {
    showProgram(code, event);
  } else {
    refuse(why(event));
  }
}

function showProgram(code, { client, from, beganAt }) {
  const began = Date.parse(beganAt);
  const rows = [
    [words.client, h('bdi', {}, client)],
    [words.from, h('bdi', {}, from ?? words.fromUnknown)],
    [words.began, h('time', { dateTime: beganAt, title: format.exactTime(began) }, format.when(began, Date.now()))],
  ];
  const buttons = h(
    'div',
    { className: 'card-buttons' },
    h('button', { type: 'button', className: 'large', onclick: () => showForm() }, words.no),
    h(
      'button',
      { type: 'button', className: 'primary large', onclick: () => once(buttons, () => approve(code, client)) },
      words.yes,
    ),
  );
  const heading = show(
    'program',
    words.question,
    h('dl', {}, ...rows.flatMap(([term, value]) => [h('dt', {}, term), h('dd', {}, value)])),
    h('p', { className: 'soft' }, words.consequence),
    h('p', { className: 'warning' }, words.warning),
    error,
    buttons,
  );
  // Read aloud from its beginning, and one more press of the key that sent the code lets nobody in.
  heading.focus();
}

async function approve(code, client) {
  const event = await api.letIn(code);
  if (event.type === 'approved') {
    show('done', words.done, h('p', { className: 'soft' }, h('bdi', {}, client), words.goBack)).focus();
  } else if (event.type === 'unknown') {
    showForm('', why(event));
  } else {
    say(why(event));
  }
}

function start() {
  if (document.documentElement.dataset.session === 'open') {
    show('open', words.title, h('p', { className: 'soft' }, words.notNeeded));
  } else if (isGuest()) {
    show('guest', words.title, h('p', { className: 'soft' }, words.notForGuests));
  } else {
    showForm();
  }
}

fillIn(strings);
void isIn.then(start);
