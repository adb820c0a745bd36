// Compares a file of this computer with one of the service, for people without a terminal.
//
// Invariant: the file stays on this computer, and is read piece by piece; what is compared are its length and its
// SHA-256. Loaded when somebody asks for it.

import { h } from './dom.js';
import { takeDrops } from './drop_target.js';
import { Sha256 } from './sha256.js';
import { strings as de } from './strings.check.de.js';
import { strings as en } from './strings.check.en.js';

const PIECE_BYTES = 1024 * 1024;

// A place to drop a file on, a button to choose one, and where the answer stands.
export function fileCheck(record, { strings }) {
  const words = (strings.language === de.language ? de : en).check;
  const verdict = h('p', { role: 'status' });
  const input = h('input', { type: 'file', hidden: true });
  const button = h('button', { type: 'button', onclick: () => choose(input) }, words.compare);
  const place = h('div', { className: 'drop-target' }, button, h('p', {}, words.orDrop));
  // An answer that comes late is about a file that was chosen before.
  let turn = 0;
  const look = async (file) => {
    turn += 1;
    const ours = turn;
    verdict.textContent = words.comparing;
    const answer = await compare(file, record);
    if (ours === turn) {
      verdict.textContent = words[answer];
    }
  };
  input.addEventListener('change', () => {
    const [file] = input.files;
    if (file) {
      void look(file);
    }
  });
  takeDrops(place, look);
  return [place, input, verdict];
}

function choose(input) {
  // So that the same file can be chosen again.
  input.value = '';
  input.click();
}

// same | different | unreadable
export async function compare(file, { size, sha256 }) {
  // A file of another length isn't read at all.
  if (file.size !== size) {
    return 'different';
  }
  try {
    return (await digestOf(file)) === sha256 ? 'same' : 'different';
  } catch {
    return 'unreadable';
  }
}

// Not Web Crypto's, which takes a file as a whole, and isn't there on a page that came by plain http.
async function digestOf(file) {
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    hash.update(new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer()));
  }
  return hash.hex();
}
