// The name that a download has on this computer, for whoever looks for it there.
//
// Invariant: pure; the same as the service proposes to browsers, as far as a name isn't too long for a file system.

const NOT_ON_WINDOWS = /[:*?"<>|]/g;
const STRIPPED_AT_ITS_END = /[. ]+$/;
const PLAIN_WORD = /^[\p{L}\p{M}\p{Nd}_.-]+$/u;

export function savedAs(name) {
  return name
    .replace(NOT_ON_WINDOWS, '_')
    .replace(STRIPPED_AT_ITS_END, (stripped) => '_'.repeat(stripped.length))
    .replace(/^-/, '_');
}

// One word of a shell, in which nothing means anything.
export function shellWord(text) {
  return PLAIN_WORD.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
