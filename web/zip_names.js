// What files are called in an archive.
//
// Invariant: pure. Each is the name of one file in one folder on every system, also on Windows; none leads elsewhere, none
// is a device, and no two are the same, not even to a file system that tells no capitals apart. The ending stays.

const NOT_IN_NAMES = /[\p{Cc}<>:"/\\|?*]/gu;
// What turns the direction of text, so that a name would look like another.
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const AT_ITS_END = /[. ]+$/;
// https://learn.microsoft.com/windows/win32/fileio/naming-a-file
const DEVICE = /^(con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]|conin\$|conout\$)\s*(\.|$)/i;
// File systems take 255 bytes, and a folder and a number have to fit too.
const MAX_BYTES = 200;
const MAX_ENDING = 16;

export function safeName(text) {
  const plain = text.normalize('NFC').replace(TURNING, '').replace(NOT_IN_NAMES, '_').trim();
  const short = shortened(plain, MAX_BYTES).replace(AT_ITS_END, (end) => '_'.repeat(end.length));
  return DEVICE.test(short) ? `_${short}` : short || '_';
}

// Gives a name to each file: who handed it in, if somebody did, and what they called it.
export class ZipNames {
  #folder;
  #taken = new Set();

  constructor(title) {
    this.#folder = safeName(title);
  }

  of({ submitter, displayName }) {
    return this.#only(safeName(submitter === undefined ? displayName : `${submitter} – ${displayName}`));
  }

  // For what isn't somebody's.
  own(name) {
    return this.#only(name);
  }

  #only(name) {
    const { stem, ending } = split(name);
    let only = name;
    for (let n = 2; this.#taken.has(folded(only)); n += 1) {
      only = `${stem} (${n})${ending}`;
    }
    this.#taken.add(folded(only));
    return `${this.#folder}/${only}`;
  }
}

// As a file system takes names for the same that tells neither capitals apart nor how a letter is composed.
function folded(name) {
  return name.normalize('NFKC').toUpperCase().toLowerCase();
}

function split(name) {
  const at = name.lastIndexOf('.');
  const isEnding = at > 0 && name.length - at <= MAX_ENDING;
  return isEnding ? { stem: name.slice(0, at), ending: name.slice(at) } : { stem: name, ending: '' };
}

function shortened(name, max) {
  const bytes = (text) => new TextEncoder().encode(text).length;
  if (bytes(name) <= max) {
    return name;
  }
  const { stem, ending } = split(name);
  const letters = [...stem];
  while (letters.length > 0 && bytes(`${letters.join('')}…${ending}`) > max) {
    letters.pop();
  }
  return `${letters.join('').trimEnd()}…${ending}`;
}
