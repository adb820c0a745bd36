// Questions that have to be answered before anything else.
//
// The browser's own modal dialogs hold the focus, close on Escape and give the focus back.

import { h } from './dom.js';

// Resolves to whether the person said yes. The harmless answer has the focus.
export function ask({ title, text, yes, no }) {
  return new Promise((resolve) => {
    const dialog = h(
      'dialog',
      { 'aria-labelledby': 'dialog-title', 'aria-describedby': 'dialog-text' },
      h('h2', { id: 'dialog-title' }, title),
      h('p', { id: 'dialog-text' }, text),
      h(
        'div',
        { className: 'dialog-buttons' },
        h('button', { type: 'button', autofocus: true, onclick: () => dialog.close('no') }, no),
        h('button', { type: 'button', className: 'danger', onclick: () => dialog.close('yes') }, yes),
      ),
    );
    open(dialog, () => resolve(dialog.returnValue === 'yes'));
  });
}

// Shows a text to be copied by hand, selected.
export function showText({ title, text, close }) {
  const field = h('input', { readOnly: true, value: text, 'aria-labelledby': 'dialog-title' });
  const dialog = h(
    'dialog',
    { 'aria-labelledby': 'dialog-title' },
    h('h2', { id: 'dialog-title' }, title),
    field,
    h(
      'div',
      { className: 'dialog-buttons' },
      h('button', { type: 'button', onclick: () => dialog.close() }, close),
    ),
  );
  open(dialog, () => {});
  field.select();
}

// Shows it before everything else until it closes; then it is gone.
export function open(dialog, onClose = () => {}) {
  dialog.addEventListener('close', () => {
    dialog.remove();
    onClose();
  });
  document.body.append(dialog);
  dialog.showModal();
}
