// Was über Tokens gesagt wird, auf Deutsch. Wie strings.tokens.en.js.

const isolated = (name) => `\u2068${name}\u2069`;

export const strings = {
  language: 'de',

  tokens: {
    title: 'Tokens',
    hint: 'Programme zeigen sie vor, um für Sie zu handeln. Wer ein Token hat, kann tun, was es erlaubt, bis es endet.',
    loading: 'Tokens werden gesucht …',
    none: 'Kein Programm hat ein Token von Ihnen.',
    unreachable: 'Der Dienst ist gerade nicht erreichbar. Bitte versuchen Sie es gleich noch einmal.',
    scopes: { read: 'sehen und holen', write: 'senden', delete: 'löschen', admin: 'Dateien von allen' },
    may: (scopes) => `Darf: ${scopes.join(', ')}`,
    lastUsed: (time) => `Zuletzt benutzt ${time}`,
    neverUsed: 'Nie benutzt',
    until: (time) => `Gilt bis ${time}`,
    end: 'Beenden',
    endNamed: (label) => `${isolated(label)} beenden`,
    endTitle: 'Dieses Token beenden?',
    endText: (label) => `${isolated(label)} lässt niemanden mehr herein. Das Programm, das es hat, braucht ein anderes. Das lässt sich nicht rückgängig machen.`,
    endYes: 'Beenden',
    ended: (label) => `${isolated(label)} ist beendet.`,
  },
};
