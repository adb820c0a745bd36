// Was der Dienst für Browser ohne Skripte schreibt, auf Deutsch. Wie strings.served.en.js.

export const strings = {
  language: 'de',

  noScript: {
    send: 'Diese Seite braucht JavaScript. Ohne senden Sie Dateien im Terminal, mit dem Programm dieses Dienstes:',
    curl:
      'Oder mit curl in zwei Schritten: Der erste sagt dem Dienst unter der Adresse dieser Seite, welche Datei kommt, und die ' +
      'Antwort hat die UPLOAD_URL für den zweiten.',
    links: 'Links zu Dateien gehen auch ohne JavaScript.',
    signIn: 'Dieser Dienst fragt, wer Sie sind, und seine Seite braucht dazu JavaScript.',
    pending: 'Ohne JavaScript merkt diese Seite nicht, wenn sich das ändert: Bitte laden Sie sie später noch einmal.',
    pair: 'Diese Seite braucht JavaScript.',
    checkText: 'Die Datei hat diesen SHA-256. Vergleichen Sie ihn mit dem, den Ihr Computer für den Download nennt:',
  },
};
