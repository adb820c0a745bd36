// A file's receipt for people: shown, saved, printed and copied; and the place where one is checked.
//
// Invariant: what a receipt says is shown as its own word only where the service gave it just now, or its signature was
// verified. Loaded when somebody asks for it.

import { copyText } from './copy.js';
import { open } from './dialog.js';
import { h } from './dom.js';
import { takeDrops } from './drop_target.js';
import { MAX_RECEIPT_CHARS, readReceipt, verify } from './jws.js';
import { saveAs } from './save.js';
import { savedAs, shellWord } from './saved_name.js';
import { strings as de } from './strings.receipt.de.js';
import { strings as en } from './strings.receipt.en.js';

const TYPE = 'application/jose';
const ENDING = '.receipt.jws';

const wordsOf = ({ language }) => (language === de.language ? de : en).receiptView;

// Shows the receipt that the service has just given. say(sentence) tells people what was done, and that it isn't one.
export function showReceipt(text, { strings, format, say }) {
  const words = wordsOf(strings);
  const receipt = readReceipt(text);
  if (receipt === null) {
    say(words.odd);
    return;
  }
  const { claims } = receipt;
  const name = `${savedAs(claims.displayName)}${ENDING}`;
  const copy = async () => {
    if (await copyText(receipt.text)) {
      say(strings.receiptCopied);
    }
  };
  const buttons = [
    [words.print, () => window.print()],
    [strings.copyReceipt, copy],
    [strings.close, () => dialog.close()],
  ].map(([label, onclick]) => h('button', { type: 'button', onclick }, label));
  const save = h('button', { type: 'button', className: 'primary', onclick: () => saveAs(name, [`${receipt.text}\n`], TYPE) }, words.save);
  const dialog = h(
    'dialog',
    { className: 'receipt', 'aria-labelledby': 'receipt-title' },
    // From its beginning, however long it is.
    h('h2', { id: 'receipt-title', tabIndex: -1, autofocus: true }, words.title),
    h('p', {}, words.about(new URL(`${document.documentElement.dataset.base}/receipt`, location.href).href)),
    facts(claims, { strings, format }),
    h('p', { id: 'receipt-label' }, words.text),
    // In reach of the keyboard, since it may have to be scrolled.
    h('code', { className: 'receipt-text', dir: 'ltr', tabIndex: 0, role: 'group', 'aria-labelledby': 'receipt-label' }, receipt.text),
    h('div', { className: 'dialog-buttons' }, save, ...buttons),
  );
  open(dialog);
}

// What a receipt says, as a list.
export function facts(claims, { strings, format }) {
  const words = wordsOf(strings);
  const size = `${format.size(claims.size)} (${format.exactSize(claims.size)})`;
  const time = (at) => h('time', { dateTime: at }, format.exactTime(Date.parse(at)));
  const late = claims.late === true ? [strings.list, words.isLate] : [];
  const more = [
    [words.by, claims.submitter],
    [words.into, claims.title],
  ].filter(([, text]) => typeof text === 'string');
  const rows = [
    [words.name, h('bdi', {}, claims.displayName)],
    [words.size, claims.size < 1024 ? format.exactSize(claims.size) : size],
    [words.sha256, h('code', { className: 'receipt-digest' }, claims.sha256)],
    [words.arrived, h('span', {}, time(claims.uploadedAt), ...late)],
    ...more.map(([term, text]) => [term, h('bdi', {}, text)]),
    ...(typeof claims.dueAt === 'string' ? [[words.due, time(claims.dueAt)]] : []),
    [words.issuer, h('bdi', {}, claims.iss)],
    [words.issued, format.exactTime(claims.iat * 1000)],
  ];
  return h('dl', {}, ...rows.flatMap(([term, value]) => [h('dt', {}, term), h('dd', {}, value)]));
}

// A place to paste a receipt into, or to drop its file on, a button to choose that, and where the answer stands. `record` is
// the file that it should be about, or null. keys() asks the service. onClaims(claims) is told what a genuine one says, and
// null where there is none any more.
export function receiptCheck(record, { strings, format, keys, server, onClaims = () => {} }) {
  const words = wordsOf(strings);
  const verdict = h('p', { role: 'status' });
  const place = h('textarea', {
    className: 'drop-target',
    rows: 4,
    spellcheck: false,
    dir: 'ltr',
    placeholder: words.checkHint,
    'aria-label': words.check,
  });
  // An answer that comes late is about a receipt that was there before.
  let turn = 0;
  const look = async (text) => {
    turn += 1;
    const ours = turn;
    onClaims(null);
    verdict.textContent = text.trim() === '' ? '' : words.checking;
    const said = text.trim() === '' ? { text: '' } : await judge(text, record, { words, format, keys, server });
    if (ours === turn) {
      verdict.replaceChildren(said.text, ...(said.command ? [h('code', { dir: 'ltr' }, said.command)] : []));
      onClaims(said.claims ?? null);
    }
  };
  place.addEventListener('input', () => void look(place.value));
  const take = async (file) => {
    // What is longer is none, and isn't read.
    const text = file.size <= MAX_RECEIPT_CHARS ? await file.text().catch(() => '') : '';
    place.value = text;
    await (text === '' ? look('.') : look(text));
  };
  takeDrops(place, take);
  const input = h('input', { type: 'file', hidden: true });
  input.addEventListener('change', () => {
    const [file] = input.files;
    // So that the same file can be chosen again.
    input.value = '';
    if (file) {
      void take(file);
    }
  });
  const choose = h('button', { type: 'button', onclick: () => input.click() }, words.choose);
  return [h('h2', {}, words.check), place, choose, input, verdict];
}

async function judge(text, record, { words, format, keys, server }) {
  const receipt = readReceipt(text);
  if (receipt === null) {
    return { text: words.noReceipt };
  }
  const answer = await keys();
  if (answer.type !== 'keys') {
    return { text: words.unreachable };
  }
  const { claims } = receipt;
  const name = shellWord(`${savedAs(record?.displayName ?? record?.filename ?? claims.displayName)}${ENDING}`);
  const verdict = await verify(receipt, answer.keys);
  switch (verdict) {
    case 'genuine': {
      const time = format.exactTime(Date.parse(claims.uploadedAt));
      const about = record && (claims.jti === record.id ? words.ofThis : words.ofAnother);
      return { text: [words.genuine(claims.displayName, format.size(claims.size), time), about].filter(Boolean).join(' '), claims };
    }
    case 'insecure':
    case 'unsupported':
      return { text: words[verdict], command: `fshare verify ${name} --server ${server}` };
    default:
      return { text: words.notGenuine };
  }
}
