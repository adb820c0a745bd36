// Was die Seite einer Datei sagt, auf Deutsch. Wie strings.file.en.js.

export const strings = {
  language: 'de',

  file: {
    pendingTitle: 'Unterwegs',
    pendingText: 'Der Download beginnt von selbst, sobald alles da ist.',
    started: 'Der Download hat begonnen.',
    processingTitle: 'Wird verarbeitet',
    processingText: 'Der Dienst ist noch damit beschäftigt. Danach beginnt der Download von selbst.',
    rejectedTitle: 'Diese Datei wurde abgelehnt',
    rejectedText: (reason) => `Was ankam, ist nicht, was angekündigt war: ${reason}. Bitten Sie darum, dass sie noch einmal gesendet wird.`,
    otherContentText: (type) => `Ihr Inhalt ist ${type}, und ihr Name sagt etwas anderes. Bitten Sie um die richtige Datei.`,
    withdrawnTitle: 'Diese Datei wurde zurückgezogen',
    withdrawnText: (reason) => `Eine spätere Prüfung auf Viren hat sie beanstandet: ${reason}. Falls Sie sie schon geholt haben, löschen Sie sie bitte.`,
    expiredTitle: 'Diese Datei ist nie angekommen',
    expiredText: 'Die Zeit zum Senden ist abgelaufen. Bitten Sie darum, dass sie noch einmal gesendet wird.',
    goneTitle: 'Es gibt keine solche Datei',
    goneText: 'Der Link ist nicht vollständig, oder die Datei wurde gelöscht.',
    unreachableTitle: 'Der Dienst ist nicht erreichbar',
    unreachableText: 'Es wird noch einmal versucht …',
    loading: 'Wird gesucht …',
    shared: (when) => `gesendet ${when}`,
    deletedOn: (time) => `wird gelöscht am ${time}`,
    check: 'Ist sie vollständig?',
    checkText: 'Die Datei hat diesen SHA-256. Vergleichen Sie ihn mit dem, den Ihr Computer für den Download nennt, oder lassen Sie es diese Seite tun:',
    checkCommand: (name) => `sha256sum ${name}`,
    copyDigest: 'SHA-256 kopieren',
    receipt: 'Beleg',
  },
};
