// The form by which a box is made or changed. Loaded when somebody asks for it.
//
// Invariant: decides nothing about a box; what a field says is read in box_wanted.js. What was typed stays until the service
// has taken it.

import { fieldsOf, wantedOf } from './box_wanted.js';
import { open } from './dialog.js';
import { h, setText } from './dom.js';

// The box that there is, or null for a new one. `said` is what the form says, now() what time it is for the service. send(wanted) resolves to '' or to what the service has against it.
export function openBoxForm(box, { said, maxBytes, format, canSignIn, now, send }) {
  const given = fieldsOf(box);
  const parts = {};
  const mark = (name, fault) => {
    const { control, error } = parts[name];
    error.hidden = fault === '';
    setText(error, fault);
    control.setAttribute('aria-invalid', String(fault !== ''));
  };
  // An element to type into, under its label, with a hint and what is wrong with it.
  const field = (name, label, control, hint = null) => {
    const error = h('p', { id: `box-${name}-error`, className: 'error', role: 'alert', hidden: true });
    const about = hint === null ? null : h('p', { id: `box-${name}-hint`, className: 'soft' }, hint);
    control.id = `box-${name}`;
    control.setAttribute('aria-describedby', [about?.id, error.id].filter(Boolean).join(' '));
    parts[name] = { control, error };
    // What was wrong is being mended.
    control.addEventListener('input', () => mark(name, ''));
    return h('div', { className: 'field' }, h('label', { htmlFor: control.id }, label), control, about, error);
  };
  const text = (name, properties = {}) => h('input', { type: 'text', autocomplete: 'off', value: given[name], ...properties });
  const moment = (name) => h('input', { type: 'datetime-local', step: 1, value: given[name] });
  const choice = (name, texts) => {
    const select = h('select', {}, ...Object.entries(texts).map(([value, label]) => h('option', { value }, label)));
    select.value = given[name];
    return select;
  };
  const closes = field('closes', said.closes, moment('closes'));
  const after = choice('after', said.afters);
  const showCloses = () => (closes.hidden = after.value !== 'until');
  after.addEventListener('change', showCloses);
  showCloses();
  const submitter = field('submitter', said.submitter, choice('submitter', said.submitters));
  submitter.hidden = !canSignIn && given.submitter === 'named';
  const noPassword = h('input', { type: 'checkbox', id: 'box-no-password' });
  const takesAway = h('p', { className: 'check', hidden: box?.hasPassword !== true }, noPassword, h('label', { htmlFor: noPassword.id }, said.noPassword));
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const trouble = h('p', { className: 'error', role: 'alert', hidden: true });
  const form = h(
    'form',
    { className: 'box-form', noValidate: true },
    field('title', said.name, text('title', { maxLength: 200 }), said.nameHint),
    field('due', said.due, moment('due'), said.zone(zone)),
    field('after', said.after, after),
    closes,
    field('types', said.types, text('types', { spellcheck: false }), said.typesHint),
    field('size', said.size, text('size', { inputMode: 'decimal' }), said.sizeHint(format.size(maxBytes))),
    field('count', said.count, text('count', { inputMode: 'numeric' }), said.countHint),
    field('password', said.password, text('password', { spellcheck: false }), box?.hasPassword === true ? said.passwordThere : said.passwordHint),
    takesAway,
    submitter,
    field('keep', said.keep, choice('keep', said.keeps)),
    trouble,
    h(
      'div',
      { className: 'dialog-buttons' },
      h('button', { type: 'button', onclick: () => dialog.close() }, said.cancel),
      h('button', { type: 'submit', className: 'primary' }, box === null ? said.make : said.save),
    ),
  );
  const dialog = h(
    'dialog',
    { className: 'wide-dialog', 'aria-labelledby': 'box-form-title' },
    h('h2', { id: 'box-form-title' }, box === null ? said.title : said.change),
    form,
  );
  const show = (wrong) => {
    const faults = new Map(wrong);
    Object.keys(parts).forEach((name) => mark(name, faults.has(name) ? said.why[faults.get(name)] : ''));
    parts[wrong[0]?.[0]]?.control.focus();
  };
  form.addEventListener('submit', async (event) => {
    // Nothing is sent as a form.
    event.preventDefault();
    const fields = Object.fromEntries(Object.entries(parts).map(([name, { control }]) => [name, control.value]));
    const { wanted, wrong } = wantedOf({ ...fields, noPassword: noPassword.checked }, { maxBytes, box, now: now() });
    show(wrong);
    if (wrong.length > 0 || form.ariaBusy === 'true') {
      return;
    }
    form.ariaBusy = 'true';
    const why = await send(wanted);
    form.ariaBusy = 'false';
    if (why === '') {
      dialog.close();
    } else {
      setText(trouble, why);
      trouble.hidden = false;
    }
  });
  open(dialog);
}
