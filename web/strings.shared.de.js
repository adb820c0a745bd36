// Was die Seiten von Links sagen, auf Deutsch. Wie strings.shared.en.js.

const isolated = (name) => `\u2068${name}\u2069`;

export const strings = {
  language: 'de',

  shared: {
    nothing: 'Hier ist nichts mehr',
    noFiles: 'Alle Dateien wurden gelöscht',
    oneFile: '1 Datei',
    manyFiles: (count) => `${count} Dateien`,
    summary: (files, size, until) => `${files}, ${size}, bis ${until}`,
    download: 'Herunterladen',
    downloadOf: (name) => `${isolated(name)} herunterladen`,
    password: 'Passwort',
    all: {
      button: 'Alle als Zip herunterladen',
      stop: 'Abbrechen',
      looking: 'Es wird nachgesehen, was da ist …',
      under: (done, all) => `Im Archiv: ${done} von ${all}`,
      saved: (count) => (count === '1' ? '1 Datei ist im Archiv.' : `${count} Dateien sind im Archiv.`),
      names: (names, more) => [...names.map(isolated), more].filter(Boolean).join(', '),
      more: (count) => `${count} weitere`,
      missing: {
        taken: (count, names) =>
          count === '1'
            ? `1 fehlt darin, denn sie kann nicht mehr geholt werden: ${names}. Sie wurde so oft geholt, wie es erlaubt ist.`
            : `${count} fehlen darin, denn sie können nicht mehr geholt werden: ${names}. Sie wurden so oft geholt, wie es erlaubt ist.`,
        gone: (count, names) =>
          count === '1'
            ? `1 fehlt darin, denn sie ist nicht mehr da: ${names}.`
            : `${count} fehlen darin, denn sie sind nicht mehr da: ${names}.`,
        failed: (count, names) =>
          count === '1'
            ? `1 war nicht zu holen und fehlt darin: ${names}. Versuchen Sie es noch einmal, oder holen Sie sie einzeln.`
            : `${count} waren nicht zu holen und fehlen darin: ${names}. Versuchen Sie es noch einmal, oder holen Sie sie einzeln.`,
      },
      missingName: '_fehlt.txt',
      why: {
        stopped: 'Abgebrochen. Es gibt kein Archiv.',
        tooLarge: 'Zusammen sind sie mehr, als dieser Browser zusammenstellen kann. Holen Sie die Dateien einzeln, oder nehmen Sie Chrome oder Edge auf einem Computer.',
        offline: 'Sie sind nicht mit dem Netz verbunden, deshalb gibt es kein Archiv. Versuchen Sie es noch einmal, wenn Sie es wieder sind.',
        unread: 'Der Dienst ist gerade nicht zu erreichen, deshalb gibt es kein Archiv. Bitte versuchen Sie es gleich noch einmal.',
        signedOut: 'Sie sind nicht mehr angemeldet, deshalb gibt es kein Archiv. Bitte laden Sie die Seite neu.',
        wrongPassword: 'Das ist nicht das Passwort. Es gibt kein Archiv.',
        tooManyTries: 'Das Passwort wurde zu oft geraten, deshalb gibt es kein Archiv. Bitte versuchen Sie es in einer Minute noch einmal.',
        linkGone: 'Dieser Link gilt nicht mehr, deshalb gibt es kein Archiv. Bitte fragen Sie nach einem neuen.',
        nothing: 'Es gibt nichts zu holen, deshalb gibt es kein Archiv: Keine der Dateien ist noch da.',
        taken: 'Es gibt nichts mehr zu holen, deshalb gibt es kein Archiv: Jede Datei wurde so oft geholt, wie es erlaubt ist.',
        away: 'Mehrere Dateien hintereinander waren nicht zu holen, deshalb wurde abgebrochen. Es gibt kein Archiv. Bitte versuchen Sie es später noch einmal.',
        failed: 'Das Archiv ließ sich nicht schreiben. Ist genug Platz dafür da? Bitte versuchen Sie es noch einmal.',
      },
    },
    note: {
      pending: (size) => `${size} · noch unterwegs`,
      none: (size) => `${size} · wurde so oft geholt, wie es erlaubt ist`,
      once: (size) => `${size} · kann einmal geholt werden`,
      times: (size, count) => `${size} · kann ${count}-mal geholt werden`,
      never: 'kam nie an',
    },
    wrongPassword: 'Das ist nicht das Passwort.',
    pending: 'Diese Datei ist noch unterwegs. Bitte versuchen Sie es gleich noch einmal.',
    taken: 'Diese Datei wurde so oft geholt, wie es erlaubt ist.',
    tooManyTries: 'Das Passwort wurde zu oft geraten. Bitte versuchen Sie es in einer Minute noch einmal.',
    signIn: 'Anmelden',
    signInTitle: 'Dieser Link ist für angemeldete Personen',
    signInText: 'Wer ihn weitergegeben hat, möchte wissen, dass Sie dazugehören.',
    notFoundTitle: 'Diesen Link gibt es nicht',
    notFoundText: 'Vielleicht fehlt ein Teil der Adresse: Bitte kopieren Sie den ganzen Link noch einmal, oder fragen Sie die Person, die ihn Ihnen gab.',
    goneTitle: 'Dieser Link gilt nicht mehr',
    goneText: 'Seine Zeit ist abgelaufen, oder er wurde beendet oder erneuert. Bitte fragen Sie nach einem neuen.',
    busyTitle: 'Der Dienst ist ausgelastet',
    busyText: 'Nichts geht verloren. Bitte laden Sie die Seite gleich noch einmal.',
    busyNow: 'Gerade wird er mehr gefragt, als er beantwortet. Nichts geht verloren.',
    busySoon: 'Diese Seite lädt sich gleich von selbst neu.',
    busyAgain: (seconds) => `Diese Seite lädt sich in ${seconds} Sekunden von selbst neu.`,
  },
};
