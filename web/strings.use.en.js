// What is said of how much somebody has taken, in English, beside strings.en.js. It comes with use_line.js.
//
// Invariant: texts only. Numbers and sizes come in already formatted.

export const strings = {
  language: 'en',

  use: {
    bytes: (used, limit) => `${used} of ${limit} used`,
    files: (used, limit) => (limit === '1' ? `${used} of 1 file` : `${used} of ${limit} files`),
    filesAlone: (used, limit) => (limit === '1' ? `${used} of 1 file used` : `${used} of ${limit} files used`),
    both: (bytes, files) => `${bytes}, ${files}`,
  },
};
