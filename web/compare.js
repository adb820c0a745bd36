// Compares a file of this computer with one of the service, for people without a terminal.
//
// Invariant: the file stays on this computer; what is compared are its length and its SHA-256.

import { sha256 as digestOf } from './digest.js';
import { h } from './dom.js';
import { strings } from './language.js';

// A button with what it needs, and the place where its answer stands.
export function comparison(record) {
  const words = strings.file;
  const verdict = h('p', { role: 'status' });
  const input = h('input', { type: 'file', hidden: true });
  // An answer that comes late is about a file that was chosen before.
  let turn = 0;
  input.addEventListener('change', async () => {
    const [file] = input.files;
    if (!file) {
      return;
    }
    turn += 1;
    const ours = turn;
    verdict.textContent = words.comparing;
    const answer = await compare(file, record);
    if (ours === turn) {
      verdict.textContent = words[answer];
    }
  });
  const button = h('button', { type: 'button', onclick: () => choose(input) }, words.compare);
  return [button, input, verdict];
}

function choose(input) {
  // So that the same file can be chosen again.
  input.value = '';
  input.click();
}

async function compare(file, { size, sha256 }) {
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
