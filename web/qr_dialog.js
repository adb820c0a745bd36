// Shows the QR code of a link, as large as a room needs it.
//
// Invariant: dark on white, whatever colours the reader has chosen, since that is what cameras look for.

import { open } from './dialog.js';
import { h, svg } from './dom.js';
import { strings } from './language.js';
import { QUIET_ZONE, qrCode, qrPath } from './qr.js';

export function qrButton(onclick) {
  return h('button', { type: 'button', className: 'large', onclick }, strings.qr.button);
}

// `isForNobodyElse`: whether only this computer can open the link. Only the service can make links so long that
// there is no code for them, and none does.
export function showQr(link, isForNobodyElse) {
  const { qr, close } = strings;
  const rows = qrCode(link);
  const dialog = h(
    'dialog',
    { className: 'qr', 'aria-labelledby': 'dialog-title', 'aria-describedby': 'dialog-text' },
    h('h2', { id: 'dialog-title' }, qr.title),
    rows === null ? h('p', {}, qr.tooLong) : picture(rows, qr.picture),
    h('p', { id: 'dialog-text', className: 'qr-link', dir: 'ltr' }, link),
    isForNobodyElse ? h('p', { className: 'qr-note' }, strings.onlyHere.text) : null,
    h(
      'div',
      { className: 'dialog-buttons' },
      h('button', { type: 'button', autofocus: true, onclick: () => dialog.close() }, close),
    ),
  );
  open(dialog, () => {});
}

function picture(rows, label) {
  const size = rows.length + 2 * QUIET_ZONE;
  return svg(`0 0 ${size} ${size}`, qrPath(rows), { class: 'qr-code', role: 'img', 'aria-label': label });
}
