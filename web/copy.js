// Copies a text, in every context.

import { h } from './dom.js';

// Whether it worked. The clipboard's own interface is there on https and on this machine only; the old
// way works everywhere else.
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyTheOldWay(text);
  }
}

function copyTheOldWay(text) {
  const focused = document.activeElement;
  const field = h('textarea', { value: text, readOnly: true, className: 'unseen', 'aria-hidden': 'true' });
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  focused?.focus?.();
  return done;
}
