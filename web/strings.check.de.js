// Was gesagt wird, wo eine Datei dieses Computers geprüft wird, auf Deutsch. Wie strings.check.en.js.

export const strings = {
  language: 'de',

  check: {
    compare: 'Eine Datei prüfen',
    orDrop: 'oder hier ablegen. Sie bleibt auf diesem Computer.',
    comparing: 'Wird angesehen …',
    same: 'Das ist genau diese Datei.',
    different: 'Das ist eine andere Datei, oder nicht die ganze.',
    unreadable: 'Diese Datei kann nicht gelesen werden.',
  },
};
