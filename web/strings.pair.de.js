// Was die Seite sagt, auf der jemand ein Programm hereinlässt, auf Deutsch. Wie strings.pair.en.js.

const rules = new Intl.PluralRules('de');
const counted = (n, one, other) => (rules.select(n) === 'one' ? one : other);

export const strings = {
  language: 'de',

  pair: {
    title: 'Ein Programm hereinlassen',
    hint: 'Geben Sie den Code ein, den Ihr Programm zeigt, etwa fshare im Terminal. Geben Sie nie einen ein, den Sie von jemand anderem haben.',
    code: 'Code',
    next: 'Weiter',
    question: 'Dieses Programm hereinlassen?',
    client: 'Es nennt sich',
    from: 'Es fragt von',
    fromUnknown: 'einer unbekannten Adresse',
    began: 'Es begann',
    consequence: 'Es kann dann wie Sie Dateien sehen, holen, senden und löschen, 90 Tage lang oder bis sein Token widerrufen wird.',
    warning: 'Machen Sie nur weiter, wenn Sie es gerade eben selbst gestartet haben.',
    yes: 'Hereinlassen',
    no: 'Nicht hereinlassen',
    done: 'Es ist hereingelassen',
    goBack: ' macht von selbst weiter. Sie können diese Seite schließen.',
    notForGuests:
      'Als Gast holen Sie, was andere Ihnen weitergeben, und kein Programm kann für Sie handeln. Wenden Sie sich an die ' +
      'Person, die diesen Dienst betreibt.',
    notNeeded: 'Bei diesem Dienst meldet sich niemand an, also brauchen Programme hier kein Token.',
    why: {
      noCode: 'Ein Code hat acht Buchstaben, etwa BCDF-GHJK. Vergleichen Sie ihn mit dem, was das Programm zeigt.',
      unknown: 'Kein Programm wartet mit diesem Code. Vergleichen Sie ihn mit dem, was das Programm zeigt, oder fangen Sie dort neu an.',
      tooMany: (minutes) =>
        `Zu viele Codes waren falsch. ${counted(minutes, 'Versuchen Sie es in einer Minute noch einmal.', `Versuchen Sie es in ${minutes} Minuten noch einmal.`)}`,
      unreachable: 'Der Dienst ist gerade nicht erreichbar. Bitte versuchen Sie es gleich noch einmal.',
    },
  },
};
