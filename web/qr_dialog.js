// Shows the QR code of a link, as large as a room needs it.
//
// Invariant: dark on white, whatever colours the reader has chosen, since that is what cameras look for.

import { open } from './dialog.js';
import { h, svg } from './dom.js';
import { strings } from './language.js';
import { fetchModule } from './late.js';

export function qrButton(onclick) {
  return h('button', { type: 'button', className: 'large', onclick }, strings.qr.button);
}

// `isForNobodyElse`: whether only this computer can open the link. Only the service can make links so long that
// there is no code for them, and none does.
export async function showQr(link, isForNobodyElse) {
  const { qr, close } = strings;
  const shown = await pictureOf(link);
  const dialog = h(
    'dialog',
    { className: 'qr', 'aria-labelledby': 'dialog-title', 'aria-describedby': 'dialog-text' },
    h('h2', { id: 'dialog-title' }, qr.title),
    shown,
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

// What draws codes is as large as a tenth of the page, and few ask for one.
async function pictureOf(link) {
  let drawn;
  try {
    drawn = await fetchModule('qr.js');
  } catch {
    return h('p', {}, strings.qr.unreachable);
  }
  const rows = drawn.qrCode(link);
  if (rows === null) {
    return h('p', {}, strings.qr.tooLong);
  }
  const size = rows.length + 2 * drawn.QUIET_ZONE;
  const attributes = { class: 'qr-code', role: 'img', 'aria-label': strings.qr.picture };
  return svg(`0 0 ${size} ${size}`, drawn.qrPath(rows), attributes);
}
