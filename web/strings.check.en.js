// What is said where a file of this computer is checked, in English, beside strings.en.js. It comes with check_file.js.
//
// Invariant: texts only.

export const strings = {
  language: 'en',

  check: {
    compare: 'Check a file',
    orDrop: 'or drop it here. It stays on your computer.',
    comparing: 'Looking at it …',
    same: 'That is exactly this file.',
    different: 'That is another file, or not all of it.',
    unreadable: 'That file can’t be read.',
  },
};
