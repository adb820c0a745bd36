// The code that a program shows, as people type it.
//
// Invariant: pure, and never stricter than the service, which has the last word.

// Consonants alone, without a Y: what looks like another letter or makes a word isn't among them.
const CODE = /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/i;
// Blanks and dashes, of whatever kind a keyboard or a copied text has.
const BETWEEN = /[\s\u2010\u2011\u2013\u2014-]/g;

// As the program shows it, `BCDF-GHJK`; null if it can't be a code.
export function readCode(typed) {
  const letters = typed.replace(BETWEEN, '');
  return CODE.test(letters) ? `${letters.slice(0, 4)}-${letters.slice(4)}`.toUpperCase() : null;
}
