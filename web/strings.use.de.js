// Was darüber gesagt wird, wie viel jemand belegt, auf Deutsch. Wie strings.use.en.js.

export const strings = {
  language: 'de',

  use: {
    bytes: (used, limit) => `${used} von ${limit} belegt`,
    files: (used, limit) => (limit === '1' ? `${used} von 1 Datei` : `${used} von ${limit} Dateien`),
    filesAlone: (used, limit) => (limit === '1' ? `${used} von 1 Datei belegt` : `${used} von ${limit} Dateien belegt`),
    both: (bytes, files) => `${bytes}, ${files}`,
  },
};
