// Was die Seiten von Links sagen, auf Deutsch. Wie strings.shared.en.js.

export const strings = {
  language: 'de',

  shared: {
    nothing: 'Hier ist nichts mehr',
    noFiles: 'Alle Dateien wurden gelöscht',
    oneFile: '1 Datei',
    manyFiles: (count) => `${count} Dateien`,
    summary: (files, size, until) => `${files}, ${size}, bis ${until}`,
    download: 'Herunterladen',
    downloadOf: (name) => `${name} herunterladen`,
    password: 'Passwort',
    note: {
      pending: (size) => `${size} · noch unterwegs`,
      none: (size) => `${size} · wurde so oft geholt, wie es erlaubt ist`,
      once: (size) => `${size} · kann einmal geholt werden`,
      times: (size, count) => `${size} · kann ${count}-mal geholt werden`,
      never: 'kam nie an',
    },
    wrongPassword: 'Das ist nicht das Passwort.',
    pending: 'Diese Datei ist noch unterwegs. Bitte gleich noch einmal versuchen.',
    taken: 'Diese Datei wurde so oft geholt, wie es erlaubt ist.',
    tooManyTries: 'Das Passwort wurde zu oft geraten. Bitte in einer Minute noch einmal versuchen.',
    signIn: 'Anmelden',
    signInTitle: 'Dieser Link ist für angemeldete Personen',
    signInText: 'Wer ihn weitergegeben hat, möchte wissen, dass Sie dazugehören.',
    notFoundTitle: 'Diesen Link gibt es nicht',
    notFoundText: 'Vielleicht fehlt ein Teil der Adresse: bitte den ganzen Link noch einmal kopieren, oder nachfragen.',
    goneTitle: 'Dieser Link gilt nicht mehr',
    goneText: 'Seine Zeit ist abgelaufen, oder er wurde beendet oder erneuert. Bitte um einen neuen fragen.',
    busyTitle: 'Der Dienst ist ausgelastet',
    busyText: 'Nichts geht verloren. Bitte die Seite gleich noch einmal laden.',
  },
};
